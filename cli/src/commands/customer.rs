//! `users customer`

use clap::Subcommand;
use operator::table::AssociateError;
use shared::http::CustomerAssociationView;
use shared::model::{CustomerAssociation, CustomerNumber, OrganizationId, UserId};

use super::{Failure, Output, TableArguments, parse};

#[derive(Subcommand)]
pub(super) enum CustomerCommand {
    /// Links a user with a customer account of an organization; replaces another
    #[command(
        after_help = "Example:\n  users customer associate --user kp_1 --organization org_1 --number C-10042"
    )]
    Associate {
        /// The user's id
        #[arg(long, value_parser = parse::<UserId>)]
        user: UserId,
        /// The organization's id
        #[arg(long, value_parser = parse::<OrganizationId>)]
        organization: OrganizationId,
        /// The customer account's number
        #[arg(long, value_parser = parse::<CustomerNumber>)]
        number: CustomerNumber,
        #[command(flatten)]
        table: TableArguments,
    },
    /// Removes the link of a user with a customer account of an organization
    #[command(after_help = "Example:\n  users customer dissociate --user kp_1 --organization org_1")]
    Dissociate {
        /// The user's id
        #[arg(long, value_parser = parse::<UserId>)]
        user: UserId,
        /// The organization's id
        #[arg(long, value_parser = parse::<OrganizationId>)]
        organization: OrganizationId,
        #[command(flatten)]
        table: TableArguments,
    },
}

pub(super) async fn run(command: CustomerCommand, output: Output) -> Result<(), Failure> {
    match command {
        CustomerCommand::Associate { user, organization, number, table } => {
            let association =
                CustomerAssociation { user_id: user, customer_number: number, organization_id: organization };
            table.open().await?.associate(&association).await?.map_err(|error| match error {
                AssociateError::UserMissing => {
                    Failure::refused(format!("there is no user {}", association.user_id))
                }
                AssociateError::OrganizationMissing => Failure::refused(format!(
                    "there is no organization {}: `users organization put` makes it",
                    association.organization_id
                )),
            })?;
            output.record(&CustomerAssociationView::of(&association))
        }
        CustomerCommand::Dissociate { user, organization, table } => {
            let association = table.open().await?.dissociate(&user, &organization).await?;
            let association = association.ok_or_else(|| {
                Failure::refused(format!("{user} has no customer account in {organization}"))
            })?;
            output.record(&CustomerAssociationView::of(&association))
        }
    }
}
