//! What more than one endpoint answers with, in the document's spelling.

use serde::Serialize;

use crate::model::{CustomerAssociation, PhoneNumber, User};

/// A user's four fields, `FirstName`, `LastName`, `Email` and `PhoneNumber`. One that was never given is `null`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserView<'a> {
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
    phone_number: Option<&'a str>,
}

impl<'a> UserView<'a> {
    /// A user with the e-mail address it logs in with.
    #[must_use]
    pub fn with_login_email(user: &'a User) -> Self {
        Self {
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            email: user.email.as_str(),
            phone_number: user.phone_number.as_ref().map(PhoneNumber::as_str),
        }
    }

    /// A user with the e-mail address it prefers, where it prefers one.
    #[must_use]
    pub fn with_preferred_email(user: &'a User) -> Self {
        Self {
            email: user.preferred_email.as_ref().unwrap_or(&user.email).as_str(),
            ..Self::with_login_email(user)
        }
    }
}

/// A customer association: `UserId`, `CustomerNumber` and `OrganizationId`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CustomerAssociationView<'a> {
    user_id: &'a str,
    customer_number: &'a str,
    organization_id: &'a str,
}

impl<'a> CustomerAssociationView<'a> {
    /// An association, as it is.
    #[must_use]
    pub fn of(association: &'a CustomerAssociation) -> Self {
        Self {
            user_id: association.user_id.as_str(),
            customer_number: association.customer_number.as_str(),
            organization_id: association.organization_id.as_str(),
        }
    }
}
