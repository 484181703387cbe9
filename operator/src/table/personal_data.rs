//! Everything that the table holds about one person: reads, changes and deletes it.

use shared::clock::Timestamp;
use shared::error::Error;
use shared::model::{
    CustomerAssociation, Email, OrganizationId, PersonName, PhoneNumber, Stored, User, UserId,
};
use shared::table::storage::{CommitOutcome, Item, Key, KeyKind, NewItem, Range, Transaction};
use shared::table::{NewMembership, email_claims};

use super::transaction::{MAX_PARTS, OperatorTransaction as _};
use super::{OperatorTable, Record, records};

/// How often data is read again that others change at the same time.
const MAX_ROUNDS: usize = 8;

/// Everything that the table holds about one person.
#[derive(Debug)]
pub struct PersonalData {
    /// The user's id.
    pub id: UserId,
    /// The account; none if a deletion was interrupted.
    pub account: Option<Account>,
    /// The organizations that the user belongs to, by id.
    pub memberships: Vec<NewMembership>,
    /// The customer accounts that the user is linked with, by organization id.
    pub customer_associations: Vec<CustomerAssociation>,
    /// Whether there is a password.
    pub has_password: bool,
}

/// A user's account.
#[derive(Debug)]
pub struct Account {
    /// The user.
    pub user: Box<User>,
    /// When it was created.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: UserId,
}

impl PersonalData {
    /// No data yet about the user with this id.
    #[must_use]
    pub fn new(id: UserId) -> Self {
        Self {
            id,
            account: None,
            memberships: Vec::new(),
            customer_associations: Vec::new(),
            has_password: false,
        }
    }

    /// Adds a record of this user.
    pub fn add(&mut self, record: Record) {
        match record {
            Record::User { user, created_at, created_by } => {
                self.account = Some(Account { user, created_at, created_by });
            }
            Record::Membership { organization_id, joined_at, added_by, .. } => {
                self.memberships.push(NewMembership { organization_id, added_by, joined_at });
            }
            Record::CustomerAssociation(association) => self.customer_associations.push(association),
            Record::Credential { .. } => self.has_password = true,
            _ => {}
        }
    }

    fn is_nothing(&self) -> bool {
        self.account.is_none()
            && self.memberships.is_empty()
            && self.customer_associations.is_empty()
            && !self.has_password
    }
}

/// The changes to a user. A `None` changes nothing.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    /// The first name.
    pub first_name: Option<PersonName>,
    /// The last name.
    pub last_name: Option<PersonName>,
    /// The login identifier.
    pub email: Option<Email>,
    /// The preferred address; `Some(None)` removes it.
    pub preferred_email: Option<Option<Email>>,
    /// The phone number; `Some(None)` removes it.
    pub phone_number: Option<Option<PhoneNumber>>,
}

/// The outcome of a change.
#[derive(Debug)]
pub enum ChangeOutcome {
    /// The user as it is now.
    Changed(Box<User>),
    /// Nothing was written: another account has the e-mail address.
    EmailTaken(UserId),
    /// Nothing was written: there is no such user.
    UserMissing,
}

impl OperatorTable {
    /// Reads everything that the table holds about a person. `None` if that is nothing.
    pub async fn personal_data(&self, id: &UserId) -> Result<Option<PersonalData>, Error> {
        let mut data = PersonalData::new(id.clone());
        for item in self.items_of(id).await? {
            data.add(records::read(&item)?);
        }
        // Read after the user: an account that is created at this moment then has its password too.
        data.has_password = self.get(Key::credential(id)).await?.is_some();
        Ok((!data.is_nothing()).then_some(data))
    }

    /// Deletes everything that the table holds about a person. The first transaction deletes the account, its e-mail
    /// claim and its password, so that nobody can add to it, and as much else as fits. Further ones delete the rest. If
    /// interrupted, call it again. Returns whether there was anything.
    ///
    /// The id stays in `CreatedBy` and `AddedBy` of those whom this user had added.
    pub async fn delete_personal_data(&self, id: &UserId) -> Result<bool, Error> {
        for round in 0..MAX_ROUNDS {
            let (items, credential) = tokio::try_join!(self.items_of(id), self.get(Key::credential(id)))?;
            if items.is_empty() && credential.is_none() {
                return Ok(round > 0);
            }
            let user = items.iter().find(|item| item.kind() == KeyKind::User);
            let mut transaction = Transaction::new(self).delete(Key::credential(id));
            let mut room = MAX_PARTS - 1;
            if let Some(user) = user {
                let Stored(email): Stored<Email> = user.required("Email")?;
                transaction = transaction.delete_if(Key::user(id), ("Email", email.as_str()));
                // In an inconsistent table, the address may belong to another account.
                if self.user_id_of(&email).await?.as_ref() == Some(id) {
                    let claim = Key::email_claim(email.normalized());
                    transaction = transaction.delete_if(claim, (email_claims::USER_ID, id.as_str()));
                }
                room -= 2;
            }
            let mut rest = Vec::new();
            for item in items.iter().filter(|item| item.kind() != KeyKind::User) {
                rest.push(item.key()?);
            }
            for key in rest.iter().take(room).cloned() {
                transaction = transaction.delete(key);
            }
            // If the address was changed meanwhile, the next round uses the new one.
            let CommitOutcome::Committed = transaction.commit().await? else { continue };
            for keys in rest.get(room..).unwrap_or_default().chunks(MAX_PARTS) {
                let delete = |transaction: Transaction, key: &Key| transaction.delete(key.clone());
                keys.iter().fold(Transaction::new(self), delete).commit().await?;
            }
        }
        Err(Error::unavailable("what is to be deleted was changed, round after round"))
    }

    /// Changes a user. If the login identifier changes, the same transaction moves the e-mail claim.
    pub async fn change_user(&self, id: &UserId, changes: &UserChanges) -> Result<ChangeOutcome, Error> {
        for _ in 0..MAX_ROUNDS {
            let Some(user) = self.user(id).await? else { return Ok(ChangeOutcome::UserMissing) };
            let changed = changes.applied_to(user.clone());
            let mut transaction = Transaction::new(self).change(
                Key::user(id),
                &changes.attributes(),
                ("Email", user.email.as_str()),
            );
            let (old, new) = (user.email.normalized(), changed.email.normalized());
            if old != new {
                let own = (email_claims::USER_ID, id.as_str());
                let claim = NewItem::new(Key::email_claim(new)).with(own.0, own.1);
                transaction =
                    transaction.put_new_or_own(claim, own).delete_if_any(Key::email_claim(old), own);
            }
            match transaction.commit().await? {
                CommitOutcome::Committed => return Ok(ChangeOutcome::Changed(Box::new(changed))),
                CommitOutcome::Refused(refusal) => {
                    if let Some(claim) = refusal.existing(KeyKind::EmailClaim) {
                        return Ok(ChangeOutcome::EmailTaken(email_claims::user_id(claim)?));
                    }
                }
            }
        }
        Err(Error::unavailable("the user was changed by others, round after round"))
    }

    /// Ends a user's membership. Returns whether there was one.
    pub async fn leave(&self, user: &UserId, organization: &OrganizationId) -> Result<bool, Error> {
        self.delete(Key::membership(user, organization)).await.map(|deleted| deleted.is_some())
    }

    /// Everything in a user's partition.
    async fn items_of(&self, id: &UserId) -> Result<Vec<Item>, Error> {
        let range = Range::everything_of(id);
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let page = self.query_page(&range, start).await?;
            items.extend(page.items);
            start = page.next;
            if start.is_none() {
                return Ok(items);
            }
        }
    }
}

impl UserChanges {
    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes().is_empty()
    }

    /// The attributes to write or to remove, and no others, so that concurrent changes of other attributes stay.
    fn attributes(&self) -> Vec<(&'static str, Option<&str>)> {
        let preferred_email = self.preferred_email.as_ref().map(|email| email.as_ref().map(Email::as_str));
        let phone_number = self.phone_number.as_ref().map(|number| number.as_ref().map(PhoneNumber::as_str));
        let attributes = [
            ("FirstName", self.first_name.as_ref().map(|name| Some(name.as_str()))),
            ("LastName", self.last_name.as_ref().map(|name| Some(name.as_str()))),
            ("Email", self.email.as_ref().map(|email| Some(email.as_str()))),
            ("PreferredEmail", preferred_email),
            ("PhoneNumber", phone_number),
        ];
        attributes.into_iter().filter_map(|(name, change)| Some((name, change?))).collect()
    }

    fn applied_to(&self, user: User) -> User {
        let User { id, first_name, last_name, email, preferred_email, phone_number } = user;
        User {
            id,
            first_name: self.first_name.clone().unwrap_or(first_name),
            last_name: self.last_name.clone().unwrap_or(last_name),
            email: self.email.clone().unwrap_or(email),
            preferred_email: self.preferred_email.clone().unwrap_or(preferred_email),
            phone_number: self.phone_number.clone().unwrap_or(phone_number),
        }
    }
}
