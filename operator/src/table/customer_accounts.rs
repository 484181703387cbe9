//! Links users with customer accounts.

use shared::error::Error;
use shared::model::{CustomerAssociation, OrganizationId, UserId};
use shared::table::customer_associations::{CUSTOMER_NUMBER, from_item};
use shared::table::storage::{CommitOutcome, Key, KeyKind, NewItem, Transaction};

use super::OperatorTable;
use super::transaction::OperatorTransaction as _;

/// Why an association was not written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AssociateError {
    /// There is no such user.
    UserMissing,
    /// There is no such organization.
    OrganizationMissing,
}

impl OperatorTable {
    /// Associates a user with a customer account of an organization. Replaces an existing association.
    pub async fn associate(
        &self,
        association: &CustomerAssociation,
    ) -> Result<Result<(), AssociateError>, Error> {
        let CustomerAssociation { user_id, organization_id, .. } = association;
        let transaction = Transaction::new(self)
            .put(to_item(association))
            .demand(Key::user(user_id))
            .demand(Key::organization(organization_id));
        Ok(match transaction.commit().await? {
            CommitOutcome::Committed => Ok(()),
            CommitOutcome::Refused(refusal) if refusal.names(KeyKind::User) => {
                Err(AssociateError::UserMissing)
            }
            CommitOutcome::Refused(_) => Err(AssociateError::OrganizationMissing),
        })
    }

    /// Deletes an association. Returns it, if there was one.
    pub async fn dissociate(
        &self,
        user: &UserId,
        organization: &OrganizationId,
    ) -> Result<Option<CustomerAssociation>, Error> {
        let deleted = self.delete(Key::customer_association(user, organization)).await?;
        deleted.map(|item| from_item(&item)).transpose()
    }
}

fn to_item(association: &CustomerAssociation) -> NewItem {
    let CustomerAssociation { user_id, customer_number, organization_id } = association;
    NewItem::new(Key::customer_association(user_id, organization_id))
        .with(CUSTOMER_NUMBER, customer_number.as_str())
}
