//! Explains tokens and signing keys.

mod described_keys;
mod explain;

pub use described_keys::DescribedKey;
pub use explain::{Explanation, Finding, Standing, explain};
