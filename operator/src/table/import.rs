//! Accounts that come from elsewhere, many at a time, under the rules by which the API creates one.

use std::collections::{HashMap, HashSet};

use shared::clock::Timestamp;
use shared::error::Error;
use shared::model::{CustomerNumber, Email, NormalizedEmail, OrganizationId, PasswordHash, User, UserId};
use shared::table::NewMembership;
use shared::table::credentials::credential;
use shared::table::email_claims::{self, USER_ID};
use shared::table::memberships::add_membership;
use shared::table::storage::{CommitOutcome, Item, Key, KeyKind, NewItem, Transaction};
use shared::table::{customer_associations, users};

use super::OperatorTable;
use super::transaction::MAX_PARTS;

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
    /// When the account was created.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: UserId,
    /// The password's hash, where there is one.
    pub password_hash: Option<PasswordHash>,
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
    /// Nothing was written: another account has the id.
    IdTaken,
    /// Nothing was written: the claim of the e-mail address names this user, who does not exist.
    ClaimOrphaned(UserId),
    /// An organization of a membership or a customer account does not exist. Where the account has more of them than
    /// a transaction takes, others may be written.
    OrganizationMissing,
}

impl OperatorTable {
    /// What [`OperatorTable::import`] would come to, if the organizations exist. Writes nothing.
    pub async fn would_import(&self, accounts: &[ImportedAccount]) -> Result<Vec<ImportOutcome>, Error> {
        let holders = self.holders_of(accounts).await?;
        let ids: HashSet<_> = accounts.iter().map(|account| &account.user.id).collect();
        let keys: Vec<_> = ids.into_iter().map(Key::user).collect();
        let mut taken = HashSet::new();
        for user in self.batch_get(&keys).await? {
            taken.insert(user.key()?);
        }
        let outcomes = accounts.iter().zip(holders).map(|(account, holder)| match holder {
            Some(holder) => ImportOutcome::Existing(holder),
            None if taken.contains(&Key::user(&account.user.id)) => ImportOutcome::IdTaken,
            None => ImportOutcome::Created,
        });
        Ok(outcomes.collect())
    }

    /// Imports accounts, as many new ones in a transaction as it takes. At most one account can ever hold an e-mail
    /// claim, as with [`Table::create_account`](shared::table::Table::create_account); what is there already is found and left as it is, so what was
    /// interrupted is finished by importing the same again.
    ///
    /// What became of each, in their order.
    pub async fn import(&self, accounts: &[ImportedAccount]) -> Result<Vec<ImportOutcome>, Error> {
        let holders = self.holders_of(accounts).await?;
        let present = self.belongings_of(accounts, &holders).await?;
        let mut existing = Vec::new();
        let mut new = Vec::new();
        let mut batch = Batch::new(self);
        for (account, holder) in accounts.iter().zip(&holders) {
            if let Some(holder) = holder {
                let added = self.add_to_existing(holder.clone(), account, &present).await?;
                existing.push(match added {
                    Some(outcome) => outcome,
                    None => self.import_one(account).await?,
                });
            } else if !batch.add(account)? {
                new.append(&mut std::mem::replace(&mut batch, Batch::new(self)).commit(self).await?);
                batch.add(account)?;
            }
        }
        new.append(&mut batch.commit(self).await?);
        let (mut existing, mut new) = (existing.into_iter(), new.into_iter());
        let in_order =
            holders.iter().map(|holder| if holder.is_some() { existing.next() } else { new.next() });
        Ok(in_order.flatten().collect())
    }

    /// Which account has the e-mail address of each.
    async fn holders_of(&self, accounts: &[ImportedAccount]) -> Result<Vec<Option<UserId>>, Error> {
        let emails: Vec<_> = accounts.iter().map(|account| account.user.email.normalized()).collect();
        // The table refuses a batch that names a key twice.
        let once: HashSet<_> = emails.iter().copied().collect();
        let keys: Vec<_> = once.into_iter().map(Key::email_claim).collect();
        let mut holders = HashMap::new();
        for claim in self.batch_get(&keys).await? {
            holders.insert(claim.key()?.partition_id().to_owned(), email_claims::user_id(&claim)?);
        }
        Ok(emails.iter().map(|email| holders.get(email.as_str()).cloned()).collect())
    }

    /// Of what is to be added to accounts that are there, what they have; and which accounts are there.
    async fn belongings_of(
        &self,
        accounts: &[ImportedAccount],
        holders: &[Option<UserId>],
    ) -> Result<HashSet<Key>, Error> {
        let existing = accounts.iter().zip(holders).filter_map(|(account, id)| Some((account, id.as_ref()?)));
        let keys = existing.flat_map(|(account, id)| {
            let belongings = account.belongings().map(move |belonging| belonging.key(id));
            belongings.chain([Key::user(id)])
        });
        let keys: HashSet<_> = keys.collect();
        let items = self.batch_get(&keys.into_iter().collect::<Vec<_>>()).await?;
        items.iter().map(Item::key).collect()
    }

    async fn import_one(&self, account: &ImportedAccount) -> Result<ImportOutcome, Error> {
        for _ in 0..MAX_LOOK_UPS {
            let mut alone = Batch::new(self);
            alone.add(account)?;
            let refusal = match alone.transaction.commit().await? {
                CommitOutcome::Committed => return self.import_rest(account).await,
                CommitOutcome::Refused(refusal) => refusal,
            };
            if let Some(claim) = refusal.existing(KeyKind::EmailClaim) {
                let holder = email_claims::user_id(claim)?;
                if let Some(outcome) = self.add_to_existing(holder, account, &HashSet::new()).await? {
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

    /// What the first transaction of a new account had no room for.
    async fn import_rest(&self, account: &ImportedAccount) -> Result<ImportOutcome, Error> {
        let rest: Vec<_> = account.belongings().skip(MAX_FIRST_BELONGINGS).collect();
        for some in rest.chunks(MAX_ADDED) {
            match self.add(&account.user.id, None, some).await? {
                AddOutcome::Added => {}
                AddOutcome::OrganizationMissing => return Ok(ImportOutcome::OrganizationMissing),
                AddOutcome::UserMissing | AddOutcome::AddressMoved => {
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
        present: &HashSet<Key>,
    ) -> Result<Option<ImportOutcome>, Error> {
        let missing = account.belongings().filter(|belonging| !present.contains(&belonging.key(&id)));
        let missing: Vec<_> = missing.collect();
        let mut parts: Vec<_> = missing.chunks(MAX_ADDED).collect();
        if parts.is_empty() && !present.contains(&Key::user(&id)) {
            // Nothing is written, but whether the account is there is checked.
            parts.push(&[]);
        }
        for some in parts {
            match self.add(&id, Some(&account.user.email), some).await? {
                AddOutcome::Added => {}
                AddOutcome::OrganizationMissing => return Ok(Some(ImportOutcome::OrganizationMissing)),
                AddOutcome::UserMissing => return Ok(Some(ImportOutcome::ClaimOrphaned(id))),
                AddOutcome::AddressMoved => return Ok(None),
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
            CommitOutcome::Refused(refusal) if refusal.names(KeyKind::EmailClaim) => AddOutcome::AddressMoved,
            CommitOutcome::Refused(refusal) if refusal.names(KeyKind::Organization) => {
                AddOutcome::OrganizationMissing
            }
            CommitOutcome::Refused(_) => AddOutcome::UserMissing,
        })
    }
}

/// How many belongings a transaction adds: each may demand an organization of its own, and all demand the user and
/// the e-mail claim.
const MAX_ADDED: usize = MAX_PARTS / 2 - 1;

enum AddOutcome {
    Added,
    OrganizationMissing,
    UserMissing,
    /// The address no longer leads to the user.
    AddressMoved,
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
    async fn commit(self, table: &OperatorTable) -> Result<Vec<ImportOutcome>, Error> {
        let mut outcomes = Vec::with_capacity(self.accounts.len());
        if self.accounts.is_empty() {
            return Ok(outcomes);
        }
        let committed = matches!(self.transaction.commit().await?, CommitOutcome::Committed);
        for account in self.accounts {
            outcomes.push(if committed {
                table.import_rest(account).await?
            } else {
                table.import_one(account).await?
            });
        }
        Ok(outcomes)
    }
}
