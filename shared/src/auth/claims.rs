//! What a verified token says of its bearer.

use serde_json::{Map, Value};

use super::Policy;
use crate::error::{Error, ErrorKind};
use crate::model::{Email, OrganizationId, UserId};

/// Under which names a token carries what; each list is tried in order.
#[derive(Clone, Debug)]
pub struct ClaimNames {
    /// The user's id.
    pub user_id: Vec<String>,
    /// The id of the organization that the token is for.
    pub organization_id: Vec<String>,
    /// The user's e-mail address.
    pub email: Vec<String>,
    /// The roles: a string or an array of strings.
    pub roles: Vec<String>,
}

impl Default for ClaimNames {
    /// The platform's own names.
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            user_id: names(&["sub", "UserId"]),
            organization_id: names(&["OrganizationId"]),
            email: names(&["email", "Email"]),
            roles: names(&["role", "roles"]),
        }
    }
}

/// The bearer of a verified token.
pub struct Caller {
    user_id: Result<UserId, String>,
    organization_id: Result<OrganizationId, String>,
    email: Option<Email>,
    roles: Vec<String>,
}

impl Caller {
    pub(super) fn from_claims(claims: &Map<String, Value>, names: &ClaimNames) -> Self {
        Self {
            user_id: identifier(claims, &names.user_id),
            organization_id: identifier(claims, &names.organization_id),
            email: email(claims, names),
            roles: match find(claims, &names.roles) {
                Some(Value::String(role)) => vec![role.clone()],
                Some(Value::Array(roles)) => roles.iter().filter_map(Value::as_str).map(Into::into).collect(),
                _ => Vec::new(),
            },
        }
    }

    /// The user's id; without it the token does not count here.
    pub fn user_id(&self) -> Result<&UserId, Error> {
        self.user_id.as_ref().map_err(|why| Error::token_invalid(why.clone()))
    }

    /// The organization that the token is for; without it the token does not count here.
    pub fn organization_id(&self) -> Result<&OrganizationId, Error> {
        self.organization_id.as_ref().map_err(|why| Error::token_invalid(why.clone()))
    }

    /// The user's e-mail address, where the token carries one and does not call it unverified.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        self.email.as_ref()
    }

    /// The user's id, if it is there.
    pub(crate) fn known_user_id(&self) -> Option<&UserId> {
        self.user_id.as_ref().ok()
    }

    /// The organization, if it is there.
    pub(crate) fn known_organization_id(&self) -> Option<&OrganizationId> {
        self.organization_id.as_ref().ok()
    }

    /// Fails unless the token carries the policy's role.
    pub(crate) fn demand(&self, policy: Policy) -> Result<(), Error> {
        if self.roles.iter().any(|role| role == policy.role()) {
            Ok(())
        } else {
            Err(Error::from(ErrorKind::RoleMissing).logging(format!("the token lacks the role {policy}")))
        }
    }
}

/// The first of the named claims that is there; `null` counts as absent.
fn find<'a>(claims: &'a Map<String, Value>, names: &[String]) -> Option<&'a Value> {
    names.iter().find_map(|name| claims.get(name).filter(|value| !value.is_null()))
}

/// The e-mail address, unless the token has an `email_verified` (OpenID Connect Core 1.0, section 5.1) that is
/// not `true`: anybody can give a provider any address.
fn email(claims: &Map<String, Value>, names: &ClaimNames) -> Option<Email> {
    if claims.get("email_verified").is_some_and(|verified| *verified != Value::Bool(true)) {
        return None;
    }
    find(claims, &names.email)?.as_str()?.parse().ok()
}

fn identifier<T: std::str::FromStr>(claims: &Map<String, Value>, names: &[String]) -> Result<T, String> {
    let described = || names.join(" or ");
    let value = find(claims, names).ok_or_else(|| format!("the token lacks the claim {}", described()))?;
    let text = value.as_str().ok_or_else(|| format!("the claim {} is not a string", described()))?;
    text.parse().map_err(|_| format!("the claim {} is not an identifier", described()))
}
