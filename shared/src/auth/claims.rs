//! What a verified token says about its bearer.

use serde_json::{Map, Value};

use super::{ClaimPath, Policy, RoleNames};
use crate::error::{Error, ErrorKind};
use crate::model::{Email, OrganizationId, UserId};

/// The platform's own claims with an e-mail address. The platform verifies each address.
const OWN_EMAIL_CLAIMS: [&str; 2] = ["email", "Email"];

/// Where a token carries what; each list is tried in order.
#[derive(Clone, Debug)]
pub struct ClaimNames {
    /// The user's id.
    pub user_id: Vec<ClaimPath>,
    /// The id of the organization that the token is for.
    pub organization_id: OrganizationSource,
    /// The user's e-mail address.
    pub email: Vec<ClaimPath>,
    /// The roles: a string or an array of strings.
    pub roles: Vec<ClaimPath>,
}

/// Where the organization's id comes from.
#[derive(Clone, Debug)]
pub enum OrganizationSource {
    /// A claim.
    Claims(Vec<ClaimPath>),
    /// The settings: every token is for this one.
    Fixed(OrganizationId),
}

impl Default for ClaimNames {
    /// The platform's own names.
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| ClaimPath::named(name)).collect();
        Self {
            user_id: names(&["sub", "UserId"]),
            organization_id: OrganizationSource::Claims(names(&["OrganizationId"])),
            email: names(&OWN_EMAIL_CLAIMS),
            roles: names(&["role", "roles"]),
        }
    }
}

impl ClaimNames {
    /// Whether anything nested in the claim of this name is read.
    pub(super) fn go_into(&self, name: &str) -> bool {
        let organization_id = match &self.organization_id {
            OrganizationSource::Claims(paths) => paths.as_slice(),
            OrganizationSource::Fixed(_) => &[],
        };
        let mut paths = [&self.user_id, organization_id, &self.email, &self.roles].into_iter().flatten();
        paths.any(|path| path.goes_into(name))
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
    /// Reads the claims of a verified token.
    #[must_use]
    pub fn from_claims(claims: &Map<String, Value>, names: &ClaimNames) -> Self {
        Self {
            user_id: identifier(claims, &names.user_id),
            organization_id: match &names.organization_id {
                OrganizationSource::Claims(paths) => identifier(claims, paths),
                OrganizationSource::Fixed(id) => Ok(id.clone()),
            },
            email: email(claims, names).ok(),
            roles: roles(claims, names),
        }
    }

    /// The user's id.
    ///
    /// # Errors
    /// Fails with 401 if the token has none. The log says which claims were looked for.
    pub fn user_id(&self) -> Result<&UserId, Error> {
        self.user_id.as_ref().map_err(|why| Error::token_invalid(why.clone()))
    }

    /// The id of the organization that the token is for.
    ///
    /// # Errors
    /// The same as [`Caller::user_id`].
    pub fn organization_id(&self) -> Result<&OrganizationId, Error> {
        self.organization_id.as_ref().map_err(|why| Error::token_invalid(why.clone()))
    }

    /// The user's e-mail address, if the token carries one and does not call it unverified.
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
    pub fn check_role(&self, policy: Policy, names: &RoleNames) -> Result<(), Error> {
        let name = names.of(policy);
        if self.roles.iter().any(|role| role == name) {
            Ok(())
        } else {
            Err(Error::from(ErrorKind::RoleMissing).logging(format!("the token lacks the role {name}")))
        }
    }
}

/// Finds the first of the claims that is present.
#[must_use]
pub fn find<'a, 'b>(
    claims: &'a Map<String, Value>,
    paths: &'b [ClaimPath],
) -> Option<(&'b ClaimPath, &'a Value)> {
    paths.iter().find_map(|path| Some((path, path.find(claims)?)))
}

/// The e-mail address, if it counts as verified: anybody can give a provider any address.
///
/// An `email_verified` (OpenID Connect Core 1.0, section 5.1) is read beside the address that is used, and must be
/// `true`. If there is none, only the platform's own claims count.
pub fn email(claims: &Map<String, Value>, names: &ClaimNames) -> Result<Email, &'static str> {
    let (path, found) = find(claims, &names.email).ok_or("the token carries none")?;
    match path.beside(claims, "email_verified") {
        Some(Value::Bool(true)) => {}
        Some(_) => return Err("it does not count beside an email_verified that is not true"),
        None if OWN_EMAIL_CLAIMS.iter().any(|name| path.is_named(name)) => {}
        None => return Err("it does not count without an email_verified beside it"),
    }
    let text = path.text(found).ok_or("it is not a string")?;
    text.parse().map_err(|_| "it is no e-mail address")
}

/// The roles.
#[must_use]
pub fn roles(claims: &Map<String, Value>, names: &ClaimNames) -> Vec<String> {
    find(claims, &names.roles).map(|(path, found)| path.texts(found)).unwrap_or_default()
}

fn identifier<T: std::str::FromStr>(claims: &Map<String, Value>, paths: &[ClaimPath]) -> Result<T, String> {
    let described = || alternatives(paths);
    let (path, found) =
        find(claims, paths).ok_or_else(|| format!("the token lacks the claim {}", described()))?;
    let text = path.text(found).ok_or_else(|| format!("the claim {} is not a string", described()))?;
    text.parse().map_err(|_| format!("the claim {} is not an identifier", described()))
}

/// The claims' names, joined with "or".
#[must_use]
pub fn alternatives(paths: &[ClaimPath]) -> String {
    paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
