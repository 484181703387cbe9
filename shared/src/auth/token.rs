//! Verification of access tokens: JWTs (RFC 7519), by the rules of RFC 8725.

use serde_json::{Map, Value};

use super::claims::Caller;
use super::jws::Jws;
use super::policy::Policy;
use super::rules::TokenRules;
use super::signing_keys::SigningKeySource;
use super::unique_names;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};

/// Verifies tokens: signature, rules and time.
pub struct TokenVerifier {
    /// The keys whose signatures count.
    pub keys: SigningKeySource,
    /// What a token must be.
    pub rules: TokenRules,
    /// The time.
    pub clock: Clock,
}

impl TokenVerifier {
    /// A verifier of the tokens that these keys sign by these rules.
    #[must_use]
    pub fn new(keys: SigningKeySource, rules: TokenRules, clock: Clock) -> Self {
        Self { keys, rules, clock }
    }

    /// The bearer of the token in an `Authorization` header.
    ///
    /// # Errors
    /// [`ErrorKind::TokenMissing`] or [`ErrorKind::TokenInvalid`]; [`ErrorKind::Invalid`] if the header was sent
    /// more than once, [`ErrorKind::HeaderTooLarge`] if it is too large; [`ErrorKind::Unavailable`] if there are
    /// no signing keys and none can be read.
    ///
    /// [`ErrorKind::Invalid`]: crate::error::ErrorKind::Invalid
    /// [`ErrorKind::HeaderTooLarge`]: crate::error::ErrorKind::HeaderTooLarge
    /// [`ErrorKind::TokenMissing`]: crate::error::ErrorKind::TokenMissing
    /// [`ErrorKind::TokenInvalid`]: crate::error::ErrorKind::TokenInvalid
    /// [`ErrorKind::Unavailable`]: crate::error::ErrorKind::Unavailable
    pub async fn caller(&self, authorization: Option<&str>) -> Result<Caller, Error> {
        self.verify(bearer_token(authorization)?).await
    }

    /// Checks that a caller's token carries the policy's role.
    ///
    /// # Errors
    /// [`ErrorKind::RoleMissing`].
    ///
    /// [`ErrorKind::RoleMissing`]: crate::error::ErrorKind::RoleMissing
    pub fn check_role(&self, caller: &Caller, policy: Policy) -> Result<(), Error> {
        caller.check_role(policy, &self.rules.role_names)
    }

    /// Whether the keys are read from the table.
    pub(crate) fn reads_table(&self) -> bool {
        self.keys.reads_table()
    }

    /// Reads the keys before the first request, which opens the connection to the table.
    pub(crate) async fn warm_up(&self) -> Result<(), Error> {
        self.keys.read().await.map(drop)
    }

    /// Verifies a token.
    pub async fn verify(&self, token: &str) -> Result<Caller, Error> {
        let jws = Jws::parse(token).map_err(Error::token_invalid)?;
        let keys = self.keys.keys_for(jws.key_id()).await?;
        let payload = jws.verify(&keys).map_err(Error::token_invalid)?;
        let claims = self.claims(&payload).map_err(Error::token_invalid)?;
        self.rules.check(&claims, self.clock.now()).map_err(Error::token_invalid)?;
        Ok(Caller::from_claims(&claims, &self.rules.claim_names))
    }

    /// Reads the claims of a payload.
    pub fn claims(&self, payload: &[u8]) -> Result<Map<String, Value>, &'static str> {
        unique_names::object(payload, |name| self.rules.go_into(name))
            .ok_or("the token's payload is not an object with unique names")
    }
}

/// The maximum size of the `Authorization` header, in bytes: what API Gateway's HTTP APIs let through of all
/// headers together ("Quotas and important notes" of API Gateway).
const MAX_AUTHORIZATION_BYTES: usize = 10 * 1024;

/// The token of an `Authorization` header (RFC 6750, section 2.1). The scheme's case is free
/// (RFC 9110, section 11.1).
///
/// A header that was sent more than once makes the request malformed (RFC 6750, section 3.1).
fn bearer_token(authorization: Option<&str>) -> Result<&str, Error> {
    let authorization = authorization.ok_or(ErrorKind::TokenMissing)?;
    if authorization.len() > MAX_AUTHORIZATION_BYTES {
        return Err(ErrorKind::HeaderTooLarge { limit: MAX_AUTHORIZATION_BYTES }.into());
    }
    if is_several(authorization) {
        return Err(Error::invalid("Authorization", "Authorization must be given once."));
    }
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token),
        _ => Err(Error::token_invalid("the Authorization header is not one of a bearer token")),
    }
}

/// Whether an `Authorization` header is several, of which one is a bearer token's. API Gateway joins the lines of
/// a header with commas; no token has a comma.
fn is_several(authorization: &str) -> bool {
    let scheme = |line: &'_ str| line.split_once(' ').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    let lines = || authorization.split(',').map(str::trim);
    let is_line = |line: &&str| {
        let scheme = scheme(line);
        line.is_empty() || !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    authorization.contains(',')
        && lines().any(|line| scheme(line) == "bearer")
        && lines().filter(is_line).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_taken_in_any_case_and_up_to_the_limit() {
        let longest = "x".repeat(MAX_AUTHORIZATION_BYTES - "Bearer ".len());
        for (header, token) in [
            ("Bearer x", "x"),
            ("bEARER x", "x"),
            ("Bearer  x", " x"),
            (format!("Bearer {longest}").as_str(), longest.as_str()),
        ] {
            assert_eq!(bearer_token(Some(header)).unwrap(), token);
        }
        for header in ["Bearer", "Basic x", "", "Bearerx y"] {
            let error = bearer_token(Some(header)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::TokenInvalid), "{header}");
        }
        for more in 1..3 {
            let error = bearer_token(Some(&format!("Bearer {longest}{}", "x".repeat(more)))).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::HeaderTooLarge { .. }));
        }
        assert!(matches!(bearer_token(None).unwrap_err().kind(), ErrorKind::TokenMissing));
    }

    #[test]
    fn several_headers_are_told_from_one_with_a_comma() {
        for several in
            ["Bearer x,Bearer y", "Basic x, Bearer y", "Bearer x,", ",Bearer x", "bearer x,Digest y"]
        {
            assert!(is_several(several), "{several}");
        }
        for one in ["Bearer x", "Bearer x,y", "Bearer x,1a y", "Basic x,Basic y", "x,y", ","] {
            assert!(!is_several(one), "{one}");
        }
    }
}
