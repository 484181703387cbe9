//! The table: a file per item type, with a typed function for each access pattern.
//!
//! [`storage`] has the layer below: the client, keys, items and transactions. Only `storage/keys.rs` spells `PK` and
//! `SK`.
//!
//! Every read is strongly consistent: a caller finds everything that an earlier answer reported as written.

pub mod accounts;
pub mod credentials;
pub mod customer_associations;
pub mod email_claims;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod memberships;
pub mod organizations;
pub mod rate_limit;
pub mod signing_keys;
pub mod storage;
pub mod users;

pub use accounts::{CreateOutcome, Registration};
pub use memberships::{JoinOutcome, NewMembership};
pub use rate_limit::RateLimiter;
pub use signing_keys::StoredSigningKeys;
pub use storage::{Table, timestamp_from_text, timestamp_to_text};
