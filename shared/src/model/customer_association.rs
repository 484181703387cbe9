//! The link from a user to a customer account of an organization.

use super::{CustomerNumber, OrganizationId, UserId};

/// A user's customer account in an organization: at most one per user and organization.
#[derive(Clone, Debug)]
pub struct CustomerAssociation {
    /// The user.
    pub user_id: UserId,
    /// The customer account's number in the organization's books.
    pub customer_number: CustomerNumber,
    /// The organization.
    pub organization_id: OrganizationId,
}
