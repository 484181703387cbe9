//! The events: those of `events/`, each with a token of its own, so that a memory of verified tokens
//! hides no verification; or all with one token, to see what it saves.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use bytes::Bytes;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::answers::organization;

/// A key that signs nothing but the tokens of tests. *ring* makes no RSA keys.
const RSA_KEY: &str = "tests/acceptance/harness/fixtures/test-only-rsa-2048.p8";
/// The id of that key.
const RSA_KEY_ID: &str = "RS256";

/// The tokens of a start's events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenUse {
    /// Each event has a new one, signed by ES256.
    NewEs256,
    /// Each event has a new one, signed by RS256, as most identity providers do.
    NewRs256,
    /// All events have the same one, signed by ES256.
    Repeated,
}

/// The public key set of the events' tokens, and what signs them.
pub struct Tokens {
    /// The key set, as the table holds it.
    pub jwks: String,
    es256: EcdsaKeyPair,
    rs256: RsaKeyPair,
}

impl Tokens {
    /// The key of `events/`, and an RSA key.
    pub fn load(root: &Path) -> Result<Self, String> {
        let environment = read_json(&root.join("events/environment.json"))?;
        let jwks = environment.pointer("/Parameters/SIGNING_KEYS").and_then(Value::as_str);
        let jwks = jwks.ok_or("events/environment.json has no SIGNING_KEYS")?;
        let mut jwks: Value = serde_json::from_str(jwks).map_err(|error| format!("SIGNING_KEYS: {error}"))?;
        let es256 = read(&root.join("events/demo-key/signing-key.p8"))?;
        let es256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &es256, &SystemRandom::new());
        let rs256 = RsaKeyPair::from_pkcs8(&read(&root.join(RSA_KEY))?);
        let rs256 = rs256.map_err(|error| format!("{RSA_KEY}: {error}"))?;
        let PublicKeyComponents::<Vec<u8>> { n, e } = rs256.public().into();
        let (n, e) = (BASE64URL.encode(n), BASE64URL.encode(e));
        let keys = jwks.get_mut("keys").and_then(Value::as_array_mut).ok_or("SIGNING_KEYS has no keys")?;
        keys.push(json!({ "alg": "RS256", "e": e, "kid": RSA_KEY_ID, "kty": "RSA", "n": n, "use": "sig" }));
        Ok(Self {
            jwks: jwks.to_string(),
            es256: es256.map_err(|error| format!("events/demo-key: {error}"))?,
            rs256,
        })
    }

    /// A signature as `floor-client` takes it: the public key and its signature of 300 `x`, about as
    /// many bytes as a token has, byte by byte.
    pub fn signature(&self) -> Result<String, String> {
        let signature = self.es256.sign(&SystemRandom::new(), &[b'x'; 300]);
        let signature = signature.map_err(|error| error.to_string())?;
        let list = |bytes: &[u8]| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        Ok(format!("{}:{}", list(self.es256.public_key().as_ref()), list(signature.as_ref())))
    }

    /// A token with the header of an ES256 token, or one of RS256.
    fn sign(&self, es256_header: &str, payload: &Value, by: TokenUse) -> Result<String, String> {
        let payload = BASE64URL.encode(payload.to_string());
        let fault = |error: ring::error::Unspecified| error.to_string();
        let (message, signature) = if by == TokenUse::NewRs256 {
            let header = json!({ "alg": "RS256", "kid": RSA_KEY_ID, "typ": "JWT" }).to_string();
            let message = format!("{}.{payload}", BASE64URL.encode(header));
            let mut signature = vec![0; self.rs256.public().modulus_len()];
            let signed =
                self.rs256.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature);
            signed.map_err(fault)?;
            (message, signature)
        } else {
            let message = format!("{es256_header}.{payload}");
            let signature = self.es256.sign(&SystemRandom::new(), message.as_bytes()).map_err(fault)?;
            (message, signature.as_ref().to_vec())
        };
        Ok(format!("{message}.{}", BASE64URL.encode(signature)))
    }
}

/// API Gateway's event for one endpoint, and the expected answer.
#[derive(Clone)]
pub struct Event {
    sent: Value,
    status: Value,
    body: Value,
}

impl Event {
    /// The event of `events/<name>.json`.
    pub fn load(root: &Path, name: &str) -> Result<Self, String> {
        let event = read_json(&root.join(format!("events/{name}.json")))?;
        let mut answer = read_json(&root.join(format!("events/answers/{name}.json")))?;
        let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        let body = serde_json::from_str(body).map_err(|error| format!("the answer of {name}: {error}"))?;
        let status = answer.get_mut("statusCode").map(Value::take).unwrap_or_default();
        Ok(Self { sent: event, status, body })
    }

    /// The same event without a field of its body.
    pub fn without(mut self, field: &str) -> Result<Self, String> {
        let body = self.sent.get("body").and_then(Value::as_str).unwrap_or_default();
        let mut body: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        body.as_object_mut().and_then(|body| body.remove(field)).ok_or("the event has no such field")?;
        if let Some(event) = self.sent.as_object_mut() {
            event.insert("body".to_owned(), body.to_string().into());
        }
        Ok(self)
    }

    /// The same event about a user who is in so many organizations. Its answer lists them.
    #[must_use]
    pub fn listing(mut self, length: usize) -> Self {
        let user = self.body.pointer("/0/UserId").cloned();
        let all = (0..length).map(|number| {
            let [id, name, slug, customer] = organization(number);
            match &user {
                Some(user) => json!({ "UserId": user, "CustomerNumber": customer, "OrganizationId": id }),
                None => json!({ "OrganizationId": id, "Name": name, "Slug": slug }),
            }
        });
        let all = Value::Array(all.collect());
        self.body = if user.is_some() { all } else { json!({ "Organizations": all }) };
        self
    }

    /// Copies of the event, with tokens.
    pub fn copies(&self, tokens: &Tokens, count: usize, used: TokenUse) -> Result<Vec<Bytes>, String> {
        let token = self.sent.pointer("/headers/authorization").and_then(Value::as_str);
        let Some(token) = token.and_then(|header| header.strip_prefix("Bearer ")) else {
            return Ok(vec![Bytes::from(self.sent.to_string()); count]);
        };
        let mut parts = token.split('.');
        let (header, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let payload = BASE64URL.decode(payload).map_err(|error| error.to_string())?;
        let mut payload: Value = serde_json::from_slice(&payload).map_err(|error| error.to_string())?;
        let text = self.sent.to_string();
        let mut copy = |number: usize| {
            if let Some(payload) = payload.as_object_mut() {
                payload.insert("jti".to_owned(), json!(format!("{number:08}")));
            }
            Ok(Bytes::from(text.replace(token, &tokens.sign(header, &payload, used)?)))
        };
        match used {
            TokenUse::Repeated => Ok(vec![copy(0)?; count]),
            TokenUse::NewEs256 | TokenUse::NewRs256 => (0..count).map(copy).collect(),
        }
    }

    /// Whether an answer is the recorded one.
    pub fn check(&self, answer: &[u8]) -> Result<(), String> {
        let parsed: Value = serde_json::from_slice(answer).unwrap_or_default();
        let body = parsed.get("body").and_then(Value::as_str).unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        if parsed.get("statusCode") == Some(&self.status) && body == self.body {
            Ok(())
        } else {
            let start = answer.get(..1000).unwrap_or(answer);
            Err(format!("a wrong answer: {}", String::from_utf8_lossy(start)))
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn read_json(file: &Path) -> Result<Value, String> {
    serde_json::from_slice(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    #[test]
    fn no_two_copies_of_an_event_have_a_token_of_the_same_payload_unless_it_is_repeated() {
        let tokens = Tokens::load(root()).unwrap();
        let event = Event::load(root(), "get-profile").unwrap();
        for (used, different) in [(TokenUse::NewEs256, 3), (TokenUse::NewRs256, 3), (TokenUse::Repeated, 1)] {
            let copies = event.copies(&tokens, 3, used).unwrap();
            let payloads: std::collections::HashSet<_> = copies
                .iter()
                .map(|copy| {
                    let copy: Value = serde_json::from_slice(copy).unwrap();
                    let bearer = copy["headers"]["authorization"].as_str().unwrap();
                    bearer.split('.').nth(1).unwrap().to_owned()
                })
                .collect();
            assert_eq!(payloads.len(), different, "{used:?}");
        }
    }

    #[test]
    fn a_list_of_two_is_the_recorded_answer() {
        for name in ["list-organizations", "list-customer-associations"] {
            let event = Event::load(root(), name).unwrap();
            assert_eq!(event.clone().listing(2).body, event.body, "{name}");
            assert_ne!(event.clone().listing(3).body, event.body, "{name}");
        }
    }

    #[test]
    fn another_status_or_another_body_is_a_wrong_answer() {
        let event = Event::load(root(), "check-user-exists").unwrap();
        assert_eq!(event.check(br#"{"statusCode":200,"body":"{\"UserExists\": true}"}"#), Ok(()));
        assert!(event.check(br#"{"statusCode":200,"body":"{\"UserExists\":false}"}"#).is_err());
        assert!(event.check(br#"{"statusCode":503,"body":"{\"UserExists\":true}"}"#).is_err());
    }
}
