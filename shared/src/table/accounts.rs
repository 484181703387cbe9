//! Accounts: what is written together when a user is created.

use super::credentials::credential;
use super::email_claims::{self, USER_ID};
use super::memberships::{NewMembership, add_membership};
use super::storage::{CommitOutcome, Key, KeyKind, NewItem, Table, Transaction};
use super::users;
use crate::error::Error;
use crate::model::{Email, OrganizationId, PasswordHash, User, UserId};

/// Whether an account can be created.
#[derive(Debug)]
pub enum Registration {
    /// Nobody has the e-mail address.
    Free,
    /// This account has it.
    Taken(UserId),
    /// There is no such organization.
    OrganizationMissing,
}

/// The outcome of creating an account.
#[derive(Debug)]
pub enum CreateOutcome {
    /// It is there, with its membership.
    Created,
    /// Nothing was written: this account has the e-mail address.
    EmailTaken(UserId),
    /// Nothing was written: there is no such organization.
    OrganizationMissing,
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
    ) -> Result<CreateOutcome, Error> {
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
            CommitOutcome::Committed => return Ok(CreateOutcome::Created),
            CommitOutcome::Refused(refusal) => refusal,
        };
        if let Some(claim) = refusal.existing(KeyKind::EmailClaim) {
            let holder = email_claims::user_id(claim)?;
            // An earlier try of this very call may have been written with its answer lost.
            return Ok(if holder == user.id {
                CreateOutcome::Created
            } else {
                CreateOutcome::EmailTaken(holder)
            });
        }
        if refusal.names(KeyKind::Organization) {
            return Ok(CreateOutcome::OrganizationMissing);
        }
        Err(Error::defect("a new user's id is taken"))
    }
}
