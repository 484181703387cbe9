//! Organizations.

use std::pin::pin;

use futures_util::TryStreamExt as _;

use super::storage::{Item, Key, ListBuilder, Table};
use crate::error::Error;
use crate::model::{ByteBudget, Organization, OrganizationId, Stored};

impl Table {
    /// Reads these organizations by id. Those that do not exist are left out.
    pub async fn organizations(
        &self,
        ids: &[OrganizationId],
        budget: ByteBudget,
    ) -> Result<Vec<Organization>, Error> {
        let keys: Vec<_> = ids.iter().map(Key::organization).collect();
        let (mut organizations, mut batches) = (ListBuilder::new(budget), pin!(self.batches(&keys)));
        while let Some(items) = batches.try_next().await? {
            for item in &items {
                let organization = from_item(item)?;
                let Organization { id, name, slug } = &organization;
                let text_bytes = id.as_str().len() + name.as_str().len() + slug.as_str().len();
                organizations.push(organization, text_bytes)?;
            }
        }
        let mut organizations = organizations.into_items();
        organizations.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(organizations)
    }
}

/// Reads the item.
pub fn from_item(item: &Item) -> Result<Organization, Error> {
    Ok(Organization {
        id: item.parsed(item.key()?.partition_id())?,
        name: item.required::<Stored<_>>("Name")?.0,
        slug: item.required("Slug")?,
    })
}
