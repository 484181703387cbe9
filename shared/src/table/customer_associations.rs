//! Customer associations.

use super::storage::{Item, Key, KeyKind, ListBuilder, Range, Table};
use crate::error::Error;
use crate::model::{ByteBudget, CustomerAssociation, OrganizationId, UserId};

/// The attribute that holds the number.
pub const CUSTOMER_NUMBER: &str = "CustomerNumber";

impl Table {
    /// The association of a user with a customer account of the organization; `None` if there is none.
    pub async fn customer_association(
        &self,
        user: &UserId,
        organization: &OrganizationId,
    ) -> Result<Option<CustomerAssociation>, Error> {
        let item = self.get(Key::customer_association(user, organization)).await?;
        item.map(|item| from_item(&item)).transpose()
    }

    /// All associations of a user, by organization id, for a reader in one organization. Empty, as for a user that does
    /// not exist, if that organization has neither a membership nor an association of the user.
    ///
    /// For a stranger, only the first page is requested and only keys are read. So neither the answer nor the calls
    /// show how many associations there are, or that one is broken.
    pub async fn customer_associations(
        &self,
        user: &UserId,
        reader: &OrganizationId,
        budget: ByteBudget,
    ) -> Result<Vec<CustomerAssociation>, Error> {
        let range = Range::associations_and_membership(user, reader);
        let own = [Key::membership(user, reader), Key::customer_association(user, reader)];
        let mut page = self.query_page(&range, None).await?;
        let shown = page.items.iter().any(|item| item.key().is_ok_and(|key| own.contains(&key)));
        // The item that makes the user known may be on a later page, so it is requested if this page has none.
        if !shown && self.batch_get(&own).await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut associations = ListBuilder::new(budget);
        loop {
            for item in page.items.iter().filter(|item| item.kind() == KeyKind::CustomerAssociation) {
                let association = from_item(item)?;
                let CustomerAssociation { user_id, customer_number, organization_id } = &association;
                let text_bytes =
                    user_id.as_str().len() + customer_number.as_str().len() + organization_id.as_str().len();
                associations.push(association, text_bytes)?;
            }
            if page.next.is_none() {
                return Ok(associations.into_items());
            }
            page = self.query_page(&range, page.next).await?;
        }
    }
}

/// Reads the item.
pub fn from_item(item: &Item) -> Result<CustomerAssociation, Error> {
    let key = item.key()?;
    Ok(CustomerAssociation {
        user_id: item.parsed(key.partition_id())?,
        customer_number: item.required(CUSTOMER_NUMBER)?,
        organization_id: item.parsed(key.sort_id())?,
    })
}
