use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, UnparsedPublicKey,
};
use ring::{hmac, signature};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};
use shared::Error;
use shared::auth::{Caller, Policy, SigningKeySource, SigningKeys, TokenRules, TokenVerifier};
use shared::clock::{Clock, Timestamp};
use shared::error::ErrorKind;
use shared::model::{OrganizationId, UserId};

const ISSUER: &str = "https://issuer.example.org";
const AUDIENCE: &str = "users-api";
/// 2026-01-02T03:04:05Z, in seconds.
const NOW: i64 = 1_767_323_045;
/// A leeway of 60 s.
const LEEWAY: f64 = 60.0;
const POLICY: Policy = Policy::Admin;
/// The public one of `events/demo-key`: an input has the same meaning in every run.
const EC_KEY: &[u8] = include_bytes!("../../events/demo-key/signing-key.p8");
const ED_SEEDS: [[u8; 32]; 2] = [[1; 32], [2; 32]];
const SECRET: &[u8] = b"thirty-two bytes of a bad secret";

struct Keys {
    ec: EcdsaKeyPair,
    /// Two of one algorithm: a token has to say which.
    ed: [Ed25519KeyPair; 2],
    secret: hmac::Key,
    stranger: EcdsaKeyPair,
    public: TokenVerifier,
    symmetric: TokenVerifier,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let ec = |pkcs8: &[u8]| {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random).expect("a key")
    };
    let stranger = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let (own, stranger) = (ec(EC_KEY), ec(stranger.as_ref()));
    let ed = ED_SEEDS.map(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key"));
    let (x, y) = own.public_key().as_ref()[1..].split_at(32);
    let ed_jwk = |id: &str, key: &Ed25519KeyPair| json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": BASE64URL.encode(key.public_key()) });
    let public = json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "kid": "ec", "x": BASE64URL.encode(x), "y": BASE64URL.encode(y) },
        ed_jwk("ed1", &ed[0]),
        ed_jwk("ed2", &ed[1]),
    ]});
    let symmetric = json!({ "keys": [{ "kty": "oct", "kid": "hs", "k": BASE64URL.encode(SECRET) }] });
    let verifier = |jwks: Value| {
        let (clock, _) = Clock::manual(Timestamp::from_millis(NOW * 1000));
        let keys = SigningKeys::parse_inline(&jwks.to_string()).expect("a key set");
        let keys = SigningKeySource::inline(keys);
        TokenVerifier::new(keys, TokenRules::new(ISSUER, AUDIENCE), clock)
    };
    let secret = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    Keys { ec: own, ed, secret, stranger, public: verifier(public), symmetric: verifier(symmetric) }
});

/// A token counts if and only if an independent reading of it says so, and its bearer is who its claims
/// say.
///
/// An input is a token as it stands, or begins with the letter of what is made of the rest; see
/// [`token_of`].
pub fn token(input: &[u8]) {
    let Some(token) = token_of(input) else { return };
    let message = token.rsplit_once('.').map_or("", |(message, _)| message);
    for (verifier, right_key) in [
        (&KEYS.public, is_rightly_signed as fn(&str) -> Option<Signed>),
        (&KEYS.symmetric, is_rightly_authenticated),
    ] {
        let outcome = authorize(verifier, &token);
        let signed = right_key(&token);
        let claims = signed.as_ref().and_then(|signed| right_claims(&signed.payload));
        match outcome {
            Outcome::Unread => {}
            Outcome::Refused => {
                // What nobody sends may be refused: a header of another shape.
                let plain = signed.as_ref().is_some_and(|signed| signed.header_is_plain);
                assert!(!plain || !matches!(claims, Some((_, true))), "refused: {message}");
            }
            Outcome::RoleMissing => {
                let (claims, _) = claims.expect("it does not count");
                assert!(!roles(&claims).contains(&POLICY.role()), "{message}");
            }
            Outcome::Accepted(caller) => {
                let (claims, _) = claims.expect("it does not count");
                assert!(roles(&claims).contains(&POLICY.role()), "{message}");
                check_caller(&caller, &claims);
            }
        }
    }
}

/// The token of an input: `E`, `D`, `F`, `H`: header, a new line and payload, signed with the EC key, the
/// two Ed25519 keys or the secret; `S`: with a stranger's key; `P`: with the public EC key as secret;
/// `N`: not signed; `T`: a good token with a character replaced, given as "position replacement".
fn token_of(input: &[u8]) -> Option<String> {
    let (&how, rest) = input.split_first()?;
    let keys = &*KEYS;
    let random = SystemRandom::new();
    let ec =
        |key: &EcdsaKeyPair, message: &[u8]| key.sign(&random, message).ok().map(|s| s.as_ref().to_vec());
    let mac = |key: &hmac::Key, message: &[u8]| Some(hmac::sign(key, message).as_ref().to_vec());
    let signed = |sign: &dyn Fn(&[u8]) -> Option<Vec<u8>>| {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let message = format!("{}.{}", BASE64URL.encode(&rest[..end]), BASE64URL.encode(&rest[end + 1..]));
        let signature = BASE64URL.encode(sign(message.as_bytes())?);
        Some(format!("{message}.{signature}"))
    };
    match how {
        b'E' => signed(&|message| ec(&keys.ec, message)),
        b'D' => signed(&|message| Some(keys.ed[0].sign(message).as_ref().to_vec())),
        b'F' => signed(&|message| Some(keys.ed[1].sign(message).as_ref().to_vec())),
        b'H' => signed(&|message| mac(&keys.secret, message)),
        b'S' => signed(&|message| ec(&keys.stranger, message)),
        b'P' => {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, keys.ec.public_key().as_ref());
            signed(&|message| mac(&secret, message))
        }
        b'N' => signed(&|_| Some(Vec::new())),
        b'T' => {
            let (position, replacement) = str::from_utf8(rest).ok()?.split_once(' ')?;
            let mut token = token_of(&[b"D".as_slice(), GOOD.as_bytes()].concat())?;
            let position = position.parse::<usize>().ok()? % token.len();
            token.replace_range(position..=position, replacement);
            Some(token)
        }
        _ => String::from_utf8(input.to_vec()).ok(),
    }
}

/// What `T` spoils.
const GOOD: &str = r#"{"alg":"EdDSA","kid":"ed1"}
{"iss":"https://issuer.example.org","aud":"users-api","exp":4102358400,"sub":"kp_a","OrganizationId":"o","role":"Admin"}"#;

enum Outcome {
    Accepted(Caller),
    RoleMissing,
    Refused,
    /// The header is refused before a token is read.
    Unread,
}

fn authorize(verifier: &TokenVerifier, token: &str) -> Outcome {
    let authorization = format!("Bearer {token}");
    let authorized = pin!(async {
        let caller = verifier.caller(Some(&authorization)).await?;
        verifier.check_role(&caller, POLICY)?;
        Ok::<_, Error>(caller)
    });
    // Inline keys are there at once.
    let Poll::Ready(outcome) = authorized.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for something");
    };
    match outcome {
        Ok(caller) => Outcome::Accepted(caller),
        Err(error) => match error.kind() {
            ErrorKind::RoleMissing => Outcome::RoleMissing,
            ErrorKind::TokenInvalid => {
                check_log(&error);
                Outcome::Refused
            }
            ErrorKind::Invalid(_) => {
                assert!(token.contains(','), "a header that was sent once");
                Outcome::Unread
            }
            ErrorKind::HeaderTooLarge { limit } => {
                assert!(authorization.len() > *limit, "a header of an allowed size");
                Outcome::Unread
            }
            kind => panic!("{kind:?}"),
        },
    }
}

/// The log says why, in words of our own.
fn check_log(error: &Error) {
    let log = error.log().expect("the log says why");
    assert!(
        log.starts_with("the token") || log.starts_with("no signing key") || log.starts_with("the claim")
    );
    assert!(log.len() < 80, "{log}");
}

fn check_caller(caller: &Caller, claims: &Members) {
    let is_id = |id: &str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'#')
    };
    let id = |names| claims.first(names).and_then(Value::as_str).filter(|id| is_id(id));
    assert_eq!(caller.user_id().ok().map(UserId::as_str), id(&["sub", "UserId"]));
    assert_eq!(caller.organization_id().ok().map(OrganizationId::as_str), id(&["OrganizationId"]));
    for error in [caller.user_id().err(), caller.organization_id().err()].into_iter().flatten() {
        assert!(matches!(error.kind(), ErrorKind::TokenInvalid));
        check_log(&error);
    }
    if let Some(email) = caller.email() {
        let claim = claims.first(&["email", "Email"]).and_then(Value::as_str);
        assert_eq!(Some(email.as_str()), claim.map(str::trim));
        let verified = claims.0.iter().find(|(name, _)| name == "email_verified");
        assert!(verified.is_none_or(|(_, verified)| *verified == true));
    }
}

fn roles(claims: &Members) -> Vec<&str> {
    match claims.first(&["role", "roles"]) {
        Some(Value::String(role)) => vec![role],
        Some(Value::Array(roles)) => roles.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A token whose signature is right.
struct Signed {
    /// Whether the header has `alg`, `kid` and `typ` alone.
    header_is_plain: bool,
    payload: Vec<u8>,
}

fn is_rightly_signed(token: &str) -> Option<Signed> {
    signed_by(token, |algorithm, id, message, signature| {
        let verified = |parameters: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(parameters, key).verify(message, signature).is_ok()
        };
        match (algorithm, id) {
            ("ES256", None | Some("ec")) => verified(&ECDSA_P256_SHA256_FIXED, KEYS.ec.public_key().as_ref()),
            ("EdDSA", Some("ed1")) => verified(&ED25519, KEYS.ed[0].public_key().as_ref()),
            ("EdDSA", Some("ed2")) => verified(&ED25519, KEYS.ed[1].public_key().as_ref()),
            _ => false,
        }
    })
}

fn is_rightly_authenticated(token: &str) -> Option<Signed> {
    signed_by(token, |algorithm, id, message, signature| {
        matches!((algorithm, id), ("HS256", None | Some("hs")))
            && hmac::verify(&KEYS.secret, message, signature).is_ok()
    })
}

fn signed_by(token: &str, verifies: impl Fn(&str, Option<&str>, &[u8], &[u8]) -> bool) -> Option<Signed> {
    let parts: Vec<&str> = token.split('.').collect();
    let &[header, payload, signature] = parts.as_slice() else { return None };
    let message = &token[..header.len() + 1 + payload.len()];
    let header: Members = serde_json::from_slice(&octets(header)?).ok()?;
    let payload = octets(payload)?;
    for name in ["alg", "kid", "crit", "enc", "zip"] {
        if header.0.iter().filter(|(known, _)| known == name).count() > 1 {
            return None;
        }
    }
    if header.first(&["crit", "enc", "zip"]).is_some() {
        return None;
    }
    let algorithm = header.first(&["alg"])?.as_str()?;
    let id = match header.first(&["kid"]) {
        None => None,
        Some(id) => Some(id.as_str()?),
    };
    let plain = |(name, value): &(String, Value)| match name.as_str() {
        "alg" | "kid" => true,
        "typ" => value == "JWT",
        _ => false,
    };
    let header_is_plain = header.0.len() <= 3 && header.0.iter().all(plain);
    verifies(algorithm, id, message.as_bytes(), &octets(signature)?)
        .then_some(Signed { header_is_plain, payload })
}

/// What base64url text stands for, if that is the one text that stands for it.
fn octets(text: &str) -> Option<Vec<u8>> {
    BASE64URL.decode(text).ok().filter(|octets| BASE64URL.encode(octets) == text)
}

/// The claims of a payload, if they count here and now, and whether that is beyond doubt: to the
/// millisecond, the last moment is a matter of rounding.
fn right_claims(payload: &[u8]) -> Option<(Members, bool)> {
    let claims: Members = serde_json::from_slice(payload).ok()?;
    let mut names: Vec<&String> = claims.0.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    let claim = |name: &str| claims.0.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let audience = match claim("aud")? {
        Value::String(audience) => audience == AUDIENCE,
        Value::Array(audiences) => audiences.contains(&json!(AUDIENCE)),
        _ => false,
    };
    #[expect(clippy::cast_precision_loss, reason = "it is a small number")]
    let now = NOW as f64;
    // From 1970 on, to somewhere after the year 300,000.
    let seconds = |value: &Value| value.as_f64().filter(|seconds| (0.0..=1e13).contains(seconds));
    let left = seconds(claim("exp")?)? + LEEWAY - now;
    let since = match claim("nbf") {
        None => LEEWAY,
        Some(nbf) => now + LEEWAY - seconds(nbf)?,
    };
    let rounding = 0.001;
    let right = claim("iss")? == ISSUER && audience && left > -rounding && since > -rounding;
    let certain = left > rounding && since > rounding;
    right.then_some((claims, certain))
}

/// The members of a JSON object, each as often as it is given.
struct Members(Vec<(String, Value)>);

impl Members {
    /// The first of these that is there and not `null`.
    fn first(&self, names: &[&str]) -> Option<&Value> {
        let find = |name: &&str| self.0.iter().find(|(known, value)| known == name && !value.is_null());
        names.iter().find_map(find).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
