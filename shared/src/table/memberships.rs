//! Memberships of users in organizations.

use super::Table;
use super::item::Item;
use super::keys::{KeyKind, Range};
use crate::error::Error;
use crate::model::{OrganizationId, UserId};

impl Table {
    /// The ids of the organizations that a user belongs to, in their order. `None` where there is
    /// no such user.
    pub async fn organization_ids_of(&self, user: &UserId) -> Result<Option<Vec<OrganizationId>>, Error> {
        let items = self.query(Range::memberships_and_user(user)).await?;
        if !items.iter().any(|item| item.kind() == KeyKind::User) {
            return Ok(None);
        }
        let memberships = items.iter().filter(|item| item.kind() == KeyKind::Membership);
        memberships.map(organization_id).collect::<Result<_, _>>().map(Some)
    }
}

pub(super) fn organization_id(membership: &Item) -> Result<OrganizationId, Error> {
    membership.parsed(membership.key()?.sort_id())
}
