//! What makes a token acceptable.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{ClaimNames, ClaimPath, RoleNames};
use crate::clock::Timestamp;

/// How far apart the clocks of issuer and verifier may be.
pub const LEEWAY: Duration = Duration::from_mins(1);

/// A condition on a token's claims at a moment; says why it does not hold.
pub type Condition = fn(&TokenRules, &Map<String, Value>, Timestamp) -> Result<(), &'static str>;

/// The conditions in the order in which they are checked, each with its subject.
pub const CONDITIONS: [(About, Condition); 5] = [
    (About::Issuer, |rules, claims, _| rules.check_issuer(claims)),
    (About::Audience, |rules, claims, _| rules.check_audience(claims)),
    (About::Type, |rules, claims, _| rules.check_type(claims)),
    (About::Expiry, |_, claims, now| check_expiry(claims, now)),
    (About::Start, |_, claims, now| check_start(claims, now)),
];

/// What a condition is about.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum About {
    Issuer,
    Audience,
    Type,
    Expiry,
    Start,
}

/// What makes a token acceptable, and which claims carry which values.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// `TOKEN_ISSUER`: the `iss` that a token must have.
    pub issuer: String,
    /// `TOKEN_AUDIENCE`: the audience that a token must have.
    pub audience: String,
    /// `CLAIM_AUDIENCE`: the claim that carries the audience.
    pub audience_claim: AudienceClaim,
    /// `CLAIM_TOKEN_TYPE` and `TOKEN_TYPE`: how to distinguish an access token from the issuer's other tokens.
    pub token_type: Option<TokenType>,
    /// `CLAIM_USER_ID`, `CLAIM_ORGANIZATION_ID`, `CLAIM_EMAIL`, `CLAIM_ROLES`, `ORGANIZATION_ID`.
    pub claim_names: ClaimNames,
    /// `ROLE_ADMIN`, `ROLE_CUSTOMER`: what the roles are called.
    pub role_names: RoleNames,
}

/// The claim that carries the audience. One never replaces the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AudienceClaim {
    /// `aud`, a string or an array that has the audience (RFC 7519, section 4.1.3).
    Aud,
    /// `client_id`, a string, for an issuer whose access tokens have no `aud`. A token that has `aud` is then refused.
    ClientId,
}

/// How to distinguish an access token from the provider's other tokens: a claim and its required text.
#[derive(Clone, Debug)]
pub struct TokenType {
    /// The claim.
    pub claim: ClaimPath,
    /// The text.
    pub value: String,
}

impl TokenRules {
    /// The rules for tokens with the platform's own claims.
    #[must_use]
    #[allow(dead_code, reason = "a fuzz target makes rules without settings")]
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            audience_claim: AudienceClaim::Aud,
            token_type: None,
            claim_names: ClaimNames::default(),
            role_names: RoleNames::default(),
        }
    }

    /// Whether anything nested in the claim of this name is read.
    pub(super) fn go_into(&self, name: &str) -> bool {
        self.claim_names.go_into(name)
            || self.token_type.as_ref().is_some_and(|token_type| token_type.claim.goes_into(name))
    }

    /// Checks issuer, audience, type and time of a token (RFC 7519, section 4.1). `iss`, `aud` (or its replacement) and
    /// `exp` must be present and right; `nbf` must be right if it is present.
    pub(super) fn check(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), &'static str> {
        CONDITIONS.iter().try_for_each(|(_, condition)| condition(self, claims, now))
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), &'static str> {
        if claims.get("iss").and_then(Value::as_str) == Some(&self.issuer) {
            Ok(())
        } else {
            Err("the token's iss is missing or another")
        }
    }

    fn check_type(&self, claims: &Map<String, Value>) -> Result<(), &'static str> {
        match &self.token_type {
            Some(TokenType { claim, value })
                if claim.find(claims).and_then(|found| claim.text(found)) != Some(value) =>
            {
                Err("the token's type is missing or another")
            }
            _ => Ok(()),
        }
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), &'static str> {
        let meant = |audience: &Value| audience.as_str() == Some(&self.audience);
        match (self.audience_claim, claims.get("aud")) {
            (AudienceClaim::Aud, Some(Value::Array(audiences))) if audiences.iter().any(meant) => Ok(()),
            (AudienceClaim::Aud, Some(audience)) if meant(audience) => Ok(()),
            (AudienceClaim::Aud, _) => Err("the token's aud is missing or another"),
            (AudienceClaim::ClientId, Some(_)) => Err("the token has an aud beside its client_id"),
            (AudienceClaim::ClientId, None) if claims.get("client_id").is_some_and(meant) => Ok(()),
            (AudienceClaim::ClientId, None) => Err("the token's client_id is missing or another"),
        }
    }
}

fn check_expiry(claims: &Map<String, Value>, now: Timestamp) -> Result<(), &'static str> {
    let exp = numeric_date(claims.get("exp").ok_or("the token lacks exp")?);
    if now >= exp.ok_or("the token's exp is not a date")? + LEEWAY {
        return Err("the token has expired");
    }
    Ok(())
}

fn check_start(claims: &Map<String, Value>, now: Timestamp) -> Result<(), &'static str> {
    if let Some(nbf) = claims.get("nbf")
        && now + LEEWAY < numeric_date(nbf).ok_or("the token's nbf is not a date")?
    {
        return Err("the token is not valid yet");
    }
    Ok(())
}

/// A NumericDate (RFC 7519, section 2): seconds since 1970, a JSON number that may have a fraction.
#[must_use]
pub fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_f64().filter(|seconds| (0.0..=1e13).contains(seconds))?;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let millis = (seconds * 1000.0) as i64;
    Some(Timestamp::from_millis(millis))
}
