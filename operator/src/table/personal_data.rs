//! Everything that the table holds about one person: reads, changes and deletes it.

use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::types::AttributeValue;
use shared::aws::from_sdk_error;
use shared::clock::Timestamp;
use shared::error::Error;
use shared::model::{
    CustomerAssociation, Email, OrganizationId, PasswordHash, PersonName, PhoneNumber, Stored, User, UserId,
};
use shared::table::credentials::credential;
use shared::table::storage::{CommitOutcome, Item, Key, KeyKind, NewItem, Range, Transaction};
use shared::table::{NewMembership, email_claims};

use super::transaction::{MAX_PARTS, OperatorTransaction as _};
use super::{OperatorTable, Record, records};

/// Stands in `CreatedBy` and `AddedBy` for a person whose data was deleted.
const DELETED_USER: &str = "deleted-user";
const CREATED_BY: &str = "CreatedBy";
const ADDED_BY: &str = "AddedBy";

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

    /// Whether there is no data.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
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
    /// The hash of the password; `Some(None)` removes it.
    pub password_hash: Option<Option<PasswordHash>>,
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
    /// Nothing was written: the address by which the user was found no longer leads to it.
    AddressMoved,
}

/// The outcome of a deletion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteOutcome {
    /// All is deleted.
    Deleted,
    /// There was nothing.
    Nothing,
    /// Nothing was deleted: the address by which the user was found no longer leads to it.
    AddressMoved,
}

/// The outcome of ending a membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeaveOutcome {
    /// It is ended.
    Left,
    /// There was none.
    NotMember,
    /// Nothing was deleted: the address by which the user was found no longer leads to it.
    AddressMoved,
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
    /// interrupted, call it again.
    ///
    /// `found_by` is the address under which the user was found, if it was found under one: the account is only
    /// deleted if it still has it.
    ///
    /// What other people's items say of the person goes with [`OperatorTable::forget_author`].
    pub async fn delete_personal_data(
        &self,
        id: &UserId,
        found_by: Option<&Email>,
    ) -> Result<DeleteOutcome, Error> {
        let mut found_by = found_by.map(Email::normalized);
        for round in 0..MAX_ROUNDS {
            let (items, credential) = tokio::try_join!(self.items_of(id), self.get(Key::credential(id)))?;
            let user = items.iter().find(|item| item.kind() == KeyKind::User);
            if user.is_none() && found_by.is_some() {
                return Ok(DeleteOutcome::AddressMoved);
            }
            if items.is_empty() && credential.is_none() {
                return Ok(if round > 0 { DeleteOutcome::Deleted } else { DeleteOutcome::Nothing });
            }
            let mut transaction = Transaction::new(self).delete(Key::credential(id));
            let mut room = MAX_PARTS - 1;
            if let Some(user) = user {
                let Stored(email): Stored<Email> = user.required("Email")?;
                transaction = transaction.delete_if(Key::user(id), ("Email", email.as_str()));
                // In an inconsistent table, the address may belong to another account.
                let has_claim = self.user_id_of(&email).await?.as_ref() == Some(id);
                if found_by.is_some_and(|found_by| !has_claim || found_by != email.normalized()) {
                    return Ok(DeleteOutcome::AddressMoved);
                }
                if has_claim {
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
            found_by = None;
            for keys in rest.get(room..).unwrap_or_default().chunks(MAX_PARTS) {
                let delete = |transaction: Transaction, key: &Key| transaction.delete(key.clone());
                keys.iter().fold(Transaction::new(self), delete).commit().await?;
            }
        }
        Err(Error::unavailable("what is to be deleted was changed, round after round"))
    }

    /// Replaces a person's id in `CreatedBy` and `AddedBy` of other people's items. Reads the whole table. Returns how many
    /// items named the person. If interrupted, call it again.
    pub async fn forget_author(&self, id: &UserId) -> Result<u64, Error> {
        let (mut replaced, mut start) = (0, None);
        loop {
            let input = ScanInput::builder()
                .table_name(self.name())
                .filter_expression(format!("{CREATED_BY} = :id OR {ADDED_BY} = :id"))
                .expression_attribute_values(":id", AttributeValue::S(id.to_string()))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .build();
            let output = self.client().call(input).await.map_err(|error| from_sdk_error("Scan", &error))?;
            for attributes in output.items.into_iter().flatten() {
                let item = Item::with_key(attributes)?;
                let attribute = if item.kind() == KeyKind::User { CREATED_BY } else { ADDED_BY };
                let change = [(attribute, Some(DELETED_USER))];
                let transaction =
                    Transaction::new(self).change(item.key()?, &change, (attribute, id.as_str()));
                // A refusal means that the item is gone, or names somebody else.
                if let CommitOutcome::Committed = transaction.commit().await? {
                    replaced += 1;
                }
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(replaced);
            }
        }
    }

    /// Changes a user. If the login identifier changes, the same transaction moves the e-mail claim.
    ///
    /// `found_by` is the address under which the user was found, if it was found under one: the user is only
    /// changed if the address is still its own.
    pub async fn change_user(
        &self,
        id: &UserId,
        found_by: Option<&Email>,
        changes: &UserChanges,
    ) -> Result<ChangeOutcome, Error> {
        for _ in 0..MAX_ROUNDS {
            let Some(user) = self.user(id).await? else {
                let is_found = found_by.is_some();
                return Ok(if is_found { ChangeOutcome::AddressMoved } else { ChangeOutcome::UserMissing });
            };
            if found_by.is_some_and(|found_by| found_by.normalized() != user.email.normalized()) {
                return Ok(ChangeOutcome::AddressMoved);
            }
            let changed = changes.applied_to(user.clone());
            let known = ("Email", user.email.as_str());
            let attributes = changes.attributes();
            let mut transaction = Transaction::new(self);
            transaction = if attributes.is_empty() {
                transaction.demand_that(Key::user(id), known)
            } else {
                transaction.change(Key::user(id), &attributes, known)
            };
            transaction = match &changes.password_hash {
                None => transaction,
                Some(None) => transaction.delete(Key::credential(id)),
                Some(Some(hash)) => transaction.put(credential(id, hash)),
            };
            let (old, new) = (user.email.normalized(), changed.email.normalized());
            if old != new {
                let own = (email_claims::USER_ID, id.as_str());
                let claim = NewItem::new(Key::email_claim(new)).with(own.0, own.1);
                transaction = transaction.put_new_or_own(claim, own);
                // A user that was named by its id may have lost the claim of its address: that ends here.
                transaction = match found_by {
                    Some(_) => transaction.delete_if(Key::email_claim(old), own),
                    None => transaction.delete_if_any(Key::email_claim(old), own),
                };
            } else if let Some(email) = found_by {
                transaction = email_claims::demand_holder(transaction, email, id);
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

    /// Ends a user's membership. `found_by` is the address under which the user was found, if it was found under one.
    pub async fn leave(
        &self,
        user: &UserId,
        found_by: Option<&Email>,
        organization: &OrganizationId,
    ) -> Result<LeaveOutcome, Error> {
        let mut transaction = Transaction::new(self).delete_present(Key::membership(user, organization));
        if let Some(email) = found_by {
            transaction = email_claims::demand_holder(transaction, email, user);
        }
        Ok(match transaction.commit().await? {
            CommitOutcome::Committed => LeaveOutcome::Left,
            CommitOutcome::Refused(refusal) if refusal.names(KeyKind::EmailClaim) => {
                LeaveOutcome::AddressMoved
            }
            CommitOutcome::Refused(_) => LeaveOutcome::NotMember,
        })
    }

    /// Everything in a user's partition.
    pub(super) async fn items_of(&self, id: &UserId) -> Result<Vec<Item>, Error> {
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
        self.attributes().is_empty() && self.password_hash.is_none()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_personal_data() {
        let user_id: UserId = "kp_1".parse().unwrap();
        let mut data = PersonalData::new(user_id.clone());
        assert!(data.is_nothing());
        let password_hash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        data.add(Record::Credential { user_id, password_hash });
        assert!(data.has_password && !data.is_nothing());
    }
}
