//! Key pairs of every algorithm that counts, and the tokens that they sign.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use ring::{hmac, rsa};
use serde_json::{Value, json};

/// A key pair of one algorithm, or a shared secret.
pub trait KeyPair {
    fn algorithm(&self) -> &'static str;
    /// The public half, or the secret. Its `kid` is the algorithm's name.
    fn jwk(&self) -> Value;
    /// The public half as a certificate holds it: `RSAPublicKey` (PKCS #1), an uncompressed point (SEC 1),
    /// 32 bytes (RFC 8032). Of a secret nothing.
    fn public_key(&self) -> &[u8];
    fn sign(&self, message: &[u8]) -> Vec<u8>;

    /// The header of a token that it signs.
    fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "typ": "JWT", "kid": self.algorithm() })
    }
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(bytes)
}

/// A token of a header and a payload.
pub fn jws(header: &Value, payload: &Value, key: &dyn KeyPair) -> String {
    signed_text(&header.to_string(), &payload.to_string(), key)
}

/// A token of a header and a payload that are any text.
pub fn signed_text(header: &str, payload: &str, key: &dyn KeyPair) -> String {
    signed_parts(&base64url(header), &base64url(payload), key)
}

/// A token whose first two parts are just these.
pub fn signed_parts(header: &str, payload: &str, key: &dyn KeyPair) -> String {
    let message = format!("{header}.{payload}");
    format!("{message}.{}", base64url(key.sign(message.as_bytes())))
}

pub struct Rsa {
    algorithm: &'static str,
    encoding: &'static dyn RsaEncoding,
    pair: RsaKeyPair,
}

impl Rsa {
    pub fn new(algorithm: &'static str, encoding: &'static dyn RsaEncoding) -> Self {
        // A key that signs nothing but these tests' tokens. *ring* makes none of its own.
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("fixtures/test-only-rsa-2048.p8")).unwrap();
        Self { algorithm, encoding, pair }
    }
}

impl KeyPair for Rsa {
    fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    fn jwk(&self) -> Value {
        let public = rsa::PublicKeyComponents::<Vec<u8>>::from(self.pair.public());
        json!({
            "kty": "RSA", "alg": self.algorithm, "use": "sig", "kid": self.algorithm,
            "n": BASE64URL.encode(public.n), "e": BASE64URL.encode(public.e),
        })
    }

    fn public_key(&self) -> &[u8] {
        self.pair.public().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(self.encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

pub struct Ecdsa {
    algorithm: &'static str,
    pair: EcdsaKeyPair,
}

impl Ecdsa {
    pub fn es256() -> Self {
        Self::new("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    pub fn es384() -> Self {
        Self::new("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    fn new(algorithm: &'static str, signing: &'static EcdsaSigningAlgorithm) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &SystemRandom::new()).unwrap();
        Self {
            algorithm,
            pair: EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &SystemRandom::new()).unwrap(),
        }
    }

    /// An ES256 key of a PKCS #8 document.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Self {
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8, &SystemRandom::new()).unwrap();
        Self { algorithm: "ES256", pair }
    }
}

impl KeyPair for Ecdsa {
    fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    fn jwk(&self) -> Value {
        let point = &self.public_key()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let curve = if self.algorithm == "ES384" { "P-384" } else { "P-256" };
        json!({
            "kty": "EC", "crv": curve, "alg": self.algorithm, "kid": self.algorithm,
            "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
        })
    }

    fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        signature.unwrap().as_ref().to_vec()
    }
}

pub struct Ed25519(Ed25519KeyPair);

impl Ed25519 {
    pub fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }
}

impl KeyPair for Ed25519 {
    fn algorithm(&self) -> &'static str {
        "EdDSA"
    }

    fn jwk(&self) -> Value {
        let x = BASE64URL.encode(self.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "EdDSA", "x": x })
    }

    fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

/// A shared secret; any name may stand for its algorithm.
pub struct Hmac {
    algorithm: &'static str,
    hash: hmac::Algorithm,
    secret: Vec<u8>,
}

impl Hmac {
    pub fn hs256(secret: impl Into<Vec<u8>>) -> Self {
        Self { algorithm: "HS256", hash: hmac::HMAC_SHA256, secret: secret.into() }
    }

    pub fn hs384(secret: impl Into<Vec<u8>>) -> Self {
        Self { algorithm: "HS384", hash: hmac::HMAC_SHA384, secret: secret.into() }
    }

    pub fn hs512(secret: impl Into<Vec<u8>>) -> Self {
        Self { algorithm: "HS512", hash: hmac::HMAC_SHA512, secret: secret.into() }
    }
}

impl KeyPair for Hmac {
    fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    fn jwk(&self) -> Value {
        json!({
            "kty": "oct", "alg": self.algorithm, "kid": self.algorithm, "k": BASE64URL.encode(&self.secret),
        })
    }

    fn public_key(&self) -> &[u8] {
        &[]
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(self.hash, &self.secret), message).as_ref().to_vec()
    }
}

/// The secret of [`every_algorithm`]'s HS256.
pub const SECRET: &[u8] = b"a secret of exactly 32 bytes ...";

/// A key pair for each algorithm that the design names, HS256 last.
pub fn every_algorithm() -> Vec<Box<dyn KeyPair>> {
    vec![
        Box::new(Rsa::new("RS256", &RSA_PKCS1_SHA256)),
        Box::new(Rsa::new("RS384", &RSA_PKCS1_SHA384)),
        Box::new(Rsa::new("RS512", &RSA_PKCS1_SHA512)),
        Box::new(Rsa::new("PS256", &RSA_PSS_SHA256)),
        Box::new(Rsa::new("PS384", &RSA_PSS_SHA384)),
        Box::new(Rsa::new("PS512", &RSA_PSS_SHA512)),
        Box::new(Ecdsa::es256()),
        Box::new(Ecdsa::es384()),
        Box::new(Ed25519::new()),
        Box::new(Hmac::hs256(SECRET)),
    ]
}
