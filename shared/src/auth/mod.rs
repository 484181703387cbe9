//! Who calls, and what they may do.

mod claim_path;
mod claims;
mod described_keys;
mod explain;
mod jws;
mod policy;
mod ring_provider;
mod rules;
mod settings;
mod signing_keys;
mod token;
mod unique_names;

pub use claim_path::ClaimPath;
pub use claims::{Caller, ClaimNames, OrganizationSource};
pub use described_keys::DescribedKey;
pub use explain::{Explanation, Finding, Standing};
pub use jws::{Jws, MAX_TOKEN_BYTES};
pub use policy::{Policy, RoleNames};
pub use rules::{AudienceClaim, TokenRules, TokenType};
pub use settings::TokenSettings;
pub use signing_keys::{PublishedKeys, SigningKeySource, SigningKeys};
pub use token::TokenVerifier;
