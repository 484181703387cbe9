//! Who calls, and what they may do.

mod claims;
mod jws;
mod policy;
mod ring_provider;
mod signing_keys;
mod token;
mod unique_names;

pub use claims::{Caller, ClaimNames};
pub use jws::{Jws, MAX_TOKEN_BYTES};
pub use policy::Policy;
pub use signing_keys::{PublishedKeys, SigningKeySource, SigningKeys};
pub use token::TokenVerifier;
