//! The fields that `users export` writes and `users import` reads.

use operator::table::{Account, PersonalData};
use serde::Serialize;
use shared::Error;
use shared::model::{CustomerAssociation, Organization, PasswordHash, User};
use shared::table::{NewMembership, timestamp_to_text};

/// The columns of a CSV file. A row has those of an organization or those of a user.
pub(crate) const COLUMNS: [&str; 13] = [
    "UserId",
    "FirstName",
    "LastName",
    "Email",
    "PreferredEmail",
    "PhoneNumber",
    "CreatedAt",
    "CreatedBy",
    "Memberships",
    "CustomerAssociations",
    "OrganizationId",
    "Name",
    "Slug",
];

/// An organization.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExportedOrganization {
    organization_id: String,
    name: String,
    slug: String,
}

impl From<&Organization> for ExportedOrganization {
    fn from(organization: &Organization) -> Self {
        let Organization { id, name, slug } = organization;
        Self { organization_id: id.to_string(), name: name.to_string(), slug: slug.to_string() }
    }
}

/// A user with all that belongs to it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExportedUser {
    user_id: String,
    first_name: String,
    last_name: String,
    email: String,
    preferred_email: Option<String>,
    phone_number: Option<String>,
    created_at: String,
    created_by: String,
    memberships: Vec<ExportedMembership>,
    customer_associations: Vec<ExportedCustomerAssociation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExportedMembership {
    organization_id: String,
    joined_at: String,
    added_by: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExportedCustomerAssociation {
    organization_id: String,
    customer_number: String,
}

impl ExportedUser {
    /// A user with the data that belongs to it. `None` if there is no account.
    pub(crate) fn of(data: PersonalData, hash: Option<&PasswordHash>) -> Result<Option<Self>, Error> {
        let PersonalData { account, memberships, customer_associations, .. } = data;
        let Some(Account { user, created_at, created_by }) = account else { return Ok(None) };
        let User { id, first_name, last_name, email, preferred_email, phone_number } = *user;
        let memberships =
            memberships.into_iter().map(|NewMembership { organization_id, joined_at, added_by }| {
                Ok::<_, Error>(ExportedMembership {
                    organization_id: organization_id.to_string(),
                    joined_at: timestamp_to_text(joined_at)?,
                    added_by: added_by.to_string(),
                })
            });
        let customer_associations = customer_associations.into_iter().map(|association| {
            let CustomerAssociation { organization_id, customer_number, .. } = association;
            ExportedCustomerAssociation {
                organization_id: organization_id.to_string(),
                customer_number: customer_number.to_string(),
            }
        });
        Ok(Some(Self {
            user_id: id.to_string(),
            first_name: first_name.to_string(),
            last_name: last_name.to_string(),
            email: email.to_string(),
            preferred_email: preferred_email.map(|email| email.to_string()),
            phone_number: phone_number.map(|number| number.to_string()),
            created_at: timestamp_to_text(created_at)?,
            created_by: created_by.to_string(),
            memberships: memberships.collect::<Result<_, _>>()?,
            customer_associations: customer_associations.collect(),
            password_hash: hash.map(|hash| hash.as_str().to_owned()),
        }))
    }
}
