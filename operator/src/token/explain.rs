//! Explains, claim by claim, why a token is accepted or refused.
//!
//! The verdict is [`TokenVerifier`]'s own. The explanation uses the same parts in the same order, so no rule is written
//! twice.

use serde_json::{Map, Value};

use shared::auth::claims::{self, alternatives, find};
use shared::auth::rules::{About, CONDITIONS, LEEWAY, numeric_date};
use shared::auth::{
    AudienceClaim, Caller, ClaimPath, Jws, OrganizationSource, Policy, SigningKeys, TokenVerifier,
};
use shared::clock::Timestamp;
use shared::error::Error;

use crate::duration::in_words;

/// The maximum number of characters shown of a claim.
const MAX_SHOWN: usize = 100;

/// The explanation of a token. It quotes claims, so only whoever gave the token may see it. It never has the token
/// itself or its signature.
pub struct Explanation {
    /// The findings, in the order in which a token is checked.
    pub findings: Vec<Finding>,
    /// Whether the token is accepted.
    pub verdict: Result<Caller, Error>,
}

/// One thing that was checked.
pub struct Finding {
    /// The member of the header, the claim, or what the claim is for.
    pub subject: String,
    /// What it means for the token.
    pub standing: Standing,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// What a [`Finding`] means for the token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// As it should be.
    Right,
    /// It decides nothing.
    Noted,
    /// It decides nothing and looks wrong.
    Doubtful,
    /// The endpoints that need it refuse the token.
    Lacking,
    /// The token is refused.
    Refused,
}

/// Checks a token claim by claim. The claims of a token with a wrong signature are shown too.
pub async fn explain(verifier: &TokenVerifier, token: &str) -> Explanation {
    let verdict = verifier.verify(token).await;
    let mut findings = Findings::default();
    if let Err((subject, why, advice)) = Explainer(verifier).look_at(token, &mut findings).await {
        findings.add(Standing::Refused, subject, why, Some(advice));
    }
    Explanation { findings: findings.0, verdict }
}

struct Explainer<'a>(&'a TokenVerifier);

impl Explainer<'_> {
    /// Ends early, with subject, reason and advice, if there is nothing more to look at.
    async fn look_at(
        &self,
        token: &str,
        findings: &mut Findings,
    ) -> Result<(), (&'static str, &'static str, &'static str)> {
        const NO_JWT: &str = "a token is three parts in base64url with dots between them. An opaque one is what some \
                              providers give where no audience was asked for";
        let jws = Jws::parse(token).map_err(|why| ("form", why, NO_JWT))?;
        findings.add(Standing::Right, "alg", format!("{:?}", jws.algorithm), None);
        let signed = match self.0.keys.keys_for(jws.key_id()).await {
            Ok(keys) => look_at_signature(&jws, &keys, findings),
            Err(error) => {
                let why = error.log().unwrap_or("the signing keys cannot be read").to_owned();
                findings.add(Standing::Refused, "signature", why, Some(FETCH));
                false
            }
        };
        let payload = jws.payload().map_err(|why| ("payload", why, NO_JWT))?;
        let claims = self.0.claims(&payload).map_err(|why| {
            ("payload", why, "of two claims of one name two readers may take either: ask the provider")
        })?;
        if !signed {
            let warning = "what follows is what the token says; nobody vouches for it";
            findings.add(Standing::Noted, "claims", warning, None);
        }
        let now = self.0.clock.now();
        for (about, condition) in CONDITIONS {
            let held = condition(&self.0.rules, &claims, now);
            self.look_at_condition(about, held, &claims, now, findings);
        }
        look_at_issue(&claims, now, findings);
        self.look_at_caller(&claims, findings);
        Ok(())
    }

    fn look_at_condition(
        &self,
        about: About,
        held: Result<(), &'static str>,
        claims: &Map<String, Value>,
        now: Timestamp,
        findings: &mut Findings,
    ) {
        let rules = &self.0.rules;
        let value = |name: &str| shown(claims.get(name));
        let time = |name: &str| claims.get(name).and_then(numeric_date);
        let (subject, found, advice) = match about {
            About::Issuer => (
                "iss".to_owned(),
                against(held, &value("iss"), "TOKEN_ISSUER", &rules.issuer),
                "TOKEN_ISSUER must be the token's iss, letter for letter, a slash at its end included. Or is the token \
                 another environment's?",
            ),
            About::Audience => {
                let (claim, value, advice) = match rules.audience_claim {
                    AudienceClaim::Aud => (
                        "aud",
                        value("aud"),
                        "ask the provider for a token for this API (an audience, scope or resource in the request). Only \
                         if it is one, give TOKEN_AUDIENCE what it carries",
                    ),
                    AudienceClaim::ClientId if claims.contains_key("aud") => (
                        "client_id",
                        format!("{} beside the aud {}", value("client_id"), value("aud")),
                        "it is for whom its aud names, or an ID token. If that is this API, give CLAIM_AUDIENCE=aud and \
                         TOKEN_AUDIENCE the aud",
                    ),
                    AudienceClaim::ClientId => {
                        ("client_id", value("client_id"), "TOKEN_AUDIENCE must be the client's id")
                    }
                };
                (claim.to_owned(), against(held, &value, "TOKEN_AUDIENCE", &rules.audience), advice)
            }
            About::Type => {
                let Some(token_type) = &rules.token_type else { return };
                let value = shown(token_type.claim.find(claims));
                (
                    token_type.claim.to_string(),
                    against(held, &value, "TOKEN_TYPE", &token_type.value),
                    "is it an ID token or a refresh token? Send the access token",
                )
            }
            About::Expiry => {
                let found = match (held, time("exp")) {
                    (Ok(()), Some(exp)) if exp > now => format!("for another {}", in_words(exp.since(now))),
                    (Ok(()), _) => "just over, within the leeway of 60 s".to_owned(),
                    (Err(why), Some(exp)) => format!("{why}, {} ago", in_words(now.since(exp))),
                    (Err(why), None) => format!("{why}: it is {}", value("exp")),
                };
                ("exp".to_owned(), found, "get a new token; one without exp is no access token")
            }
            About::Start => {
                if !claims.contains_key("nbf") {
                    return;
                }
                let found = match (held, time("nbf")) {
                    (Ok(()), Some(nbf)) => format!("since {}", in_words(now.since(nbf))),
                    (Err(why), Some(nbf)) => format!("{why}, for another {}", in_words(nbf.since(now))),
                    (_, None) => format!("{}: it is {}", held.err().unwrap_or_default(), value("nbf")),
                };
                ("nbf".to_owned(), found, "is the provider's clock right, and this machine's?")
            }
        };
        match held {
            Ok(()) => findings.add(Standing::Right, subject, found, None),
            Err(_) => findings.add(Standing::Refused, subject, found, Some(advice)),
        }
    }

    fn look_at_caller(&self, claims: &Map<String, Value>, findings: &mut Findings) {
        let names = &self.0.rules.claim_names;
        let caller = Caller::from_claims(claims, names);
        match caller.user_id() {
            Ok(id) => findings.add(Standing::Right, "user id", id.to_string(), None),
            Err(error) => {
                let advice =
                    "CLAIM_USER_ID must name the claim with the account's id (docs/identity-providers.md)";
                let found = lacking(&error, claims, &names.user_id);
                findings.add(Standing::Lacking, "user id", found, Some(advice));
            }
        }
        match (caller.organization_id(), &names.organization_id) {
            (Err(error), OrganizationSource::Claims(paths)) => {
                let advice = "CLAIM_ORGANIZATION_ID must name the claim with it, or ORGANIZATION_ID be the one organization";
                let found = lacking(&error, claims, paths);
                findings.add(Standing::Lacking, "organization", found, Some(advice));
            }
            (Ok(id), OrganizationSource::Claims(_)) => {
                findings.add(Standing::Right, "organization", id.to_string(), None);
            }
            (_, OrganizationSource::Fixed(id)) => {
                findings.add(Standing::Right, "organization", format!("{id}, by ORGANIZATION_ID"), None);
            }
        }
        match claims::email(claims, names) {
            _ if names.email.is_empty() => {
                findings.add(Standing::Noted, "e-mail", "not read, because CLAIM_USER_ID is given", None);
            }
            Ok(email) => findings.add(Standing::Right, "e-mail", email.to_string(), None),
            Err(why) => findings.add(Standing::Noted, "e-mail", why, None),
        }
        self.look_at_roles(claims, &caller, findings);
    }

    fn look_at_roles(&self, claims: &Map<String, Value>, caller: &Caller, findings: &mut Findings) {
        let (names, role_names) = (&self.0.rules.claim_names, &self.0.rules.role_names);
        let claim = alternatives(&names.roles);
        let carried = [Policy::Admin, Policy::Customer].into_iter().filter(|policy| {
            // The very demand that an endpoint makes.
            caller.check_role(*policy, role_names).is_ok()
        });
        let carried: Vec<_> = carried.map(Policy::role).collect();
        if !carried.is_empty() {
            let roles = shown(Some(&claims::roles(claims, names).into()));
            let found = format!("{roles}: the role {}", carried.join(" and "));
            return findings.add(Standing::Right, "roles", found, None);
        }
        let found = match find(claims, &names.roles) {
            None => format!("the token lacks the claim {claim}"),
            Some((_, found)) => {
                let (admin, customer) = (role_names.of(Policy::Admin), role_names.of(Policy::Customer));
                let roles = match claims::roles(claims, names).as_slice() {
                    [] => format!("holds no role: it is {}", shown(Some(found))),
                    roles => format!("gives {}: neither {admin} nor {customer}", shown(Some(&roles.into()))),
                };
                format!("{claim} {roles}")
            }
        };
        let advice = "CLAIM_ROLES must name the claim with the roles, ROLE_ADMIN and ROLE_CUSTOMER what they are called \
                      there, letter for letter. Or give the user the role at the provider";
        findings.add(Standing::Lacking, "roles", found, Some(advice));
    }
}

const FETCH: &str = "is the token of another environment, or locally of another data directory? A provider's new key is \
                     in the table within five minutes: see what refresh-signing-keys logs";

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        standing: Standing,
        subject: impl Into<String>,
        found: impl Into<String>,
        advice: Option<&str>,
    ) {
        let advice = advice.map(ToOwned::to_owned);
        self.0.push(Finding { subject: subject.into(), standing, found: found.into(), advice });
    }
}

/// Whether a known key has signed the token.
fn look_at_signature(jws: &Jws, keys: &SigningKeys, findings: &mut Findings) -> bool {
    let id = jws.key_id().map_or_else(|| "none is named".to_owned(), |id| shown(Some(&id.into())));
    let key = match jws.key_of(keys) {
        Ok(key) => key,
        Err(why) => {
            let known = keys.keys.iter().map(|key| {
                format!("{} ({:?})", key.id.as_deref().unwrap_or("one without a kid"), key.algorithm)
            });
            let known: Vec<_> = known.collect();
            let known = if known.is_empty() { "none is known".to_owned() } else { known.join(", ") };
            let found = format!("{why}: {id}; known: {known}");
            findings.add(Standing::Refused, "kid", found, Some(FETCH));
            return false;
        }
    };
    findings.add(Standing::Right, "kid", format!("{id}, and one key fits"), None);
    match jws.check_signature(key) {
        Ok(()) => {
            findings.add(Standing::Right, "signature", "by that key", None);
            true
        }
        Err(why) => {
            let advice = "the token was changed or cut on its way, or signed by another key of the same kid: another \
                          environment's?";
            findings.add(Standing::Refused, "signature", why, Some(advice));
            false
        }
    }
}

/// Describes `iat`. Nothing depends on it (RFC 7519, section 4.1.6).
fn look_at_issue(claims: &Map<String, Value>, now: Timestamp, findings: &mut Findings) {
    let Some(iat) = claims.get("iat").and_then(numeric_date) else { return };
    if iat > now + LEEWAY {
        let found = format!("made {} from now", in_words(iat.since(now)));
        let advice = "nothing depends on it, but some clock is wrong: the provider's or this machine's";
        findings.add(Standing::Doubtful, "iat", found, Some(advice));
    } else {
        findings.add(Standing::Noted, "iat", format!("made {} ago", in_words(now.since(iat))), None);
    }
}

/// What was found for a claim whose value a setting demands.
fn against(held: Result<(), &'static str>, value: &str, setting: &str, expected: &str) -> String {
    match held {
        Ok(()) => value.to_owned(),
        Err(why) => format!("{why}: it is {value}, and {setting} is {expected}"),
    }
}

/// Why an id is missing, and which claims are present.
fn lacking(error: &Error, claims: &Map<String, Value>, paths: &[ClaimPath]) -> String {
    let why = error.log().unwrap_or_default();
    match find(claims, paths) {
        None => why.to_owned(),
        Some((_, found)) => format!("{why}: it is {}", shown(Some(found))),
    }
}

/// A claim's value as JSON; if it is long, only its beginning.
fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "missing".to_owned(), ToString::to_string);
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
