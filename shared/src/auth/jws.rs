//! Reads the compact serialization of a JWS (RFC 7515, section 7.1) and verifies its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::{Algorithm, crypto};
use serde_json::Value;

use super::signing_keys::{SigningKey, SigningKeys};
use super::{ring_provider, unique_names};

/// The members of a header that demand features which this reader does not support (RFC 7515, section 4.1.11; RFC 7516,
/// section 4.1; RFC 7797). Whatever their value, a token that has one is refused.
const DEMANDS: [&str; 4] = ["crit", "enc", "zip", "b64"];

/// A JWS whose signature has not been checked yet.
pub struct Jws<'a> {
    token: &'a str,
    /// The algorithm that its header names.
    pub algorithm: Algorithm,
    key_id: Option<String>,
    /// What is signed: the header, a dot, the payload.
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Jws<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// Says what is wrong with it, without any part of it.
    pub fn parse(token: &'a str) -> Result<Self, &'static str> {
        const NOT_ONE: &str = "the token is not a signed JWT";
        let (message, signature) = token.rsplit_once('.').ok_or(NOT_ONE)?;
        // If there are more than three parts, the payload has a dot, which is not base64url.
        let (header, payload) = message.split_once('.').ok_or(NOT_ONE)?;
        let header = BASE64URL.decode(header).map_err(|_| NOT_ONE)?;
        let mut header = unique_names::object(&header, |_| false)
            .ok_or("the token's header is not an object with unique names")?;
        if DEMANDS.iter().any(|name| header.contains_key(*name)) {
            return Err("the token's header demands an extension");
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(|name| name.parse().ok());
        let algorithm = algorithm.ok_or("the token's alg is missing or unknown")?;
        let key_id = match header.remove("kid") {
            None => None,
            Some(Value::String(id)) => Some(id),
            Some(_) => return Err("the token's kid is not a string"),
        };
        Ok(Self { token, algorithm, key_id, message, payload, signature })
    }

    /// The id of the key that its header names.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The payload, if the key that the header names has signed it, with that key's own algorithm.
    ///
    /// # Errors
    /// Says what is wrong with it, without any part of it.
    pub fn verify(&self, keys: &SigningKeys) -> Result<Vec<u8>, &'static str> {
        let key = self.key_of(keys)?;
        keys.verified.check(self.token, || self.check_signature(key))?;
        self.payload()
    }

    /// The key that the header names.
    ///
    /// # Errors
    /// Says that there is none.
    pub fn key_of<'k>(&self, keys: &'k SigningKeys) -> Result<&'k SigningKey, &'static str> {
        keys.find(self.key_id(), self.algorithm)
            .ok_or("no signing key has the id and the algorithm of the token's header")
    }

    /// Whether this key has signed it.
    ///
    /// # Errors
    /// Says that it has not.
    pub fn check_signature(&self, key: &SigningKey) -> Result<(), &'static str> {
        ring_provider::install();
        match crypto::verify(self.signature, self.message.as_bytes(), &key.key, key.algorithm) {
            Ok(true) => Ok(()),
            _ => Err("the token's signature is wrong"),
        }
    }

    /// The payload. Do not trust it before the signature has been checked.
    ///
    /// # Errors
    /// Says that it is not base64url.
    pub fn payload(&self) -> Result<Vec<u8>, &'static str> {
        BASE64URL.decode(self.payload).map_err(|_| "the token's payload is not base64url")
    }
}
