//! The compact serialization of a JWS (RFC 7515, section 7.1), read and its signature verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::{Header, crypto, decode_header};

use super::ring_provider;
use super::signing_keys::SigningKeys;

/// The largest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A JWS whose signature nobody has looked at yet.
pub struct Jws<'a> {
    header: Header,
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
        if token.len() > MAX_TOKEN_BYTES {
            return Err("the token is larger than 8 KiB");
        }
        let (message, signature) = token.rsplit_once('.').ok_or(NOT_ONE)?;
        let (_, payload) = message.split_once('.').filter(|(_, rest)| !rest.contains('.')).ok_or(NOT_ONE)?;
        let header = decode_header(token).map_err(|_| NOT_ONE)?;
        // RFC 7515, section 4.1.11: an extension that is not understood must be refused. None is.
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err("the token's header demands an extension");
        }
        Ok(Self { header, message, payload, signature })
    }

    /// The id of the key that it says has signed it.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The payload, if the key that the header names has signed it, with that key's own algorithm.
    ///
    /// # Errors
    /// Says what is wrong with it, without any part of it.
    pub fn verify(&self, keys: &SigningKeys) -> Result<Vec<u8>, &'static str> {
        ring_provider::install();
        let key = keys
            .find(self.key_id(), self.header.alg)
            .ok_or("no signing key has the id and the algorithm of the token's header")?;
        match crypto::verify(self.signature, self.message.as_bytes(), &key.key, key.algorithm) {
            Ok(true) => BASE64URL.decode(self.payload).map_err(|_| "the token's payload is not base64url"),
            _ => Err("the token's signature is wrong"),
        }
    }
}
