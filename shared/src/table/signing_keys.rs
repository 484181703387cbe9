//! The identity provider's signing keys, kept in the table so that no request asks the provider.

use super::storage::{Item, Key, NewItem, Table, timestamp_from_text, timestamp_to_text};
use crate::clock::Timestamp;
use crate::error::Error;

/// The provider's keys, which `refresh-signing-keys` stores for the functions that take tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSigningKeys {
    /// The keys, a JWK Set (RFC 7517).
    pub jwks: String,
    /// When they were last fetched from the provider.
    pub fetched_at: Timestamp,
}

impl Table {
    /// The signing keys, if any were ever stored.
    pub async fn signing_keys(&self) -> Result<Option<StoredSigningKeys>, Error> {
        self.get(Key::signing_keys()).await?.map(|item| from_item(&item)).transpose()
    }

    /// Stores signing keys and replaces the previous ones.
    pub async fn put_signing_keys(&self, keys: &StoredSigningKeys) -> Result<(), Error> {
        let item = NewItem::new(Key::signing_keys())
            .with("Jwks", keys.jwks.as_str())
            .with("FetchedAt", timestamp_to_text(keys.fetched_at)?);
        self.put(item).await
    }
}

/// Reads the item.
pub fn from_item(item: &Item) -> Result<StoredSigningKeys, Error> {
    let fetched_at: String = item.required("FetchedAt")?;
    let fetched_at = timestamp_from_text(&fetched_at).ok_or_else(|| item.broken("FetchedAt"))?;
    Ok(StoredSigningKeys { jwks: item.required("Jwks")?, fetched_at })
}
