//! The keys of a set as an operator reads them, unusable ones included.

use jsonwebtoken::{Algorithm, DecodingKeyKind};
use serde_json::Value;

use shared::auth::{JwkSet, SigningKey};

/// A key of a JWK Set.
#[derive(Debug)]
pub struct DescribedKey {
    /// Its `kid`, if it has one.
    pub id: Option<String>,
    /// Its algorithm and size, such as `RS256, 2048 bits`; or why the key cannot be used.
    pub what: Result<String, &'static str>,
}

impl DescribedKey {
    /// The keys of a JWK Set: of the table, or with `inline` of a setting.
    ///
    /// # Errors
    /// Says that it is no JWK Set.
    pub fn all(jwks: &str, inline: bool) -> Result<Vec<Self>, &'static str> {
        let set: JwkSet = serde_json::from_str(jwks).map_err(|_| "is not a JWK Set")?;
        let mut usable: Vec<SigningKey> = Vec::new();
        let described = set.keys.into_iter().map(|jwk| {
            let id = jwk.get("kid").and_then(Value::as_str).map(ToOwned::to_owned);
            let key = match SigningKey::parse(jwk, inline) {
                Ok(key) => key,
                Err(why) => return Self { id, what: Err(why) },
            };
            // The first one is found: see `SigningKeys::find`.
            if id.is_some() && usable.iter().any(|known| known.id == id && known.algorithm == key.algorithm) {
                return Self { id, what: Err("an earlier key has its kid and its algorithm") };
            }
            let what = Ok(format!("{:?}, {}", key.algorithm, size(&key)));
            usable.push(key);
            Self { id, what }
        });
        Ok(described.collect())
    }
}

fn size(key: &SigningKey) -> String {
    match (key.algorithm, key.key.kind()) {
        (_, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            let unused = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
            format!("{} bits", n.len() * 8 - unused)
        }
        (Algorithm::ES256, _) => "P-256".to_owned(),
        (Algorithm::ES384, _) => "P-384".to_owned(),
        (Algorithm::EdDSA, _) => "Ed25519".to_owned(),
        (_, DecodingKeyKind::SecretOrDer(bytes)) => format!("{} bits", bytes.len() * 8),
    }
}
