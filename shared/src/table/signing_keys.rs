//! The identity provider's signing keys, kept in the table so that no request asks the provider.

use std::time::Duration;

use super::storage::{Item, Key, NewItem, Table, timestamp_from_text, timestamp_to_sortable_text};
use crate::clock::Timestamp;
use crate::error::Error;

/// No fetch takes longer than this: the longest time that Lambda gives an invocation.
const MAX_FETCH_TIME: Duration = Duration::from_mins(15);

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

    /// Stores signing keys, unless newer ones are stored: of two fetches at the same time, the slow one may have the
    /// older set. Returns whether they were stored.
    pub async fn put_newer_signing_keys(&self, keys: &StoredSigningKeys) -> Result<bool, Error> {
        // What no fetch can have written is replaced: a time from a wrong clock, or a text that is no time.
        let times = [
            (":fetched", timestamp_to_sortable_text(keys.fetched_at)?),
            (":latest", timestamp_to_sortable_text(keys.fetched_at + MAX_FETCH_TIME)?),
            (":text", "S".to_owned()),
        ];
        let condition = "attribute_not_exists(FetchedAt) OR NOT attribute_type(FetchedAt, :text) \
                         OR FetchedAt <= :fetched OR FetchedAt > :latest";
        self.put_if(to_item(keys)?, condition, times).await
    }
}

/// The item of the signing keys.
pub fn to_item(keys: &StoredSigningKeys) -> Result<NewItem, Error> {
    let fetched_at = timestamp_to_sortable_text(keys.fetched_at)?;
    Ok(NewItem::new(Key::signing_keys()).with("Jwks", keys.jwks.as_str()).with("FetchedAt", fetched_at))
}

/// Reads the item.
pub fn from_item(item: &Item) -> Result<StoredSigningKeys, Error> {
    let fetched_at: String = item.required("FetchedAt")?;
    let fetched_at = timestamp_from_text(&fetched_at).ok_or_else(|| item.broken("FetchedAt"))?;
    Ok(StoredSigningKeys { jwks: item.required("Jwks")?, fetched_at })
}
