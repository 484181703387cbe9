//! Users.

use super::storage::{Item, Key, KeyKind, NewItem, Table, timestamp_to_text};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::model::{Email, OrganizationId, PhoneNumber, Stored, User, UserId};

/// The attribute with the login address.
pub const EMAIL: &str = "Email";

impl Table {
    /// A user by id; `None` if there is none.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, Error> {
        self.get(Key::user(id)).await?.map(|item| from_item(id.clone(), &item)).transpose()
    }

    /// A user, if it is a member of the organization.
    pub async fn member(&self, id: &UserId, organization: &OrganizationId) -> Result<Option<User>, Error> {
        let items = self.batch_get(&[Key::user(id), Key::membership(id, organization)]).await?;
        let find = |kind| items.iter().find(|item| item.kind() == kind);
        match (find(KeyKind::User), find(KeyKind::Membership)) {
            (Some(user), Some(_)) => from_item(id.clone(), user).map(Some),
            _ => Ok(None),
        }
    }
}

/// Reads the item.
pub fn from_item(id: UserId, item: &Item) -> Result<User, Error> {
    Ok(User {
        id,
        first_name: item.required::<Stored<_>>("FirstName")?.0,
        last_name: item.required::<Stored<_>>("LastName")?.0,
        email: item.required::<Stored<_>>(EMAIL)?.0,
        preferred_email: item.optional::<Stored<_>>("PreferredEmail")?.map(|Stored(email)| email),
        phone_number: item.optional("PhoneNumber")?,
    })
}

/// Writes the item.
pub fn to_item(user: &User, created_by: &UserId, created_at: Timestamp) -> Result<NewItem, Error> {
    Ok(NewItem::new(Key::user(&user.id))
        .with("FirstName", user.first_name.as_str())
        .with("LastName", user.last_name.as_str())
        .with(EMAIL, user.email.as_str())
        .with_optional("PreferredEmail", user.preferred_email.as_ref().map(Email::as_str))
        .with_optional("PhoneNumber", user.phone_number.as_ref().map(PhoneNumber::as_str))
        .with("CreatedAt", timestamp_to_text(created_at)?)
        .with("CreatedBy", created_by.as_str()))
}
