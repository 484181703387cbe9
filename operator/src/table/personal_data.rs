//! Everything that the table holds about one person: reads, changes and deletes it.

use aws_sdk_dynamodb::operation::query::QueryInput;
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

/// Stands in `CreatedBy` and `AddedBy` for whoever runs commands.
pub const OPERATOR: &str = "operator";
/// Stands in `CreatedBy` and `AddedBy` for a person whose data was deleted.
pub const DELETED_USER: &str = "deleted-user";
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
    /// What is wrong with each item that cannot be read.
    pub unreadable: Vec<Error>,
    /// The same for the items whose keys are of no kind. A deletion leaves them.
    pub of_no_kind: Vec<Error>,
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
            unreadable: Vec::new(),
            of_no_kind: Vec::new(),
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

    /// Whether there is nothing that a deletion deletes.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.account.is_none()
            && self.memberships.is_empty()
            && self.customer_associations.is_empty()
            && !self.has_password
            && self.unreadable.is_empty()
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

/// What the rest of the table said of a person.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Traces {
    /// How many items named the person as the one who created or added them.
    pub replaced: u64,
    /// How many e-mail claims named the person. They are deleted.
    pub claims: u64,
    /// How many items name the person and stay, because their keys are of no kind.
    pub of_no_kind: u64,
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

/// Whether no user may have this id, because it stands for somebody else in `CreatedBy` and `AddedBy`.
#[must_use]
pub fn is_reserved(id: &UserId) -> bool {
    [OPERATOR, DELETED_USER].contains(&id.as_str())
}

impl OperatorTable {
    /// Reads everything that the table holds about a person. `None` if that is nothing.
    ///
    /// # Errors
    /// Fails if an item cannot be read.
    pub async fn personal_data(&self, id: &UserId) -> Result<Option<PersonalData>, Error> {
        let mut data = self.readable_personal_data(id).await?;
        let error = data.as_mut().and_then(|data| data.unreadable.pop().or_else(|| data.of_no_kind.pop()));
        error.map_or(Ok(data), Err)
    }

    /// Reads what can be read of everything that the table holds about a person. `None` if it holds nothing.
    pub async fn readable_personal_data(&self, id: &UserId) -> Result<Option<PersonalData>, Error> {
        let mut data = PersonalData::new(id.clone());
        for item in self.readable_items_of(id).await? {
            match item.map(|item| records::read(&item)) {
                Ok(Ok(record)) => data.add(record),
                Ok(Err(error)) => data.unreadable.push(error),
                Err(error) => data.of_no_kind.push(error),
            }
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
    /// An item need not be readable. One whose key is of no kind stays.
    ///
    /// What else the table says of the person goes with [`OperatorTable::delete_traces`].
    pub async fn delete_personal_data(
        &self,
        id: &UserId,
        found_by: Option<&Email>,
    ) -> Result<DeleteOutcome, Error> {
        let mut found_by = found_by.map(Email::normalized);
        for round in 0..MAX_ROUNDS {
            let (items, credential) =
                tokio::try_join!(self.readable_items_of(id), self.get(Key::credential(id)))?;
            let items: Vec<_> = items.into_iter().flatten().collect();
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
                let email = user.required("Email").ok().map(|Stored::<Email>(email)| email);
                transaction = match &email {
                    Some(email) => transaction.delete_if(Key::user(id), ("Email", email.as_str())),
                    None => transaction.delete(Key::user(id)),
                };
                let claim = match &email {
                    Some(email) => self.get(Key::email_claim(email.normalized())).await?,
                    None => None,
                };
                // In an inconsistent table, the address may belong to another account.
                let holder = claim.as_ref().map(email_claims::user_id);
                let has_claim = matches!(&holder, Some(Ok(holder)) if holder == id);
                let normalized = email.as_ref().map(Email::normalized);
                if found_by.is_some() && (!has_claim || found_by != normalized) {
                    return Ok(DeleteOutcome::AddressMoved);
                }
                if let Some(email) = normalized {
                    let claim = Key::email_claim(email);
                    transaction = match holder {
                        Some(Ok(_)) if has_claim => {
                            transaction.delete_if(claim, (email_claims::USER_ID, id.as_str()))
                        }
                        // It names nobody, and nothing ever writes over it.
                        Some(Err(_)) => transaction.delete(claim),
                        _ => transaction,
                    };
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

    /// Deletes what the table says of a person who has no account any more: the e-mail claims that name the person, and
    /// the person's id in `CreatedBy` and `AddedBy` of other people's items. A reserved id stays there, because it names no
    /// person. Reads the whole table. If interrupted, call it again.
    pub async fn delete_traces(&self, id: &UserId) -> Result<Traces, Error> {
        let user_id = email_claims::USER_ID;
        let filter = if is_reserved(id) {
            format!("{user_id} = :id")
        } else {
            format!("{user_id} = :id OR {CREATED_BY} = :id OR {ADDED_BY} = :id")
        };
        let (mut traces, mut start) = (Traces::default(), None);
        loop {
            let input = ScanInput::builder()
                .table_name(self.name())
                .filter_expression(&filter)
                .expression_attribute_values(":id", AttributeValue::S(id.to_string()))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .build();
            let output = self.client().call(input).await.map_err(|error| from_sdk_error("Scan", &error))?;
            for attributes in output.items.into_iter().flatten() {
                let Ok(item) = Item::with_key(attributes) else {
                    traces.of_no_kind += 1;
                    continue;
                };
                let transaction = Transaction::new(self);
                let (transaction, count) = match item.kind() {
                    KeyKind::EmailClaim => (
                        transaction
                            .delete_if(item.key()?, (user_id, id.as_str()))
                            .demand_absent(Key::user(id)),
                        &mut traces.claims,
                    ),
                    kind => {
                        let attribute = if kind == KeyKind::User { CREATED_BY } else { ADDED_BY };
                        let change = [(attribute, Some(DELETED_USER))];
                        let known = (attribute, id.as_str());
                        (transaction.change(item.key()?, &change, known), &mut traces.replaced)
                    }
                };
                // A refusal means that the item is gone, or names somebody else.
                if let CommitOutcome::Committed = transaction.commit().await? {
                    *count += 1;
                }
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(traces);
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
        self.readable_items_of(id).await?.into_iter().collect()
    }

    /// Everything in a user's partition; an error for each item whose key is of no kind.
    async fn readable_items_of(&self, id: &UserId) -> Result<Vec<Result<Item, Error>>, Error> {
        let [partition, first, last] = Range::everything_of(id).to_attributes();
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let input = QueryInput::builder()
                .table_name(self.name())
                .key_condition_expression(Range::CONDITION)
                .expression_attribute_values(":partition", partition.clone())
                .expression_attribute_values(":first", first.clone())
                .expression_attribute_values(":last", last.clone())
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .build();
            let output = self.client().call(input).await.map_err(|error| from_sdk_error("Query", &error))?;
            items.extend(output.items.into_iter().flatten().map(Item::with_key));
            start = output.last_evaluated_key;
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
