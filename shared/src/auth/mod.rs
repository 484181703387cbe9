//! Who is calling, and what they may do.

mod claim_path;
pub mod claims;
mod jws;
mod policy;
mod ring_provider;
pub mod rules;
mod settings;
mod signing_keys;
mod token;
mod unique_names;
mod verified_tokens;

pub use claim_path::ClaimPath;
pub use claims::{Caller, ClaimNames, OrganizationSource};
pub use jws::Jws;
pub use policy::{Policy, RoleNames};
pub use rules::{AudienceClaim, TokenRules, TokenType};
pub use settings::TokenSettings;
pub use signing_keys::{JwkSet, PublishedKeys, SigningKey, SigningKeySource, SigningKeys};
pub use token::TokenVerifier;
