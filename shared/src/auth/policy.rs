//! The policies. Each demands one role and nothing else.

/// A role that a token must carry, with exactly this spelling. No role implies another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// The role `Admin`.
    Admin,
    /// The role `Customer`.
    Customer,
}

impl Policy {
    /// The platform's own name of the role.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::Customer => "Customer",
        }
    }
}

/// The names of the roles in a token, with exactly this spelling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleNames {
    admin: String,
    customer: String,
}

impl Default for RoleNames {
    /// The platform's own names.
    fn default() -> Self {
        Self { admin: Policy::Admin.role().to_owned(), customer: Policy::Customer.role().to_owned() }
    }
}

impl RoleNames {
    /// Uses these names instead of the platform's own.
    ///
    /// # Errors
    /// Fails if both names are the same: an Admin is not a Customer.
    pub fn new(admin: Option<String>, customer: Option<String>) -> Result<Self, &'static str> {
        let own = Self::default();
        let names = Self { admin: admin.unwrap_or(own.admin), customer: customer.unwrap_or(own.customer) };
        if names.admin == names.customer { Err("must differ") } else { Ok(names) }
    }

    /// The role that a policy demands.
    #[must_use]
    pub fn of(&self, policy: Policy) -> &str {
        match policy {
            Policy::Admin => &self.admin,
            Policy::Customer => &self.customer,
        }
    }
}
