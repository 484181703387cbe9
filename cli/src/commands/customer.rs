//! `users customer`

use shared::http::CustomerAssociationView;
use shared::model::CustomerAssociation;
use shared::table::AssociateError;

use super::{CustomerCommand, Failure, output};

pub(super) async fn run(command: CustomerCommand) -> Result<(), Failure> {
    match command {
        CustomerCommand::Associate { user, organization, number, table } => {
            let json = table.json;
            let association =
                CustomerAssociation { user_id: user, customer_number: number, organization_id: organization };
            table.open().await?.associate(&association).await?.map_err(|error| match error {
                AssociateError::UserMissing => {
                    Failure::new(format!("there is no user {}", association.user_id))
                }
                AssociateError::OrganizationMissing => Failure::new(format!(
                    "there is no organization {}: `users organization put` makes it",
                    association.organization_id
                )),
            })?;
            output::record(&CustomerAssociationView::of(&association), json)
        }
        CustomerCommand::Dissociate { user, organization, table } => {
            let json = table.json;
            let association = table.open().await?.dissociate(&user, &organization).await?;
            let association = association
                .ok_or_else(|| Failure::new(format!("{user} has no customer account in {organization}")))?;
            output::record(&CustomerAssociationView::of(&association), json)
        }
    }
}
