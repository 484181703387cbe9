//! Verification of access tokens: JWTs (RFC 7519), by the rules of RFC 8725.

use std::time::Duration;

use serde_json::{Map, Value};

use super::claims::Caller;
use super::jws::Jws;
use super::policy::Policy;
use super::rules::TokenRules;
use super::signing_keys::SigningKeySource;
use super::unique_names;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind};
use crate::http::Request;

/// How far the clocks of issuer and verifier may be apart.
const LEEWAY: Duration = Duration::from_mins(1);

/// Verifies tokens: signature, rules and time.
pub struct TokenVerifier {
    keys: SigningKeySource,
    rules: TokenRules,
    clock: Clock,
}

impl TokenVerifier {
    /// A verifier of the tokens that these keys sign by these rules.
    #[must_use]
    pub fn new(keys: SigningKeySource, rules: TokenRules, clock: Clock) -> Self {
        Self { keys, rules, clock }
    }

    /// The bearer of the request's token, if it carries the policy's role.
    ///
    /// # Errors
    /// [`ErrorKind::TokenMissing`], [`ErrorKind::TokenInvalid`] or [`ErrorKind::RoleMissing`];
    /// [`ErrorKind::Unavailable`] where there are no signing keys and none can be read.
    ///
    /// [`ErrorKind::TokenMissing`]: crate::error::ErrorKind::TokenMissing
    /// [`ErrorKind::TokenInvalid`]: crate::error::ErrorKind::TokenInvalid
    /// [`ErrorKind::RoleMissing`]: crate::error::ErrorKind::RoleMissing
    /// [`ErrorKind::Unavailable`]: crate::error::ErrorKind::Unavailable
    pub async fn authorize(&self, request: &Request, policy: Policy) -> Result<Caller, Error> {
        let token = bearer_token(request.authorization())?;
        let caller = self.verify(token).await?;
        request.note_caller(caller.known_user_id(), caller.known_organization_id());
        caller.demand(policy, &self.rules.role_names)?;
        Ok(caller)
    }

    /// Whether the keys are read from the table.
    pub(crate) fn reads_table(&self) -> bool {
        self.keys.reads_table()
    }

    /// Reads the keys before the first request, which opens the connection to the table.
    pub(crate) async fn warm_up(&self) -> Result<(), Error> {
        self.keys.read().await.map(drop)
    }

    async fn verify(&self, token: &str) -> Result<Caller, Error> {
        let jws = Jws::parse(token).map_err(Error::token_invalid)?;
        let keys = self.keys.keys_for(jws.key_id()).await?;
        let payload = jws.verify(&keys).map_err(Error::token_invalid)?;
        let claims = unique_names::object(&payload, |name| self.rules.go_into(name))
            .ok_or_else(|| Error::token_invalid("the token's payload is not an object with unique names"))?;
        self.check(&claims).map_err(Error::token_invalid)?;
        Ok(Caller::from_claims(&claims, &self.rules.claim_names))
    }

    /// The registered claims (RFC 7519, section 4.1): `iss`, `aud` (or what is in its place) and `exp` must
    /// be there and right, `nbf` right where it is there.
    fn check(&self, claims: &Map<String, Value>) -> Result<(), &'static str> {
        self.rules.check(claims)?;
        let now = self.clock.now();
        let exp = numeric_date(claims.get("exp").ok_or("the token lacks exp")?);
        if now >= exp.ok_or("the token's exp is not a date")? + LEEWAY {
            return Err("the token has expired");
        }
        if let Some(nbf) = claims.get("nbf")
            && now + LEEWAY < numeric_date(nbf).ok_or("the token's nbf is not a date")?
        {
            return Err("the token is not valid yet");
        }
        Ok(())
    }
}

/// The token of an `Authorization` header (RFC 6750, section 2.1). The scheme's case is free
/// (RFC 9110, section 11.1).
fn bearer_token(authorization: Option<&str>) -> Result<&str, Error> {
    let authorization = authorization.ok_or(ErrorKind::TokenMissing)?;
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token),
        _ => Err(Error::token_invalid("the Authorization header is not one of a bearer token")),
    }
}

/// A NumericDate (RFC 7519, section 2): seconds since 1970, a JSON number that may have a fraction.
fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_f64().filter(|seconds| (0.0..=1e13).contains(seconds))?;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let millis = (seconds * 1000.0) as i64;
    Some(Timestamp::from_millis(millis))
}
