//! Reads password hashes, for an export.

use std::collections::HashMap;

use shared::error::Error;
use shared::model::{PasswordHash, UserId};
use shared::table::credentials::PASSWORD_HASH;
use shared::table::storage::Key;

use super::OperatorTable;

impl OperatorTable {
    /// Reads the password hashes of these users. A user without a password is left out.
    pub async fn password_hashes(&self, users: &[UserId]) -> Result<HashMap<UserId, PasswordHash>, Error> {
        let keys: Vec<_> = users.iter().map(Key::credential).collect();
        let mut hashes = HashMap::new();
        for item in self.batch_get(&keys).await? {
            hashes.insert(item.parsed(item.key()?.partition_id())?, item.required(PASSWORD_HASH)?);
        }
        Ok(hashes)
    }
}
