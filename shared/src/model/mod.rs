//! The domain's types. Only parsing creates them, so a value that exists is valid.

mod byte_budget;
mod client_address;
mod customer_association;
mod email;
mod ids;
mod organization;
mod password;
mod quota;
mod user;
mod visible;

use std::fmt;

pub use byte_budget::ByteBudget;
pub use client_address::ClientAddress;
pub use customer_association::CustomerAssociation;
pub use email::{Email, NormalizedEmail};
pub use ids::{CustomerNumber, OrganizationId, UserId};
pub use organization::{Organization, OrganizationName, Slug};
pub use password::{Password, PasswordHash, PasswordHasher};
pub use quota::{Quota, RateLimit};
pub use user::{PersonName, PhoneNumber, User};
pub use visible::is_invisible;

/// Why a text is not valid for its type: a sentence about the value, without the value.
///
/// It completes "This field …" or "`Email` …", for example "must be at most 254 octets long".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invalid(pub &'static str);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Invalid {}

/// A value as the table holds it. It may be one that an earlier version accepted and this one refuses: stored values
/// stay readable.
pub struct Stored<T>(pub T);

/// Gives a checked text type its reading side: `as_str`, `Display` (for the wire and the table),
/// `FromStr`, and a `Debug` that shows no personal datum.
macro_rules! text_type {
    ($type:ident, debug: $debug:literal) => {
        text_type!($type.0, debug: $debug);
    };
    ($type:ident.$field:tt, debug: $debug:literal) => {
        impl $type {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.$field
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.$field)
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::model::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                if $debug {
                    write!(f, concat!(stringify!($type), "({:?})"), &self.$field)
                } else {
                    f.write_str(concat!(stringify!($type), "(…)"))
                }
            }
        }
    };
}
use text_type;
