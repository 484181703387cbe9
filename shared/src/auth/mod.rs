//! Who calls, and what they may do.

mod claims;
mod policy;
mod ring_provider;
mod signing_keys;
mod token;

pub use claims::{Caller, ClaimNames};
pub use policy::Policy;
pub use signing_keys::{PublishedKeys, SigningKeySource, SigningKeys};
pub use token::{MAX_TOKEN_BYTES, TokenVerifier};
