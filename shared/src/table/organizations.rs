//! Organizations.

use std::pin::pin;

use futures_util::TryStreamExt as _;

use super::Table;
use super::item::{Item, NewItem};
use super::keys::Key;
use super::list::List;
use crate::error::Error;
use crate::model::{Organization, OrganizationId};

impl Table {
    /// An organization by id; `None` where there is none.
    pub async fn organization(&self, id: &OrganizationId) -> Result<Option<Organization>, Error> {
        self.get(Key::organization(id)).await?.map(|item| from_item(&item)).transpose()
    }

    /// Those of these organizations that exist, by id.
    pub async fn organizations(&self, ids: &[OrganizationId]) -> Result<Vec<Organization>, Error> {
        let keys: Vec<_> = ids.iter().map(Key::organization).collect();
        let (mut organizations, mut batches) = (List::new(), pin!(self.batches(&keys)));
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

    /// Writes an organization; one of the same id is replaced.
    pub async fn put_organization(&self, organization: &Organization) -> Result<(), Error> {
        self.put(to_item(organization)).await
    }
}

pub(super) fn to_item(organization: &Organization) -> NewItem {
    NewItem::new(Key::organization(&organization.id))
        .with("Name", organization.name.as_str())
        .with("Slug", organization.slug.as_str())
}

pub(super) fn from_item(item: &Item) -> Result<Organization, Error> {
    Ok(Organization {
        id: item.parsed(item.key()?.partition_id())?,
        name: item.required("Name")?,
        slug: item.required("Slug")?,
    })
}
