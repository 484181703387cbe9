//! Access tokens: one signature is verified for each request, and the claims are checked.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use lambda_http::Error;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// The keys that sign tokens, and what a token must say.
pub struct Tokens {
    keys: Vec<(String, Key)>,
    issuer: String,
    audience: String,
}

enum Key {
    Es256(UnparsedPublicKey<Vec<u8>>),
    Rs256(RsaPublicKeyComponents<Vec<u8>>),
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

#[derive(Deserialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
}

/// The claims that are read.
#[derive(Deserialize)]
pub struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    exp: u64,
    role: &'a str,
    /// The user's id.
    #[serde(borrow)]
    pub sub: Cow<'a, str>,
    /// The organization's id.
    #[serde(borrow, rename = "OrganizationId")]
    pub organization_id: Cow<'a, str>,
}

impl Tokens {
    /// The tokens that the keys of a JWK Set sign.
    pub fn new(jwks: &str) -> Result<Self, Error> {
        let set: JwkSet = serde_json::from_str(jwks)?;
        let keys = set.keys.into_iter().map(|jwk| {
            let key = match (&jwk.x, &jwk.y, &jwk.n, &jwk.e) {
                (Some(x), Some(y), ..) => {
                    let point = [vec![4], BASE64URL.decode(x)?, BASE64URL.decode(y)?].concat();
                    Key::Es256(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
                }
                (_, _, Some(n), Some(e)) => {
                    Key::Rs256(RsaPublicKeyComponents { n: BASE64URL.decode(n)?, e: BASE64URL.decode(e)? })
                }
                _ => return Err("a key of another type".into()),
            };
            Ok::<_, Error>((jwk.kid, key))
        });
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            issuer: std::env::var("TOKEN_ISSUER")?,
            audience: std::env::var("TOKEN_AUDIENCE")?,
        })
    }

    /// The payload of the token in an `Authorization` header, if its signature is right.
    pub fn verify(&self, authorization: &str) -> Result<Vec<u8>, Error> {
        let token = authorization.strip_prefix("Bearer ").ok_or("no bearer token")?;
        let (message, signature) = token.rsplit_once('.').ok_or("no token")?;
        let (header, payload) = message.split_once('.').ok_or("no token")?;
        let header = BASE64URL.decode(header)?;
        let header: Header = serde_json::from_slice(&header)?;
        let (_, key) = self.keys.iter().find(|(id, _)| id == header.kid).ok_or("an unknown key")?;
        let signature = BASE64URL.decode(signature)?;
        let verified = match key {
            Key::Es256(key) if header.alg == "ES256" => key.verify(message.as_bytes(), &signature),
            Key::Rs256(key) if header.alg == "RS256" => {
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature)
            }
            _ => return Err("an algorithm that is not the key's".into()),
        };
        verified.map_err(|_| "the signature is wrong")?;
        Ok(BASE64URL.decode(payload)?)
    }

    /// Reads the claims of a payload and checks them.
    pub fn claims<'a>(&self, payload: &'a [u8], role: &str) -> Result<Claims<'a>, Error> {
        let claims: Claims = serde_json::from_slice(payload)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        if claims.iss != self.issuer
            || claims.aud != self.audience
            || claims.exp <= now
            || claims.role != role
        {
            return Err("the claims do not fit".into());
        }
        Ok(claims)
    }
}
