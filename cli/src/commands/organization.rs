//! `users organization`

use clap::Subcommand;
use serde::Serialize;
use shared::model::{Organization, OrganizationId, OrganizationName, Slug};

use super::{Failure, Output, TableArguments, parse};

#[derive(Subcommand)]
pub(super) enum OrganizationCommand {
    /// Writes an organization; replaces one with the same id
    #[command(
        after_help = "Example:\n  users organization put --id org_1 --name 'Acme Corp' --slug acme-corp"
    )]
    Put {
        /// The organization's id
        #[arg(long, value_parser = parse::<OrganizationId>)]
        id: OrganizationId,
        /// The name that people read
        #[arg(long, value_parser = parse::<OrganizationName>)]
        name: OrganizationName,
        /// The short name for addresses
        #[arg(long, value_parser = parse::<Slug>)]
        slug: Slug,
        #[command(flatten)]
        table: TableArguments,
    },
    /// Shows an organization
    #[command(after_help = "Example:\n  users organization get --id 6d24ab9faf9e034e881fcd97")]
    Get {
        /// The organization's id
        #[arg(long, value_parser = parse::<OrganizationId>)]
        id: OrganizationId,
        #[command(flatten)]
        table: TableArguments,
    },
    /// Lists all organizations; reads the whole table
    #[command(after_help = "Example:\n  users organization list --json")]
    List(TableArguments),
}

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

pub(super) async fn run(command: OrganizationCommand, output: Output) -> Result<(), Failure> {
    match command {
        OrganizationCommand::Put { id, name, slug, table } => {
            let organization = Organization { id, name, slug };
            table.open().await?.put_organization(&organization).await?;
            output.record(&View::from(organization))
        }
        OrganizationCommand::Get { id, table } => {
            let organization = table.open().await?.organization(&id).await?;
            let organization = organization.ok_or_else(|| {
                Failure::refused(format!(
                    "there is no organization {id}: `users organization list` shows those there are"
                ))
            })?;
            output.record(&View::from(organization))
        }
        OrganizationCommand::List(table) => {
            let organizations = table.open().await?.all_organizations().await?;
            let views: Vec<_> = organizations.into_iter().map(View::from).collect();
            output.records(&views, &["OrganizationId", "Name", "Slug"])
        }
    }
}
