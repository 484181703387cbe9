//! Verification of access tokens: JWTs (RFC 7519) signed as JWS (RFC 7515), by the rules of RFC 8725.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::Validation;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::claims::{Caller, ClaimNames};
use super::policy::Policy;
use super::ring_provider;
use super::signing_keys::SigningKeySource;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind};
use crate::http::Request;

/// The largest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far the clocks of issuer and verifier may be apart.
const LEEWAY: Duration = Duration::from_mins(1);

/// Verifies tokens: signature, issuer, audience and time.
pub struct TokenVerifier {
    keys: SigningKeySource,
    claim_names: ClaimNames,
    validation: Validation,
    clock: Clock,
}

impl TokenVerifier {
    /// A verifier of the tokens that `issuer` makes for `audience`.
    #[must_use]
    pub fn new(
        keys: SigningKeySource,
        issuer: &str,
        audience: &str,
        claim_names: ClaimNames,
        clock: Clock,
    ) -> Self {
        ring_provider::install();
        let mut validation = Validation::default();
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // The library asks the system for the time; ours is passed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { keys, claim_names, validation, clock }
    }

    /// The bearer of the request's token, if it carries the policy's role.
    pub async fn authorize(&self, request: &Request, policy: Policy) -> Result<Caller, Error> {
        let token = bearer_token(request.authorization())?;
        let caller = self.verify(token).await?;
        request.note_caller(caller.known_user_id(), caller.known_organization_id());
        caller.demand(policy)?;
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
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::token_invalid("the token is larger than 8 KiB"));
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| Error::token_invalid("the token's header is not one of a signed JWT"))?;
        // RFC 7515, section 4.1.11: an extension that is not understood must be refused. None is.
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(Error::token_invalid("the token's header demands an extension"));
        }
        let keys = self.keys.keys_for(header.kid.as_deref()).await?;
        let key = keys.find(header.kid.as_deref(), header.alg).ok_or_else(|| {
            Error::token_invalid("no signing key has the id and the algorithm of the token's header")
        })?;

        let mut validation = self.validation.clone();
        validation.algorithms = vec![key.algorithm];
        let Claims(claims) = jsonwebtoken::decode(token, &key.key, &validation)
            .map_err(|error| Error::token_invalid(why(&error)))?
            .claims;
        // The library also takes an array of issuers, which RFC 7519, section 4.1.1, does not know.
        if !claims.get("iss").is_some_and(Value::is_string) {
            return Err(Error::token_invalid("the token's iss is not a string"));
        }
        self.check_time(&claims)?;
        Ok(Caller::from_claims(&claims, &self.claim_names))
    }

    fn check_time(&self, claims: &Map<String, Value>) -> Result<(), Error> {
        let now = self.clock.now();
        let exp = numeric_date(claims, "exp")?.ok_or_else(|| Error::token_invalid("the token lacks exp"))?;
        if now >= exp + LEEWAY {
            return Err(Error::token_invalid("the token has expired"));
        }
        if numeric_date(claims, "nbf")?.is_some_and(|nbf| now + LEEWAY < nbf) {
            return Err(Error::token_invalid("the token is not valid yet"));
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

/// What the log may know of a token that was refused: the kind of error, no content.
fn why(error: &jsonwebtoken::errors::Error) -> String {
    use jsonwebtoken::errors::ErrorKind as Jwt;
    match error.kind() {
        Jwt::InvalidSignature => "the token's signature is wrong".to_owned(),
        Jwt::InvalidIssuer => "the token's iss is another".to_owned(),
        Jwt::InvalidAudience => "the token's aud is another".to_owned(),
        Jwt::MissingRequiredClaim(claim) => format!("the token lacks a usable {claim}"),
        _ => "the token is not a signed JWT".to_owned(),
    }
}

/// A NumericDate (RFC 7519, section 2): seconds since 1970, a JSON number that may have a fraction.
fn numeric_date(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Error> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().filter(|seconds| (0.0..=1e13).contains(seconds));
    let seconds = seconds.ok_or_else(|| Error::token_invalid(format!("the token's {name} is not a date")))?;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let millis = (seconds * 1000.0) as i64;
    Ok(Some(Timestamp::from_millis(millis)))
}

/// The claims of a token. A claim given twice is refused: two readers could take either one
/// (RFC 7519, section 4).
struct Claims(Map<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueNames;

        impl<'de> Visitor<'de> for UniqueNames {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object without duplicate names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Claims, A::Error> {
                let mut claims = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if claims.insert(name, value).is_some() {
                        return Err(A::Error::custom("duplicate name"));
                    }
                }
                Ok(Claims(claims))
            }
        }

        deserializer.deserialize_map(UniqueNames)
    }
}
