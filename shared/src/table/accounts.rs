//! Accounts: what is written together when a user is created or joins an organization.

use std::collections::HashMap;

use super::email_claims::{self, USER_ID};
use super::item::NewItem;
use super::keys::{Key, KeyKind};
use super::transaction::{Outcome, Transaction};
use super::{Table, time, users};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::model::{Email, OrganizationId, PasswordHash, User, UserId};

/// The attribute that holds a password's hash.
pub(super) const PASSWORD_HASH: &str = "PasswordHash";

/// A membership to be added: where, by whom, when.
#[derive(Clone, Debug)]
pub struct NewMembership {
    /// The organization to join.
    pub organization_id: OrganizationId,
    /// The user who adds the member.
    pub added_by: UserId,
    /// When.
    pub joined_at: Timestamp,
}

/// What an account that is to be created would meet.
#[derive(Debug)]
pub enum Registration {
    /// Nobody has the e-mail address.
    Free,
    /// This account has it.
    Taken(UserId),
    /// There is no such organization.
    OrganizationMissing,
}

/// What became of an account that was to be created.
#[derive(Debug)]
pub enum Creation {
    /// It is there, with its membership.
    Created,
    /// Nothing was written: this account has the e-mail address.
    EmailTaken(UserId),
    /// Nothing was written: there is no such organization.
    OrganizationMissing,
}

/// What became of a membership that was to be added.
#[derive(Debug)]
pub enum Joining {
    /// The user is a member, now or already before.
    Member(Box<User>),
    /// Nothing was written: there is no such organization.
    OrganizationMissing,
    /// Nothing was written: there is no such user.
    UserMissing,
}

impl Table {
    /// Looks an e-mail address up for a creation in an organization. For one that does not exist,
    /// neither the answer nor the calls to come tell whether the address is registered.
    pub async fn registration(
        &self,
        email: &Email,
        organization: &OrganizationId,
    ) -> Result<Registration, Error> {
        let keys = [Key::email_claim(email.normalized()), Key::organization(organization)];
        let items = self.batch_get(&keys).await?;
        let find = |kind| items.iter().find(|item| item.kind() == kind);
        match (find(KeyKind::Organization), find(KeyKind::EmailClaim)) {
            (None, _) => Ok(Registration::OrganizationMissing),
            (_, None) => Ok(Registration::Free),
            (_, Some(claim)) => claim.required(USER_ID).map(Registration::Taken),
        }
    }

    /// Creates an account in one transaction: e-mail claim, user, credential and membership, if the
    /// organization exists. At most one account can ever hold an e-mail claim.
    pub async fn create_account(
        &self,
        user: &User,
        password_hash: Option<&PasswordHash>,
        membership: &NewMembership,
    ) -> Result<Creation, Error> {
        let claim = NewItem::new(Key::email_claim(user.email.normalized())).with(USER_ID, user.id.as_str());
        let mut transaction = Transaction::new(self).put_new_or_get(claim).put_new(users::to_item(
            user,
            &membership.added_by,
            membership.joined_at,
        )?);
        if let Some(hash) = password_hash {
            transaction = transaction.put_new(credential(&user.id, hash));
        }
        let transaction = add_membership(transaction, &user.id, membership)?
            .demand(Key::organization(&membership.organization_id));

        let refusal = match transaction.commit().await? {
            Outcome::Committed => return Ok(Creation::Created),
            Outcome::Refused(refusal) => refusal,
        };
        if let Some(claim) = refusal.existing(KeyKind::EmailClaim) {
            let holder = email_claims::user_id(claim)?;
            // An earlier try of this very call may have been written with its answer lost.
            return Ok(if holder == user.id { Creation::Created } else { Creation::EmailTaken(holder) });
        }
        if refusal.names(KeyKind::Organization) {
            return Ok(Creation::OrganizationMissing);
        }
        Err(Error::defect("a new user's id is taken"))
    }

    /// The hashes of the passwords of those of these users who have one: for an operator's export.
    pub async fn password_hashes(&self, users: &[UserId]) -> Result<HashMap<UserId, PasswordHash>, Error> {
        let keys: Vec<_> = users.iter().map(Key::credential).collect();
        let mut hashes = HashMap::new();
        for item in self.batch_get(&keys).await? {
            hashes.insert(item.parsed(item.key()?.partition_id())?, item.required(PASSWORD_HASH)?);
        }
        Ok(hashes)
    }

    /// Adds a membership, once: who and when stay those of the first time. Reads the user meanwhile.
    pub async fn join(&self, user: &UserId, membership: &NewMembership) -> Result<Joining, Error> {
        let transaction = add_membership(Transaction::new(self), user, membership)?
            .demand(Key::organization(&membership.organization_id))
            .demand(Key::user(user));
        let (outcome, user) = tokio::try_join!(transaction.commit(), self.user(user))?;
        Ok(match (outcome, user) {
            (Outcome::Committed, Some(user)) => Joining::Member(Box::new(user)),
            (Outcome::Refused(refusal), _) if refusal.names(KeyKind::Organization) => {
                Joining::OrganizationMissing
            }
            _ => Joining::UserMissing,
        })
    }
}

pub(super) fn credential(user: &UserId, hash: &PasswordHash) -> NewItem {
    NewItem::new(Key::credential(user)).with(PASSWORD_HASH, hash.as_str())
}

pub(super) fn add_membership(
    transaction: Transaction,
    user: &UserId,
    membership: &NewMembership,
) -> Result<Transaction, Error> {
    let attributes =
        [("JoinedAt", time::to_text(membership.joined_at)?), ("AddedBy", membership.added_by.to_string())];
    Ok(transaction.put_absent_attributes(Key::membership(user, &membership.organization_id), attributes))
}
