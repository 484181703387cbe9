//! The policies: "carries that role", no more.

use std::fmt;

/// A role that a token must carry, exactly so spelled. No role implies another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// The role `Admin`.
    Admin,
    /// The role `Customer`.
    Customer,
}

impl Policy {
    /// The role's name in a token.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::Customer => "Customer",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.role())
    }
}
