//! The key that signs the local system's tokens: ECDSA on P-256 (ES256).

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use shared::clock::Timestamp;
use zeroize::Zeroizing;

use super::{AUDIENCE, ISSUER};
use crate::files::{create_private_dir, write_new_private};

/// The key's file in the data directory: PKCS #8 (RFC 5958), DER.
pub(super) const FILE: &str = "signing-key.p8";

/// The claims of a local token.
#[derive(Clone, Default)]
pub struct TokenClaims {
    /// `sub`: the user's id.
    pub user_id: String,
    /// `OrganizationId`.
    pub organization_id: String,
    /// `role`: a string if there is exactly one, else an array.
    pub roles: Vec<String>,
    /// `email`, if there is one.
    pub email: Option<String>,
    /// Seconds until `exp`; negative for a token that has expired. A day if it is not given.
    pub expires_in: Option<i64>,
}

/// Signs tokens.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl SigningKey {
    /// A new key that is stored nowhere.
    pub fn generate() -> Result<Self, String> {
        Self::from_pkcs8(&new_pkcs8()?)
    }

    /// The key of a data directory, in a file that only its owner can read. Creates the key and the directory if they
    /// do not exist.
    pub fn kept_in(data_dir: &Path) -> Result<Self, String> {
        let file = data_dir.join(FILE);
        if !file.exists() {
            create_private_dir(data_dir)
                .map_err(|error| format!("cannot make {}: {error}", data_dir.display()))?;
            match write_new_private(&file, &new_pkcs8()?) {
                // Another process was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                written => written.map_err(|error| format!("cannot write {}: {error}", file.display()))?,
            }
        }
        Self::read_from(data_dir)
    }

    /// The key of a directory. Creates none.
    pub(crate) fn read_from(data_dir: &Path) -> Result<Self, String> {
        let file = data_dir.join(FILE);
        let pkcs8 = fs::read(&file).map_err(|error| match error.kind() {
            ErrorKind::NotFound if fs::symlink_metadata(&file).is_err() => {
                let data_dir = data_dir.display();
                format!("{data_dir} holds no signing key: start `users serve --data-dir {data_dir}`")
            }
            _ => format!("cannot read {}: {error}", file.display()),
        })?;
        Self::from_pkcs8(&pkcs8).map_err(|why| format!("{} {why}", file.display()))
    }

    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, String> {
        EcdsaKeyPair::from_pkcs8(&ES256, pkcs8, &SystemRandom::new())
            .map(|pair| Self { pair, pkcs8: pkcs8.to_vec().into() })
            .map_err(|_| "is not a P-256 key in PKCS #8: delete it and a new one is made".to_owned())
    }

    /// The public key as a JWK Set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> String {
        // An uncompressed point: 0x04, x, y (SEC 1, section 2.3.3).
        let (x, y) = self.pair.public_key().as_ref().get(1..).unwrap_or_default().split_at(32);
        let key = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id(),
            "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
        });
        json!({ "keys": [key] }).to_string()
    }

    /// The private key: PKCS #8 (RFC 5958), DER.
    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    fn id(&self) -> String {
        let hash = digest(&SHA256, self.pair.public_key().as_ref());
        BASE64URL.encode(hash.as_ref().get(..9).unwrap_or_default())
    }

    /// A token with these claims, issued at `now`.
    #[must_use]
    pub fn token(&self, claims: &TokenClaims, now: Timestamp) -> String {
        let expires_in =
            claims.expires_in.unwrap_or_else(|| Duration::from_hours(24).as_secs().cast_signed());
        let role = match claims.roles.as_slice() {
            [role] => json!(role),
            roles => json!(roles),
        };
        let mut payload = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": claims.user_id, "OrganizationId": claims.organization_id,
            "role": role, "iat": now.seconds(), "exp": now.seconds().saturating_add(expires_in),
        });
        if let (Some(email), Some(payload)) = (&claims.email, payload.as_object_mut()) {
            payload.insert("email".to_owned(), json!(email));
        }
        self.sign(&payload)
    }

    /// Any payload, signed (RFC 7515, compact serialization).
    #[must_use]
    pub fn sign(&self, payload: &Value) -> String {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.id() });
        let message = [header, payload.clone()].map(|part| BASE64URL.encode(part.to_string())).join(".");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        let signature = signature.map(|signature| BASE64URL.encode(signature.as_ref())).unwrap_or_default();
        format!("{message}.{signature}")
    }
}

fn new_pkcs8() -> Result<Vec<u8>, String> {
    EcdsaKeyPair::generate_pkcs8(&ES256, &SystemRandom::new())
        .map(|pkcs8| pkcs8.as_ref().to_vec())
        .map_err(|_| "the operating system gave no randomness for a signing key".to_owned())
}
