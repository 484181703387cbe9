//! The keys that verify signatures, and where they come from.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use futures_util::FutureExt as _;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

use super::verified_tokens::VerifiedTokens;
use crate::clock::Clock;
use crate::error::Error;
use crate::refreshed::Refreshed;
use crate::table::Table;

/// The sizes of an RSA modulus: from RFC 7518, section 3.3, to what *ring* verifies, in bits.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// The RSA exponents that *ring* supports, if they are odd. With exponent 1, anybody can sign.
const RSA_EXPONENTS: RangeInclusive<u64> = 3..=(1 << 33) - 1;
/// The least size of an HS256 key (RFC 7518, section 3.2), in bytes.
const MIN_HMAC_BYTES: usize = 32;

/// A set of keys, each with the one algorithm that it is for.
#[derive(Debug, Default)]
pub struct SigningKeys {
    /// The keys.
    pub keys: Vec<SigningKey>,
    /// The tokens that they have signed. Another set of keys knows none.
    pub(super) verified: VerifiedTokens,
}

/// A key and the one algorithm that it is for.
#[derive(Debug)]
pub struct SigningKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

/// A JWK Set (RFC 7517) whose keys have not been parsed yet.
#[derive(Deserialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Value>,
}

impl SigningKeys {
    fn new(keys: Vec<SigningKey>) -> Self {
        Self { keys, verified: VerifiedTokens::default() }
    }

    /// Reads a JWK Set (RFC 7517) that an operator wrote. Every key must be usable. Symmetric keys (`oct`, at least 32
    /// bytes, for HS256) are allowed.
    pub fn parse_inline(jwks: &str) -> Result<Self, String> {
        let set: JwkSet = serde_json::from_str(jwks).map_err(|_| "is not a JWK Set".to_owned())?;
        let keys = set.keys.into_iter().enumerate().map(|(index, jwk)| {
            SigningKey::parse(normalised(jwk), true)
                .map_err(|why| format!("has an unusable key at index {index}: {why}"))
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err("has no key".to_owned());
        }
        // Publishing a mixed set would publish the secret, and whoever has the secret can sign.
        let symmetric = keys.iter().filter(|key| key.algorithm == Algorithm::HS256).count();
        if symmetric > 0 && symmetric < keys.len() {
            return Err("mixes symmetric and public keys".to_owned());
        }
        Ok(Self::new(keys))
    }

    /// Reads the JWK Set that the table holds. Ignores everything that is not a usable public signature key.
    fn parse_stored(jwks: &str) -> Result<Self, &'static str> {
        let set: JwkSet = serde_json::from_str(jwks).map_err(|_| "is not a JWK Set")?;
        Ok(Self::new(set.keys.into_iter().filter_map(|jwk| SigningKey::parse(jwk, false).ok()).collect()))
    }

    /// The key that a token's header names. If it names none, there must be exactly one candidate.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&SigningKey> {
        let mut of_algorithm = self.keys.iter().filter(|key| key.algorithm == algorithm);
        match id {
            Some(id) => of_algorithm.find(|key| key.id.as_deref() == Some(id)),
            None => of_algorithm.next().filter(|_| of_algorithm.next().is_none()),
        }
    }

    fn knows(&self, id: Option<&str>) -> bool {
        id.is_none() || self.keys.iter().any(|key| key.id.as_deref() == id)
    }
}

/// The signature keys that an identity provider publishes, ready to be stored.
#[derive(Debug)]
pub struct PublishedKeys {
    jwks: String,
    kept: usize,
    left_out: usize,
}

impl PublishedKeys {
    /// Keeps the usable public signature keys of a provider's JWK Set, and only the members that a verifier needs.
    /// Leaves out private and symmetric keys, and keys with the id and algorithm of an earlier one.
    ///
    /// # Errors
    /// Says why there is nothing to store: no JWK Set, or no usable key in it.
    pub fn parse(jwks: &str) -> Result<Self, &'static str> {
        /// RFC 7518, sections 6.2.1 and 6.3.1, and RFC 8037, section 2.
        const PUBLIC_MEMBERS: [&str; 9] = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];

        let set: JwkSet = serde_json::from_str(jwks).map_err(|_| "is not a JWK Set")?;
        let published = set.keys.len();
        let mut kept: Vec<(SigningKey, Value)> = Vec::new();
        for mut jwk in set.keys.into_iter().map(normalised) {
            // RFC 7518: `d` is in every private key, `k` in every symmetric one.
            if jwk.get("d").is_some() || jwk.get("k").is_some() {
                continue;
            }
            let Ok(key) = SigningKey::parse(jwk.clone(), false) else { continue };
            if kept.iter().any(|(known, _)| known.id == key.id && known.algorithm == key.algorithm) {
                continue;
            }
            if let Some(members) = jwk.as_object_mut() {
                members.retain(|name, _| PUBLIC_MEMBERS.contains(&name.as_str()));
            }
            kept.push((key, jwk));
        }
        if kept.is_empty() {
            return Err("has no usable key");
        }
        let keys: Vec<_> = kept.into_iter().map(|(_, jwk)| jwk).collect();
        let (kept, left_out) = (keys.len(), published - keys.len());
        Ok(Self { jwks: serde_json::json!({ "keys": keys }).to_string(), kept, left_out })
    }

    /// The keys as a JWK Set.
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The keys as a JWK Set.
    #[must_use]
    pub fn into_jwks(self) -> String {
        self.jwks
    }

    /// How many keys were kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// How many keys were left out.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

/// A JWK whose numbers are written as RFC 7518 demands: base64url without padding (section 2), no leading zero bytes in
/// an RSA modulus or exponent (section 2), and as many in a coordinate as its curve has (section 6.2.1.2). Providers
/// publish others.
fn normalised(mut jwk: Value) -> Value {
    let length: usize = match jwk.get("crv").and_then(Value::as_str) {
        Some("P-256") => 32,
        Some("P-384") => 48,
        _ => 0,
    };
    for name in ["n", "e", "x", "y", "k"] {
        let Some(Value::String(number)) = jwk.get_mut(name) else { continue };
        number.truncate(number.trim_end_matches('=').len());
        let length = match name {
            "n" | "e" => 0,
            "x" | "y" if length > 0 => length,
            _ => continue,
        };
        let Ok(bytes) = BASE64URL.decode(&*number) else { continue };
        let digits: Vec<u8> = bytes.into_iter().skip_while(|&byte| byte == 0).collect();
        let mut padded = vec![0; length.saturating_sub(digits.len())];
        padded.extend(digits);
        *number = BASE64URL.encode(padded);
    }
    jwk
}

impl SigningKey {
    /// Parses a key.
    ///
    /// # Errors
    /// Says why the key cannot be used.
    pub fn parse(jwk: Value, symmetric_allowed: bool) -> Result<Self, &'static str> {
        let jwk: Jwk = serde_json::from_value(jwk).map_err(|_| "it is not a JWK")?;
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|r#use| *r#use != PublicKeyUse::Signature) {
            return Err("its use is not sig");
        }
        if common
            .key_operations
            .as_ref()
            .is_some_and(|operations| !operations.contains(&KeyOperations::Verify))
        {
            return Err("its key_ops lack verify");
        }
        let named = common.key_algorithm.map(Algorithm::try_from).transpose();
        let named = named.map_err(|_| "its alg is not a supported signature algorithm")?;
        let algorithm = algorithm(&jwk.algorithm, named, symmetric_allowed)?;
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| "its parameters are not base64url")?;
        match key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => check_rsa(n, e)?,
            DecodingKeyKind::SecretOrDer(bytes) => check_bytes(algorithm, bytes)?,
        }
        Ok(Self { id: jwk.common.key_id, algorithm, key })
    }
}

fn check_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<(), &'static str> {
    match algorithm {
        Algorithm::HS256 if bytes.len() < MIN_HMAC_BYTES => Err("it is shorter than 32 bytes"),
        // An uncompressed point (SEC 1, section 2.3.3).
        Algorithm::ES256 if bytes.len() != 65 => Err("it is not a point of P-256"),
        Algorithm::ES384 if bytes.len() != 97 => Err("it is not a point of P-384"),
        Algorithm::EdDSA if bytes.len() != 32 => Err("it is not an Ed25519 key"),
        Algorithm::EdDSA if has_small_order(bytes) => Err("its point is one with which anybody can sign"),
        _ => Ok(()),
    }
}

/// Whether an Ed25519 key is a point of order 8 or less: one signature fits every eighth message at
/// least, and *ring* verifies it. There are eight such points, and spellings of them that RFC 8032,
/// section 5.1.3, does not allow; here by the y coordinate, little-endian, before the sign of x.
fn has_small_order(point: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Some((last, rest)) = point.split_last() else { return false };
    let y = [rest, &[last & 0x7f]].concat();
    match y.as_slice() {
        // 0 and 1, of order 4 and 1.
        [0 | 1, zeros @ ..] if zeros.iter().all(|&byte| byte == 0) => true,
        // p - 1, of order 2, and again 0 and 1, as p and p + 1.
        [0xec..=0xee, ones @ .., 0x7f] if ones.iter().all(|&byte| byte == 0xff) => true,
        y => ORDER_8.iter().any(|of_order_8| of_order_8 == y),
    }
}

fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), &'static str> {
    // RFC 7518, section 2 forbids leading zeros. *ring* verifies nothing with a number that has them.
    if modulus.first() == Some(&0) || exponent.first() == Some(&0) {
        return Err("its modulus or exponent has leading zeros");
    }
    let unused_bits = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !RSA_BITS.contains(&(modulus.len() * 8 - unused_bits)) {
        return Err("its modulus is not of 2048 to 8192 bits");
    }
    let exponent =
        exponent.iter().fold(0_u64, |value, &byte| value.saturating_mul(256).saturating_add(byte.into()));
    if !RSA_EXPONENTS.contains(&exponent) || exponent % 2 == 0 {
        return Err("its exponent is not odd and of 2 to 33 bits");
    }
    if has_roca_fingerprint(modulus) {
        return Err("its modulus was made by a generator that is broken (CVE-2017-15361)");
    }
    Ok(())
}

/// Whether an RSA modulus was made by the generator of CVE-2017-15361 ("ROCA"), whose keys can be factored: modulo each
/// of the first primes it is a power of 65537 (Nemec and others, "The Return of Coppersmith's Attack", 2017, section
/// 3.3). About one in 2^27 other moduli is wrongly refused.
fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
        103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let residue = modulus.iter().fold(0, |residue, &byte| (residue * 256 + u32::from(byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65537 % prime));
        powers.take(*prime as usize).any(|power| power == residue)
    })
}

/// The one algorithm of a key. A key that names none has the one that its type and curve imply;
/// an RSA key has RS256, which is what providers that omit `alg` sign with.
fn algorithm(
    parameters: &AlgorithmParameters,
    named: Option<Algorithm>,
    symmetric_allowed: bool,
) -> Result<Algorithm, &'static str> {
    use Algorithm::{ES256, ES384, EdDSA, HS256, PS256, PS384, PS512, RS256, RS384, RS512};
    let possible: &[Algorithm] = match parameters {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => &[ES256],
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => &[ES384],
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => &[EdDSA],
        AlgorithmParameters::OctetKey(_) if symmetric_allowed => &[HS256],
        AlgorithmParameters::OctetKey(_) => return Err("it is symmetric"),
        _ => return Err("its type or curve is not supported"),
    };
    match named {
        Some(named) if possible.contains(&named) => Ok(named),
        Some(_) => Err("its alg does not fit its type"),
        None => possible.first().copied().ok_or("its type is not supported"),
    }
}

/// Where the keys come from.
pub struct SigningKeySource(Source);

enum Source {
    /// A setting, which never changes.
    Setting(Arc<SigningKeys>),
    /// The table's signing-keys item.
    Table(Box<TableKeys>),
}

struct TableKeys {
    table: Table,
    clock: Clock,
    keys: Refreshed<SigningKeys>,
}

impl SigningKeySource {
    /// Keys from a setting.
    #[must_use]
    pub fn inline(keys: SigningKeys) -> Self {
        Self(Source::Setting(Arc::new(keys)))
    }

    /// The keys of the table's signing-keys item, read again when older than `max_age`.
    #[must_use]
    pub fn table(table: Table, max_age: Duration, clock: Clock) -> Self {
        let keys = Refreshed::new("the signing keys", max_age, clock.clone());
        Self(Source::Table(Box::new(TableKeys { table, clock, keys })))
    }

    pub(super) fn reads_table(&self) -> bool {
        matches!(self.0, Source::Table(_))
    }

    /// The keys, fresh enough for a token whose header names the key `id`.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Unavailable`] if no keys are known and none can be read. If old
    /// keys cannot be read again, they stay valid, so that a table that is down stops nobody here.
    pub async fn keys_for(&self, id: Option<&str>) -> Result<Arc<SigningKeys>, Error> {
        match &self.0 {
            Source::Setting(keys) => Ok(keys.clone()),
            Source::Table(table) => table.keys.get(|keys| keys.knows(id), || table.read().boxed()).await,
        }
    }

    /// Reads the keys from the table, even if some are known.
    pub(crate) async fn read(&self) -> Result<Arc<SigningKeys>, Error> {
        match &self.0 {
            Source::Setting(keys) => Ok(keys.clone()),
            Source::Table(table) => table.keys.refresh(table.read().boxed()).await,
        }
    }
}

impl TableKeys {
    async fn read(&self) -> Result<SigningKeys, Error> {
        let stored = self.table.signing_keys().await?;
        let stored = stored.ok_or_else(|| Error::unavailable("the table holds no signing keys yet"))?;
        let age = self.clock.now().since(stored.fetched_at).as_secs();
        tracing::info!(signing_keys_age_seconds = age, "read the signing keys");
        SigningKeys::parse_stored(&stored.jwks)
            .map_err(|why| Error::defect(format!("the table's signing-keys item {why}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const fn point(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut point = [middle; 32];
        point[0] = first;
        point[31] = last;
        point
    }

    #[test]
    fn what_a_set_keeps_and_leaves_out_is_counted() {
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(point(2, 3, 4)) });
        let symmetric = json!({ "kty": "oct", "k": BASE64URL.encode([7; 32]), "alg": "HS256" });
        let other =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(point(5, 3, 4)), "kid": "other" });
        for (keys, kept, left_out) in [
            (json!([key]), 1, 0),
            (json!([symmetric, key, key, {}]), 1, 3),
            (json!([key, other, symmetric]), 2, 1),
        ] {
            let published = PublishedKeys::parse(&json!({ "keys": keys }).to_string()).unwrap();
            assert_eq!((published.kept(), published.left_out()), (kept, left_out), "{keys}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused_with_the_reason() {
        let curve = |kty, crv, bytes| {
            let coordinate = BASE64URL.encode(vec![7; bytes]);
            json!({ "kty": kty, "crv": crv, "x": coordinate, "y": coordinate })
        };
        let symmetric = json!({ "kty": "oct", "k": BASE64URL.encode([7; 32]) });
        for (key, why) in [
            (curve("EC", "P-521", 66), "its type or curve is not supported"),
            (curve("OKP", "P-256", 32), "its type or curve is not supported"),
            (symmetric, "it is symmetric"),
        ] {
            assert_eq!(SigningKey::parse(key.clone(), false).unwrap_err(), why, "{key}");
        }
    }

    #[test]
    fn a_key_has_its_algorithms_length() {
        let cases = [
            (Algorithm::HS256, 31, 32),
            (Algorithm::ES256, 64, 65),
            (Algorithm::ES384, 96, 97),
            (Algorithm::EdDSA, 31, 32),
        ];
        for (algorithm, short, right) in cases {
            assert!(check_bytes(algorithm, &vec![7; short]).is_err(), "{algorithm:?}");
            assert_eq!(check_bytes(algorithm, &vec![7; right]), Ok(()), "{algorithm:?}");
        }
        for (algorithm, long) in [(Algorithm::ES256, 66), (Algorithm::ES384, 98), (Algorithm::EdDSA, 33)] {
            assert!(check_bytes(algorithm, &vec![7; long]).is_err(), "{algorithm:?}");
        }
    }

    #[test]
    fn a_point_of_small_order_is_refused_and_its_neighbours_are_not() {
        let of_small_order = [
            point(0, 0, 0),
            point(1, 0, 0),
            point(1, 0, 0x80),
            point(0xec, 0xff, 0x7f),
            point(0xee, 0xff, 0xff),
        ];
        for point in of_small_order {
            assert!(check_bytes(Algorithm::EdDSA, &point).is_err(), "{point:x?}");
        }
        let others = [
            point(2, 0, 0),
            point(0, 1, 0),
            point(1, 0, 1),
            point(0xeb, 0xff, 0x7f),
            point(0xec, 0xfe, 0x7f),
            point(0xec, 0xff, 0x7e),
        ];
        for point in others {
            assert_eq!(check_bytes(Algorithm::EdDSA, &point), Ok(()), "{point:x?}");
        }
    }
}
