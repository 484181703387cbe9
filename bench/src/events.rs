//! The events: those of `events/`, each with a token of its own, so that a cache of verified tokens
//! hides no verification.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use bytes::Bytes;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// The public key set of the events' tokens, and what signs them.
pub struct Tokens {
    /// The key set, as the table holds it.
    pub jwks: String,
    pair: EcdsaKeyPair,
}

impl Tokens {
    /// The key of `events/`.
    pub fn load(root: &Path) -> Result<Self, String> {
        let environment = read_json(&root.join("events/environment.json"))?;
        let jwks = environment.pointer("/Parameters/SIGNING_KEYS").and_then(Value::as_str);
        let file = root.join("events/demo-key/signing-key.p8");
        let pkcs8 = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &SystemRandom::new());
        Ok(Self {
            jwks: jwks.ok_or("events/environment.json has no SIGNING_KEYS")?.to_owned(),
            pair: pair.map_err(|error| format!("{}: {error}", file.display()))?,
        })
    }

    /// A signature as `floor-client` takes it: the public key and its signature of 300 `x`, about as
    /// many bytes as a token has, byte by byte.
    pub fn signature(&self) -> Result<String, String> {
        let signature = self.pair.sign(&SystemRandom::new(), &[b'x'; 300]);
        let signature = signature.map_err(|error| error.to_string())?;
        let list = |bytes: &[u8]| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        Ok(format!("{}:{}", list(self.pair.public_key().as_ref()), list(signature.as_ref())))
    }

    fn sign(&self, header: &str, payload: &Value) -> Result<String, String> {
        let message = format!("{header}.{}", BASE64URL.encode(payload.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        let signature = signature.map_err(|error| error.to_string())?;
        Ok(format!("{message}.{}", BASE64URL.encode(signature.as_ref())))
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

    /// Copies of the event, each with a new token, so that each is verified.
    pub fn copies(&self, tokens: &Tokens, count: usize) -> Result<Vec<Bytes>, String> {
        let token = self.sent.pointer("/headers/authorization").and_then(Value::as_str);
        let Some(token) = token.and_then(|header| header.strip_prefix("Bearer ")) else {
            return Ok(vec![Bytes::from(self.sent.to_string()); count]);
        };
        let mut parts = token.split('.');
        let (header, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let payload = BASE64URL.decode(payload).map_err(|error| error.to_string())?;
        let mut payload: Value = serde_json::from_slice(&payload).map_err(|error| error.to_string())?;
        let text = self.sent.to_string();
        (0..count)
            .map(|number| {
                if let Some(payload) = payload.as_object_mut() {
                    payload.insert("jti".to_owned(), json!(format!("{number:08}")));
                }
                Ok(text.replace(token, &tokens.sign(header, &payload)?).into())
            })
            .collect()
    }

    /// Whether an answer is the recorded one.
    pub fn check(&self, answer: &[u8]) -> Result<(), String> {
        let parsed: Value = serde_json::from_slice(answer).unwrap_or_default();
        let body = parsed.get("body").and_then(Value::as_str).unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        if parsed.get("statusCode") == Some(&self.status) && body == self.body {
            Ok(())
        } else {
            Err(format!("a wrong answer: {}", String::from_utf8_lossy(answer)))
        }
    }
}

fn read_json(file: &Path) -> Result<Value, String> {
    let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    #[test]
    fn no_two_copies_of_an_event_have_a_token_of_the_same_payload() {
        let tokens = Tokens::load(root()).unwrap();
        let copies = Event::load(root(), "get-profile").unwrap().copies(&tokens, 3).unwrap();
        let payloads: std::collections::HashSet<_> = copies
            .iter()
            .map(|copy| {
                let copy: Value = serde_json::from_slice(copy).unwrap();
                let bearer = copy["headers"]["authorization"].as_str().unwrap();
                bearer.split('.').nth(1).unwrap().to_owned()
            })
            .collect();
        assert_eq!(payloads.len(), 3);
    }

    #[test]
    fn another_status_or_another_body_is_a_wrong_answer() {
        let event = Event::load(root(), "check-user-exists").unwrap();
        assert_eq!(event.check(br#"{"statusCode":200,"body":"{\"UserExists\": true}"}"#), Ok(()));
        assert!(event.check(br#"{"statusCode":200,"body":"{\"UserExists\":false}"}"#).is_err());
        assert!(event.check(br#"{"statusCode":503,"body":"{\"UserExists\":true}"}"#).is_err());
    }
}
