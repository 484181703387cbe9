//! Memberships of users in organizations.

use super::Table;
use super::item::Item;
use super::keys::{KeyKind, Range};
use super::list::List;
use crate::error::Error;
use crate::model::{OrganizationId, UserId};

impl Table {
    /// The ids of the organizations that a user belongs to, in their order. `None` where there is
    /// no such user.
    pub async fn organization_ids_of(&self, user: &UserId) -> Result<Option<Vec<OrganizationId>>, Error> {
        let range = Range::memberships_and_user(user);
        let (mut ids, mut user_exists, mut start) = (List::new(), false, None);
        loop {
            let page = self.query_page(&range, start).await?;
            for item in &page.items {
                match item.kind() {
                    KeyKind::User => user_exists = true,
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
}

pub(super) fn organization_id(membership: &Item) -> Result<OrganizationId, Error> {
    membership.parsed(membership.key()?.sort_id())
}
