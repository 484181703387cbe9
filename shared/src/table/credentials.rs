//! Credentials: a user's password, in a partition of its own.

use super::storage::{Key, NewItem};
use crate::model::{PasswordHash, UserId};

/// The attribute with the password's hash.
pub const PASSWORD_HASH: &str = "PasswordHash";

/// The item of a user's password.
#[must_use]
pub fn credential(user: &UserId, hash: &PasswordHash) -> NewItem {
    NewItem::new(Key::credential(user)).with(PASSWORD_HASH, hash.as_str())
}
