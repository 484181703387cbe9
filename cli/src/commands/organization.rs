//! `users organization`

use serde::Serialize;
use shared::model::Organization;

use super::{Failure, OrganizationCommand, output};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    organization_id: String,
    name: String,
    slug: String,
}

impl From<Organization> for View {
    fn from(organization: Organization) -> Self {
        let Organization { id, name, slug } = organization;
        Self { organization_id: id.to_string(), name: name.to_string(), slug: slug.to_string() }
    }
}

pub(super) async fn run(command: OrganizationCommand) -> Result<(), Failure> {
    match command {
        OrganizationCommand::Put { id, name, slug, table } => {
            let json = table.json;
            let organization = Organization { id, name, slug };
            table.open().await?.put_organization(&organization).await?;
            output::record(&View::from(organization), json)
        }
        OrganizationCommand::Get { id, table } => {
            let json = table.json;
            let organization = table.open().await?.organization(&id).await?;
            let organization = organization.ok_or_else(|| {
                Failure::new(format!(
                    "there is no organization {id}: `users organization list` shows those there are"
                ))
            })?;
            output::record(&View::from(organization), json)
        }
        OrganizationCommand::List(table) => {
            let json = table.json;
            let organizations = table.open().await?.all_organizations().await?;
            let views: Vec<_> = organizations.into_iter().map(View::from).collect();
            output::records(&views, &["OrganizationId", "Name", "Slug"], json)
        }
    }
}
