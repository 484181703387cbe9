//! Reads and writes organizations.

use aws_sdk_dynamodb::operation::scan::ScanInput;
use shared::aws::from_sdk_error;
use shared::error::Error;
use shared::model::{ByteBudget, Organization, OrganizationId};
use shared::table::organizations::from_item;
use shared::table::storage::{CommitOutcome, Item, Key, NewItem, Transaction};

use super::OperatorTable;

impl OperatorTable {
    /// Reads an organization by id; `None` if there is none.
    pub async fn organization(&self, id: &OrganizationId) -> Result<Option<Organization>, Error> {
        self.get(Key::organization(id)).await?.map(|item| from_item(&item)).transpose()
    }

    /// Reads these organizations by id, in any number. Those that do not exist are left out.
    pub async fn existing_organizations(&self, ids: &[OrganizationId]) -> Result<Vec<Organization>, Error> {
        self.organizations(ids, ByteBudget { bytes: usize::MAX, bytes_per_item: 0 }).await
    }

    /// Reads all organizations, by id. It scans the whole table: for an operator, never for a request.
    pub async fn all_organizations(&self) -> Result<Vec<Organization>, Error> {
        let (filter, value) = Key::organizations_filter();
        let mut organizations = Vec::new();
        let mut next_page = None;
        loop {
            let input = ScanInput::builder()
                .table_name(self.name())
                .filter_expression(filter)
                .expression_attribute_values(":organization", value.clone())
                .consistent_read(true)
                .set_exclusive_start_key(next_page)
                .build();
            let output = self.client().call(input).await.map_err(|error| from_sdk_error("Scan", &error))?;
            for attributes in output.items.into_iter().flatten() {
                organizations.push(from_item(&Item::with_key(attributes)?)?);
            }
            next_page = output.last_evaluated_key;
            if next_page.is_none() {
                organizations.sort_unstable_by(|a, b| a.id.cmp(&b.id));
                return Ok(organizations);
            }
        }
    }

    /// Writes an organization; replaces one with the same id.
    pub async fn put_organization(&self, organization: &Organization) -> Result<(), Error> {
        self.put(to_item(organization)).await
    }

    /// Writes an organization, unless one with its id exists. Returns whether it was written.
    pub async fn put_new_organization(&self, organization: &Organization) -> Result<bool, Error> {
        let transaction = Transaction::new(self).put_new(to_item(organization));
        Ok(matches!(transaction.commit().await?, CommitOutcome::Committed))
    }
}

fn to_item(organization: &Organization) -> NewItem {
    NewItem::new(Key::organization(&organization.id))
        .with("Name", organization.name.as_str())
        .with("Slug", organization.slug.as_str())
}
