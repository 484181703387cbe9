//! Accounts that come from elsewhere, many at a time, under the rules by which the API creates one.

use std::collections::{HashMap, HashSet};

use shared::clock::Timestamp;
use shared::error::Error;
use shared::model::{
    CustomerNumber, Email, NormalizedEmail, OrganizationId, Password, PasswordHash, Stored, User, UserId,
};
use shared::table::NewMembership;
use shared::table::credentials::{PASSWORD_HASH, credential};
use shared::table::email_claims::{self, USER_ID};
use shared::table::memberships::add_membership;
use shared::table::storage::{CommitOutcome, Item, Key, KeyKind, NewItem, Transaction};
use shared::table::{customer_associations, users};

use super::transaction::{MAX_PARTS, OperatorTransaction as _};
use super::{OperatorTable, Record, records};

/// How many memberships and customer accounts are written with a new account, in one transaction; those beyond follow.
/// Each may demand an organization of its own.
const MAX_FIRST_BELONGINGS: usize = 40;

/// How often an address is looked up that goes to another account between two calls.
const MAX_LOOK_UPS: u32 = 4;

/// An account from elsewhere.
#[derive(Debug)]
pub struct ImportedAccount {
    /// The user, with the id that it is to have.
    pub user: User,
    /// Whether the id came with it; otherwise it is new.
    pub has_own_id: bool,
    /// When the account was created.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: UserId,
    /// The password's hash, where there is one.
    pub password_hash: Option<PasswordHash>,
    /// The password, where it came in plain text: a new hash of it says nothing about an older one.
    pub password: Option<Password>,
    /// Whether it had a password where it comes from that cannot be imported: no password that is stored here is its.
    pub is_password_lost: bool,
    /// The organizations that the user belongs to.
    pub memberships: Vec<NewMembership>,
    /// The user's customer accounts, one at most in each organization.
    pub customer_accounts: Vec<(OrganizationId, CustomerNumber)>,
}

/// What became of an account from elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportOutcome {
    /// It is there, with all that belongs to it.
    Created,
    /// This account has the e-mail address. Memberships and customer accounts that it did not have are there; all else
    /// is as it was.
    Existing(UserId),
    /// The account that had the e-mail address under this id is this one now.
    Adopted(UserId),
    /// Nothing was written: the account that has the e-mail address is not the same.
    Disagrees {
        /// The account that has it.
        holder: UserId,
        /// Whether it has another id.
        id: bool,
        /// Whether it has another password, or none.
        password: bool,
    },
    /// Nothing was written: another account has the id.
    IdTaken,
    /// Nothing was written: the claim of the e-mail address names this user, who does not exist or has another address.
    ClaimOrphaned {
        /// The user.
        holder: UserId,
        /// Whether the user exists.
        exists: bool,
    },
    /// Nothing was written: the claim of the e-mail address, or the account that it names, cannot be read.
    Unreadable,
    /// An organization of a membership or a customer account does not exist. Where the account has more of them than
    /// a transaction takes, others may be written.
    OrganizationMissing,
}

/// The attribute of a user whose adoption is not finished: the id that the account had before.
const MOVED_FROM: &str = "MovedFrom";

/// What happens to an account that has the address of an imported one, and another id or password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disagreement {
    /// It stays as it is, and the imported one is refused.
    Refuse,
    /// It becomes the imported one: its id moves, its password is replaced.
    Adopt,
}

impl OperatorTable {
    /// What [`OperatorTable::import`] would come to, if the organizations exist. Writes nothing.
    pub async fn would_import(
        &self,
        accounts: &[ImportedAccount],
        disagreement: Disagreement,
    ) -> Result<Vec<ImportOutcome>, Error> {
        let holders = self.holders_of(accounts).await?;
        let found = self.look_up(held(accounts, &holders)).await?;
        let ids: HashSet<_> = accounts.iter().map(|account| &account.user.id).collect();
        let keys: Vec<_> = ids.into_iter().map(Key::user).collect();
        let mut taken = HashSet::new();
        for user in self.batch_get(&keys).await? {
            taken.insert(user.key()?);
        }
        let outcomes = accounts.iter().zip(holders).map(|(account, holder)| {
            let is_taken = taken.contains(&Key::user(&account.user.id));
            let holder = match holder {
                Holder::Nobody if is_taken => return ImportOutcome::IdTaken,
                Holder::Nobody => return ImportOutcome::Created,
                Holder::Unreadable => return ImportOutcome::Unreadable,
                Holder::User(holder) => holder,
            };
            match found.standing(account, &holder) {
                Standing::Same => ImportOutcome::Existing(holder),
                Standing::Unreadable => ImportOutcome::Unreadable,
                Standing::Orphan { exists } => ImportOutcome::ClaimOrphaned { holder, exists },
                Standing::Another { id, .. } if disagreement == Disagreement::Adopt => {
                    if id && is_taken {
                        ImportOutcome::IdTaken
                    } else {
                        ImportOutcome::Adopted(holder)
                    }
                }
                Standing::Another { id, password } => ImportOutcome::Disagrees { holder, id, password },
            }
        });
        Ok(outcomes.collect())
    }

    /// Imports accounts, as many new ones in a transaction as it takes. At most one account can ever hold an e-mail
    /// claim, as with [`Table::create_account`](shared::table::Table::create_account). An account that is there already
    /// and is the same is left as it is, so what was interrupted is finished by importing the same again.
    ///
    /// What became of each, in their order.
    pub async fn import(
        &self,
        accounts: &[ImportedAccount],
        disagreement: Disagreement,
    ) -> Result<Vec<ImportOutcome>, Error> {
        let holders = self.holders_of(accounts).await?;
        let found = self.look_up(held(accounts, &holders)).await?;
        let mut existing = Vec::new();
        let mut new = Vec::new();
        let mut batch = Batch::new(self);
        for (account, holder) in accounts.iter().zip(&holders) {
            if *holder != Holder::Nobody {
                let added = match holder.user().map(|holder| (holder, found.standing(account, holder))) {
                    Some((holder, Standing::Same)) => {
                        self.add_to_same(holder.clone(), account, &found).await?
                    }
                    // Looked at once more: the address may have gone to another account between the reads.
                    _ => None,
                };
                existing.push(match added {
                    Some(outcome) => outcome,
                    None => self.import_one(account, disagreement).await?,
                });
            } else if !batch.add(account)? {
                let full = std::mem::replace(&mut batch, Batch::new(self));
                new.append(&mut full.commit(self, disagreement).await?);
                batch.add(account)?;
            }
        }
        new.append(&mut batch.commit(self, disagreement).await?);
        let (mut existing, mut new) = (existing.into_iter(), new.into_iter());
        let in_order =
            holders.iter().map(|holder| if *holder == Holder::Nobody { new.next() } else { existing.next() });
        Ok(in_order.flatten().collect())
    }

    /// Which account has the e-mail address of each.
    async fn holders_of(&self, accounts: &[ImportedAccount]) -> Result<Vec<Holder>, Error> {
        let emails: Vec<_> = accounts.iter().map(|account| account.user.email.normalized()).collect();
        // The table refuses a batch that names a key twice.
        let once: HashSet<_> = emails.iter().copied().collect();
        let keys: Vec<_> = once.into_iter().map(Key::email_claim).collect();
        let mut holders = HashMap::new();
        for claim in self.batch_get(&keys).await? {
            let holder = email_claims::user_id(&claim).map_or(Holder::Unreadable, Holder::User);
            holders.insert(claim.key()?.partition_id().to_owned(), holder);
        }
        let holder =
            |email: &&NormalizedEmail| holders.get(email.as_str()).cloned().unwrap_or(Holder::Nobody);
        Ok(emails.iter().map(holder).collect())
    }

    /// What is there of the accounts that have the addresses of these.
    async fn look_up(
        &self,
        accounts: impl Iterator<Item = (&ImportedAccount, &UserId)>,
    ) -> Result<Found, Error> {
        let keys = accounts.flat_map(|(account, id)| {
            let belongings = account.belongings().map(move |belonging| belonging.key(id));
            let credential =
                (account.has_password() || account.is_password_lost).then(|| Key::credential(id));
            belongings.chain([Key::user(id)]).chain(credential)
        });
        let keys: HashSet<_> = keys.collect();
        let mut found = Found::default();
        for item in self.batch_get(&keys.into_iter().collect::<Vec<_>>()).await? {
            let key = item.key()?;
            match item.kind() {
                KeyKind::User => {
                    let id: UserId = item.parsed(key.partition_id())?;
                    match (item.required(users::EMAIL), item.optional(MOVED_FROM)) {
                        (Ok(Stored(email)), Ok(old)) => {
                            found.moves.extend(old.map(|old| (id.clone(), old)));
                            found.emails.insert(id, email);
                        }
                        _ => drop(found.unreadable.insert(id)),
                    }
                }
                KeyKind::Credential => {
                    let id = item.parsed(key.partition_id())?;
                    match item.required(PASSWORD_HASH) {
                        Ok(hash) => drop(found.hashes.insert(id, hash)),
                        Err(_) => drop(found.unreadable.insert(id)),
                    }
                }
                _ => {
                    found.belongings.insert(key);
                }
            }
        }
        Ok(found)
    }

    async fn import_one(
        &self,
        account: &ImportedAccount,
        disagreement: Disagreement,
    ) -> Result<ImportOutcome, Error> {
        for _ in 0..MAX_LOOK_UPS {
            let mut alone = Batch::new(self);
            alone.add(account)?;
            let refusal = match alone.transaction.commit().await? {
                CommitOutcome::Committed => return self.import_rest(account).await,
                CommitOutcome::Refused(refusal) => refusal,
            };
            if let Some(claim) = refusal.existing(KeyKind::EmailClaim) {
                let Ok(holder) = email_claims::user_id(claim) else { return Ok(ImportOutcome::Unreadable) };
                if let Some(outcome) = self.import_into(holder, account, disagreement).await? {
                    return Ok(outcome);
                }
            } else if refusal.names(KeyKind::Organization) {
                return Ok(ImportOutcome::OrganizationMissing);
            } else {
                return Ok(ImportOutcome::IdTaken);
            }
        }
        Err(Error::unavailable("an e-mail address went to another account, look-up after look-up"))
    }

    /// Imports an account whose address this one has. `None` if the address went to another account meanwhile.
    async fn import_into(
        &self,
        holder: UserId,
        account: &ImportedAccount,
        disagreement: Disagreement,
    ) -> Result<Option<ImportOutcome>, Error> {
        let found = self.look_up([(account, &holder)].into_iter()).await?;
        match found.standing(account, &holder) {
            Standing::Same => self.add_to_same(holder, account, &found).await,
            Standing::Unreadable => Ok(Some(ImportOutcome::Unreadable)),
            Standing::Orphan { exists } => {
                let still = self.user_id_of(&account.user.email).await?.as_ref() == Some(&holder);
                Ok(still.then_some(ImportOutcome::ClaimOrphaned { holder, exists }))
            }
            Standing::Another { id, .. } if disagreement == Disagreement::Adopt => {
                if id {
                    self.move_account(holder, account).await
                } else {
                    self.replace_password(holder, account, &found).await
                }
            }
            Standing::Another { id, password } => {
                let still = self.user_id_of(&account.user.email).await?.as_ref() == Some(&holder);
                Ok(still.then_some(ImportOutcome::Disagrees { holder, id, password }))
            }
        }
    }

    /// Gives an account the imported password, or none if that is lost, and what belongs to the imported account. `None`
    /// if the address went to another account meanwhile.
    async fn replace_password(
        &self,
        id: UserId,
        account: &ImportedAccount,
        found: &Found,
    ) -> Result<Option<ImportOutcome>, Error> {
        let transaction = Transaction::new(self).demand(Key::user(&id));
        let mut transaction = email_claims::demand_holder(transaction, &account.user.email, &id);
        transaction = match &account.password_hash {
            Some(hash) => transaction.put(credential(&id, hash)),
            None => transaction.delete(Key::credential(&id)),
        };
        let CommitOutcome::Committed = transaction.commit().await? else { return Ok(None) };
        Ok(self.add_to_existing(id, account, found).await?.map(|outcome| match outcome {
            ImportOutcome::Existing(id) => ImportOutcome::Adopted(id),
            other => other,
        }))
    }

    /// Makes an account the imported one, which has another id: one transaction moves the claim, replaces the user and
    /// the password, and moves as many memberships and customer accounts as it takes. The user remembers the old id until
    /// the others are moved too. `None` if the address went to another account meanwhile.
    async fn move_account(
        &self,
        old: UserId,
        account: &ImportedAccount,
    ) -> Result<Option<ImportOutcome>, Error> {
        let ImportedAccount { user, created_at, created_by, password_hash, .. } = account;
        if self.user(&user.id).await?.is_some() {
            return Ok(Some(ImportOutcome::IdTaken));
        }
        let items = self.items_of(&old).await?;
        let Some(old_user) = items.iter().find(|item| item.kind() == KeyKind::User) else { return Ok(None) };
        let email: String = old_user.required(users::EMAIL)?;
        let claim = Key::email_claim(user.email.normalized());
        let mut transaction = Transaction::new(self)
            .change(claim, &[(USER_ID, Some(user.id.as_str()))], (USER_ID, old.as_str()))
            .delete_if(Key::user(&old), (users::EMAIL, &email))
            .put_new(users::to_item(user, created_by, *created_at)?.with(MOVED_FROM, old.as_str()))
            .delete(Key::credential(&old));
        if let Some(hash) = password_hash {
            transaction = transaction.put(credential(&user.id, hash));
        }
        let CommitOutcome::Committed = move_links(transaction, &items, &user.id)?.commit().await? else {
            return Ok(None);
        };
        if !self.finish_move(&old, &user.id).await? {
            return Ok(None);
        }
        let found = self.look_up([(account, &user.id)].into_iter()).await?;
        Ok(match self.add_to_existing(user.id.clone(), account, &found).await? {
            Some(ImportOutcome::Existing(_)) | None => Some(ImportOutcome::Adopted(old)),
            other => other,
        })
    }

    /// Moves what the first transaction of an adoption had no room for, and what was added at the same moment. Nothing
    /// can be added to the old id any more. Returns whether the account is still there.
    async fn finish_move(&self, old: &UserId, id: &UserId) -> Result<bool, Error> {
        loop {
            let items = self.items_of(old).await?;
            if links(&items).next().is_none() {
                let is_over = Transaction::new(self).change(
                    Key::user(id),
                    &[(MOVED_FROM, None)],
                    (MOVED_FROM, old.as_str()),
                );
                // Refused if somebody else finished it, too, or deleted the account.
                is_over.commit().await?;
                return Ok(true);
            }
            let transaction = Transaction::new(self).demand(Key::user(id));
            if let CommitOutcome::Refused(_) = move_links(transaction, &items, id)?.commit().await? {
                // The account was deleted meanwhile. What it still had under the old id goes with it.
                let keys = links(&items).map(Item::key).collect::<Result<Vec<_>, _>>()?;
                for some in keys.chunks(MAX_PARTS) {
                    let transaction = some.iter().cloned().fold(Transaction::new(self), Transaction::delete);
                    transaction.commit().await?;
                }
                return Ok(false);
            }
        }
    }

    /// Adds what the account does not have yet, and finishes an adoption that was interrupted. `None` if the address went
    /// to another account meanwhile.
    async fn add_to_same(
        &self,
        id: UserId,
        account: &ImportedAccount,
        found: &Found,
    ) -> Result<Option<ImportOutcome>, Error> {
        let Some(old) = found.moves.get(&id) else { return self.add_to_existing(id, account, found).await };
        if !self.finish_move(old, &id).await? {
            return Ok(None);
        }
        Ok(self.add_to_existing(id, account, found).await?.map(|outcome| match outcome {
            ImportOutcome::Existing(_) => ImportOutcome::Adopted(old.clone()),
            other => other,
        }))
    }

    /// What the first transaction of a new account had no room for.
    async fn import_rest(&self, account: &ImportedAccount) -> Result<ImportOutcome, Error> {
        let rest: Vec<_> = account.belongings().skip(MAX_FIRST_BELONGINGS).collect();
        for some in rest.chunks(MAX_ADDED) {
            match self.add(&account.user.id, None, some).await? {
                AddOutcome::Added => {}
                AddOutcome::OrganizationMissing => return Ok(ImportOutcome::OrganizationMissing),
                AddOutcome::AccountMissing => {
                    return Err(Error::unavailable("an account was deleted while it was imported"));
                }
            }
        }
        Ok(ImportOutcome::Created)
    }

    /// Adds what the account does not have yet. `None` if the address went to another account meanwhile.
    async fn add_to_existing(
        &self,
        id: UserId,
        account: &ImportedAccount,
        found: &Found,
    ) -> Result<Option<ImportOutcome>, Error> {
        let missing =
            account.belongings().filter(|belonging| !found.belongings.contains(&belonging.key(&id)));
        let missing: Vec<_> = missing.collect();
        for some in missing.chunks(MAX_ADDED) {
            match self.add(&id, Some(&account.user.email), some).await? {
                AddOutcome::Added => {}
                AddOutcome::OrganizationMissing => return Ok(Some(ImportOutcome::OrganizationMissing)),
                AddOutcome::AccountMissing => return Ok(None),
            }
        }
        Ok(Some(ImportOutcome::Existing(id)))
    }

    /// Adds at most [`MAX_ADDED`] belongings that a user does not have yet, if the address under which it was found,
    /// if there is one, still names it.
    async fn add(
        &self,
        id: &UserId,
        found_by: Option<&Email>,
        belongings: &[Belonging<'_>],
    ) -> Result<AddOutcome, Error> {
        let mut transaction = Transaction::new(self).demand(Key::user(id));
        if let Some(email) = found_by {
            transaction = email_claims::demand_holder(transaction, email, id);
        }
        let mut demanded = HashSet::new();
        for belonging in belongings {
            transaction = belonging.add_to(transaction, id)?;
            if demanded.insert(belonging.organization_id()) {
                transaction = transaction.demand(Key::organization(belonging.organization_id()));
            }
        }
        Ok(match transaction.commit().await? {
            CommitOutcome::Committed => AddOutcome::Added,
            CommitOutcome::Refused(refusal) if refusal.names(KeyKind::Organization) => {
                AddOutcome::OrganizationMissing
            }
            CommitOutcome::Refused(_) => AddOutcome::AccountMissing,
        })
    }
}

/// The accounts whose address has a holder, each with it.
fn held<'a>(
    accounts: &'a [ImportedAccount],
    holders: &'a [Holder],
) -> impl Iterator<Item = (&'a ImportedAccount, &'a UserId)> {
    accounts.iter().zip(holders).filter_map(|(account, holder)| Some((account, holder.user()?)))
}

/// Who has an e-mail address.
#[derive(Clone, PartialEq, Eq)]
enum Holder {
    Nobody,
    User(UserId),
    /// The claim names nobody.
    Unreadable,
}

impl Holder {
    fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::Nobody | Self::Unreadable => None,
        }
    }
}

/// A user's memberships and customer accounts.
fn links(items: &[Item]) -> impl Iterator<Item = &Item> {
    items.iter().filter(|item| item.kind() != KeyKind::User)
}

/// Moves as many memberships and customer accounts to another user as a transaction takes.
fn move_links(mut transaction: Transaction, items: &[Item], to: &UserId) -> Result<Transaction, Error> {
    for item in links(items).take(MAX_FIRST_BELONGINGS) {
        transaction = transaction.delete(item.key()?);
        transaction = match records::read(item)? {
            Record::Membership { organization_id, joined_at, added_by, .. } => {
                add_membership(transaction, to, &NewMembership { organization_id, added_by, joined_at })?
            }
            Record::CustomerAssociation(association) => {
                let number =
                    [(customer_associations::CUSTOMER_NUMBER, association.customer_number.to_string())];
                let key = Key::customer_association(to, &association.organization_id);
                transaction.put_absent_attributes(key, number)
            }
            _ => {
                return Err(Error::defect(
                    "an item of a user is neither a membership nor a customer association",
                ));
            }
        };
    }
    Ok(transaction)
}

/// What was found of the accounts that have the addresses of imported ones.
#[derive(Default)]
struct Found {
    emails: HashMap<UserId, Email>,
    hashes: HashMap<UserId, PasswordHash>,
    belongings: HashSet<Key>,
    /// Those whose adoption was interrupted, with the id that they had before.
    moves: HashMap<UserId, UserId>,
    /// Those whose user or password cannot be read.
    unreadable: HashSet<UserId>,
}

/// What an account that has the address of an imported one is to it.
enum Standing {
    /// It is the same.
    Same,
    /// It has another id, or another password.
    Another { id: bool, password: bool },
    /// It does not exist, or has another address.
    Orphan { exists: bool },
    /// Its user or its password cannot be read.
    Unreadable,
}

impl Found {
    fn standing(&self, account: &ImportedAccount, holder: &UserId) -> Standing {
        if self.unreadable.contains(holder) {
            return Standing::Unreadable;
        }
        let Some(email) = self.emails.get(holder) else { return Standing::Orphan { exists: false } };
        if email.normalized() != account.user.email.normalized() {
            return Standing::Orphan { exists: true };
        }
        let hash = self.hashes.get(holder);
        let id = account.has_own_id && account.user.id != *holder;
        let password = match (&account.password, &account.password_hash) {
            (Some(password), _) => !hash.is_some_and(|hash| hash.is_of(password)),
            (None, Some(own)) => hash.is_none_or(|hash| hash.as_str() != own.as_str()),
            (None, None) => account.is_password_lost && hash.is_some(),
        };
        if id || password { Standing::Another { id, password } } else { Standing::Same }
    }
}

/// How many belongings a transaction adds: each may demand an organization of its own, and all demand the user and
/// the e-mail claim.
const MAX_ADDED: usize = MAX_PARTS / 2 - 1;

enum AddOutcome {
    Added,
    OrganizationMissing,
    /// The user is not there, or the address no longer leads to it.
    AccountMissing,
}

/// What a user has of an organization.
enum Belonging<'a> {
    Membership(&'a NewMembership),
    CustomerAccount(&'a OrganizationId, &'a CustomerNumber),
}

impl<'a> Belonging<'a> {
    fn organization_id(&self) -> &'a OrganizationId {
        match self {
            Self::Membership(membership) => &membership.organization_id,
            Self::CustomerAccount(organization_id, _) => organization_id,
        }
    }

    fn key(&self, user: &UserId) -> Key {
        match self {
            Self::Membership(membership) => Key::membership(user, &membership.organization_id),
            Self::CustomerAccount(organization_id, _) => Key::customer_association(user, organization_id),
        }
    }

    /// What is there already stays as it is.
    fn add_to(&self, transaction: Transaction, user: &UserId) -> Result<Transaction, Error> {
        match self {
            Self::Membership(membership) => add_membership(transaction, user, membership),
            Self::CustomerAccount(_, number) => {
                let number = [(customer_associations::CUSTOMER_NUMBER, number.to_string())];
                Ok(transaction.put_absent_attributes(self.key(user), number))
            }
        }
    }
}

impl ImportedAccount {
    fn has_password(&self) -> bool {
        self.password.is_some() || self.password_hash.is_some()
    }

    fn belongings(&self) -> impl Iterator<Item = Belonging<'_>> {
        let accounts = self.customer_accounts.iter();
        let accounts =
            accounts.map(|(organization, number)| Belonging::CustomerAccount(organization, number));
        self.memberships.iter().map(Belonging::Membership).chain(accounts)
    }
}

/// New accounts that are written together.
struct Batch<'a> {
    accounts: Vec<&'a ImportedAccount>,
    transaction: Transaction,
    /// The number of parts of the transaction.
    parts: usize,
    demanded: HashSet<&'a OrganizationId>,
    // A transaction takes one part an item.
    claimed: HashSet<&'a NormalizedEmail>,
    ids: HashSet<&'a UserId>,
}

impl<'a> Batch<'a> {
    fn new(table: &OperatorTable) -> Self {
        Self {
            accounts: Vec::new(),
            transaction: Transaction::new(table),
            parts: 0,
            demanded: HashSet::new(),
            claimed: HashSet::new(),
            ids: HashSet::new(),
        }
    }

    /// Adds an account, if there is room for it and no other has its e-mail address or its id.
    fn add(&mut self, account: &'a ImportedAccount) -> Result<bool, Error> {
        let ImportedAccount { user, created_at, created_by, password_hash, .. } = account;
        let belongings: Vec<_> = account.belongings().take(MAX_FIRST_BELONGINGS).collect();
        let organizations: HashSet<_> = belongings.iter().map(Belonging::organization_id).collect();
        let demands = organizations.difference(&self.demanded).count();
        let parts = 2 + usize::from(password_hash.is_some()) + belongings.len() + demands;
        let email = user.email.normalized();
        if self.parts + parts > MAX_PARTS || self.claimed.contains(email) || self.ids.contains(&user.id) {
            return Ok(false);
        }
        let claim = NewItem::new(Key::email_claim(email)).with(USER_ID, user.id.as_str());
        let mut transaction = self.transaction.clone().put_new_or_get(claim);
        transaction = transaction.put_new(users::to_item(user, created_by, *created_at)?);
        if let Some(hash) = password_hash {
            transaction = transaction.put_new(credential(&user.id, hash));
        }
        for belonging in &belongings {
            transaction = belonging.add_to(transaction, &user.id)?;
        }
        for organization in organizations {
            if self.demanded.insert(organization) {
                transaction = transaction.demand(Key::organization(organization));
            }
        }
        self.transaction = transaction;
        self.parts += parts;
        self.claimed.insert(email);
        self.ids.insert(&user.id);
        self.accounts.push(account);
        Ok(true)
    }

    /// Commits all at once; where that is refused, one after the other.
    async fn commit(
        self,
        table: &OperatorTable,
        disagreement: Disagreement,
    ) -> Result<Vec<ImportOutcome>, Error> {
        let mut outcomes = Vec::with_capacity(self.accounts.len());
        if self.accounts.is_empty() {
            return Ok(outcomes);
        }
        let committed = matches!(self.transaction.commit().await?, CommitOutcome::Committed);
        for account in self.accounts {
            outcomes.push(if committed {
                table.import_rest(account).await?
            } else {
                table.import_one(account, disagreement).await?
            });
        }
        Ok(outcomes)
    }
}
