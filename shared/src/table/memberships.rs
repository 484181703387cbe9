//! Memberships of users in organizations.

use super::email_claims;
use super::storage::{
    CommitOutcome, Item, Key, KeyKind, ListBuilder, Range, Table, Transaction, timestamp_to_text,
};
use super::users::EMAIL;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::model::{ByteBudget, Email, OrganizationId, Stored, User, UserId};

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

/// The outcome of adding a membership.
#[derive(Debug)]
pub enum JoinOutcome {
    /// The user is a member, now or already before.
    Member(Box<User>),
    /// Nothing was written: there is no such organization.
    OrganizationMissing,
    /// Nothing was written: there is no such user, or the one that was found by an address has another.
    UserMissing,
    /// The address no longer leads to the user: look it up again.
    AddressMoved,
}

impl Table {
    /// The ids of the organizations that a user belongs to, in order. `None` if there is no such user, or if the one
    /// that was found by an address has another.
    pub async fn organization_ids_of(
        &self,
        user: &UserId,
        found_by: Option<&Email>,
        budget: ByteBudget,
    ) -> Result<Option<Vec<OrganizationId>>, Error> {
        let range = Range::memberships_and_user(user);
        let (mut ids, mut user_exists, mut start) = (ListBuilder::new(budget), false, None);
        loop {
            let page = self.query_page(&range, start).await?;
            for item in &page.items {
                match item.kind() {
                    KeyKind::User => {
                        user_exists = found_by.map_or(Ok(true), |email| has_address(item, email))?;
                    }
                    KeyKind::Membership => {
                        let id = organization_id(item)?;
                        let text_bytes = id.as_str().len();
                        ids.push(id, text_bytes)?;
                    }
                    _ => {}
                }
            }
            start = page.next;
            if start.is_none() {
                return Ok(user_exists.then(|| ids.into_items()));
            }
        }
    }

    /// Adds a membership, once: who and when stay those of the first time. Reads the user.
    ///
    /// `found_by` is the address under which the user was found, if it was found under one. The membership is only
    /// added if the user has that address, and the address still names the user: it may have gone to another account
    /// since.
    pub async fn join(
        &self,
        user: &UserId,
        found_by: Option<&Email>,
        membership: &NewMembership,
    ) -> Result<JoinOutcome, Error> {
        let mut transaction = add_membership(Transaction::new(self), user, membership)?
            .demand(Key::organization(&membership.organization_id))
            .demand(Key::user(user));
        let (outcome, user) = match found_by {
            None => tokio::try_join!(transaction.commit(), self.user(user))?,
            Some(email) => {
                let found = self.user(user).await?;
                if found.as_ref().is_none_or(|found| found.email.normalized() != email.normalized()) {
                    // Address and claim change together, so one of them is wrong if the claim is still the same.
                    // `create-user` may read claims by BatchGetItem alone.
                    let claim = self.batch_get(&[Key::email_claim(email.normalized())]).await?;
                    let claim = claim.iter().find(|item| item.kind() == KeyKind::EmailClaim);
                    let holder = claim.map(email_claims::user_id).transpose()?;
                    let is_still_claimed = holder.as_ref() == Some(user);
                    return Ok(if is_still_claimed {
                        JoinOutcome::UserMissing
                    } else {
                        JoinOutcome::AddressMoved
                    });
                }
                transaction = email_claims::demand_holder(transaction, email, user);
                (transaction.commit().await?, found)
            }
        };
        Ok(match (outcome, user) {
            (CommitOutcome::Committed, Some(user)) => JoinOutcome::Member(Box::new(user)),
            (CommitOutcome::Refused(refusal), _) if refusal.names(KeyKind::EmailClaim) => {
                JoinOutcome::AddressMoved
            }
            (CommitOutcome::Refused(refusal), _) if refusal.names(KeyKind::Organization) => {
                JoinOutcome::OrganizationMissing
            }
            _ => JoinOutcome::UserMissing,
        })
    }
}

/// Adds the membership to a transaction. An existing one stays as it is.
pub fn add_membership(
    transaction: Transaction,
    user: &UserId,
    membership: &NewMembership,
) -> Result<Transaction, Error> {
    let attributes = [
        ("JoinedAt", timestamp_to_text(membership.joined_at)?),
        ("AddedBy", membership.added_by.to_string()),
    ];
    Ok(transaction.put_absent_attributes(Key::membership(user, &membership.organization_id), attributes))
}

/// Whether a user has this address, however that is spelled.
fn has_address(user: &Item, email: &Email) -> Result<bool, Error> {
    let Stored(address) = user.required::<Stored<Email>>(EMAIL)?;
    Ok(address.normalized() == email.normalized())
}

/// The organization of a membership.
pub fn organization_id(membership: &Item) -> Result<OrganizationId, Error> {
    membership.parsed(membership.key()?.sort_id())
}
