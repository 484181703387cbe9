//! The key that a token names, brings along or hopes for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{CertificateParams, PublicKeyData, SignatureAlgorithm};
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents};
use serde_json::{Value, json};

use super::{Attack, Keys, Stage};
use crate::harness::key_pairs::{Ecdsa, Hmac, KeyPair, base64url, jws};

/// A public key as X.509 has it.
struct Public<'a>(&'a dyn KeyPair);

impl PublicKeyData for Public<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.0.algorithm() {
            "ES256" => &rcgen::PKCS_ECDSA_P256_SHA256,
            "ES384" => &rcgen::PKCS_ECDSA_P384_SHA384,
            "EdDSA" => &rcgen::PKCS_ED25519,
            _ => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

/// A textual encoding (RFC 7468) without the line end that usually follows.
fn pem(label: &str, der: &[u8], line_end: &str) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    [&format!("-----BEGIN {label}-----"), &*lines.join(line_end), &format!("-----END {label}-----")]
        .join(line_end)
}

/// The texts and bytes in which a public key comes.
fn spellings(key: &dyn KeyPair) -> Vec<(String, Vec<u8>)> {
    let spki = Public(key).subject_public_key_info();
    let mut forms = vec![("SPKI", "PUBLIC KEY", spki)];
    if key.jwk()["kty"] == "RSA" {
        forms.push(("PKCS #1", "RSA PUBLIC KEY", key.public_key().to_vec()));
    }
    let mut spellings = Vec::new();
    for (form, label, der) in forms {
        let text = pem(label, &der, "\n");
        spellings.push((format!("{form} PEM"), text.clone().into_bytes()));
        spellings.push((format!("{form} PEM with a new line"), format!("{text}\n").into_bytes()));
        spellings.push((
            format!("{form} PEM with CR LF"),
            format!("{}\r\n", pem(label, &der, "\r\n")).into_bytes(),
        ));
        spellings.push((format!("{form} base64"), BASE64.encode(&der).into_bytes()));
        spellings.push((format!("{form} DER with a new line"), [&der[..], b"\n"].concat()));
        spellings.push((format!("{form} DER"), der));
    }
    let jwk = key.jwk();
    spellings.push(("JWK".to_owned(), jwk.to_string().into_bytes()));
    spellings.push(("JWK Set".to_owned(), json!({ "keys": [&jwk] }).to_string().into_bytes()));
    spellings.push(("raw key".to_owned(), key.public_key().to_vec()));
    for name in ["n", "x", "y"] {
        let Some(value) = jwk[name].as_str() else { continue };
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(value).unwrap();
        spellings.push((format!("`{name}`"), bytes));
        spellings.push((format!("`{name}` in base64url"), value.into()));
    }
    spellings
}

/// HMAC with what everybody knows.
pub fn public_keys_as_secrets(stage: &Stage, role: &str) -> Vec<Attack> {
    let payload = stage.payload(role);
    let tokens = |kid: &str, secret: &[u8]| {
        let mut tokens = Vec::new();
        for hmac in [Hmac::hs256(secret), Hmac::hs384(secret), Hmac::hs512(secret)] {
            for kid in [Some(kid), Some("unknown"), None] {
                let mut header = json!({ "alg": hmac.algorithm(), "typ": "JWT" });
                if let Some(kid) = kid {
                    header["kid"] = kid.into();
                }
                tokens.push(jws(&header, &payload, &hmac));
            }
        }
        tokens
    };
    let mut rows = Vec::new();
    for (keys, place) in [(Keys::Stored, "table"), (Keys::InlinePublic, "setting")] {
        for algorithm in ["RS256", "ES256", "ES384", "EdDSA"] {
            for (spelling, secret) in spellings(stage.key(algorithm)) {
                let name = format!("HMAC with the {algorithm} key of the {place}, {spelling}");
                rows.push(Attack::refused(name, tokens(algorithm, &secret)).with_keys(keys));
            }
        }
    }
    for (name, secret) in [
        ("nothing", b"".as_slice()),
        ("one NUL", b"\0"),
        ("\"secret\"", b"secret"),
        ("the key's id", b"ES256"),
        ("the setting's own name", b"SIGNING_KEYS"),
    ] {
        rows.push(Attack::refused(format!("HMAC with {name}"), tokens("ES256", secret)));
        rows.push(
            Attack::refused(format!("HMAC with {name} where a secret counts"), tokens("HS256", secret))
                .with_keys(Keys::InlineSecret),
        );
    }
    rows
}

/// Keys in a token's own header.
pub fn brought_along(stage: &Stage, role: &str) -> Vec<Attack> {
    const NOT_READ: &str = "the known key of its id has signed it; the member is not read, nobody asked";
    let payload = stage.payload(role);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["users.local".to_owned()]).unwrap().self_signed(&key).unwrap();
    let stranger = Ecdsa::from_pkcs8(key.serialized_der());
    let mut jwk = stranger.jwk();
    let thumbprint = base64url(digest(&SHA256, certificate.der()));
    let url = stage.bait();
    let members = [
        ("jwk", vec![("jwk", jwk.clone())]),
        ("jwk of the known key's id", {
            jwk["kid"] = "ES256".into();
            vec![("jwk", jwk.clone())]
        }),
        ("jku", vec![("jku", json!(url))]),
        ("x5u", vec![("x5u", json!(url))]),
        ("x5c", vec![("x5c", json!([BASE64.encode(certificate.der())]))]),
        ("x5t#S256", vec![("x5t#S256", json!(thumbprint))]),
        (
            "all of them",
            vec![
                ("jwk", jwk.clone()),
                ("jku", json!(url)),
                ("x5u", json!(url)),
                ("x5c", json!([BASE64.encode(certificate.der())])),
            ],
        ),
    ];
    let mut rows = Vec::new();
    for (name, members) in members {
        let tokens = [Some("ES256"), Some("stranger"), None].map(|kid| {
            let mut header = json!({ "alg": "ES256", "typ": "JWT" });
            if let Some(kid) = kid {
                header["kid"] = kid.into();
            }
            for (member, value) in &members {
                header[*member] = value.clone();
            }
            jws(&header, &payload, &stranger)
        });
        rows.push(Attack::refused(format!("`{name}`, signed by its key"), tokens));
    }
    let secret = Hmac::hs256("a secret that the token brings along");
    let header = json!({ "alg": "HS256", "kid": "ES256", "jwk": secret.jwk() });
    rows.push(Attack::refused("`jwk` with a secret, signed by it", [jws(&header, &payload, &secret)]));
    for (name, member, value) in [
        ("`jwk` of a stranger", "jwk", jwk),
        ("`jwk` that is no key", "jwk", json!("none")),
        ("`jku`", "jku", json!(url)),
        ("`x5u`", "x5u", json!(url)),
        ("`x5c` that is no certificate", "x5c", json!(["none"])),
    ] {
        let name = format!("{name} in a good token");
        rows.push(Attack::accepted(name, NOT_READ, stage.with_header(role, member, &value)));
    }
    rows
}

/// The id of the key.
pub fn kids(stage: &Stage, role: &str) -> Vec<Attack> {
    let payload = stage.payload(role);
    let key = stage.key("ES256");
    // By the known key, so that nothing but its id is wrong; by a stranger's; by what a file or a row may
    // hold.
    let tokens = |kid: &Value| {
        let header = |alg: &str| json!({ "alg": alg, "typ": "JWT", "kid": kid });
        let mut tokens =
            vec![jws(&header("ES256"), &payload, key), jws(&header("ES256"), &payload, &Stage::stranger())];
        for secret in ["", "\0", "secret", "AA=="] {
            tokens.push(jws(&header("HS256"), &payload, &Hmac::hs256(secret)));
        }
        tokens
    };
    let mut rows: Vec<_> = [
        ("a path", json!("/dev/null")),
        ("a path upwards", json!("../../../../../../../../dev/null")),
        ("a path upwards, percent-encoded", json!("..%2f..%2fdev%2fnull")),
        ("a path of Windows", json!("..\\..\\windows\\win.ini")),
        ("a path to the known key", json!("./ES256")),
        ("a file's address", json!("file:///proc/self/environ")),
        ("a web address", json!(stage.bait())),
        ("SQL", json!("' UNION SELECT 'secret' -- ")),
        ("SQL behind the known id", json!("ES256' OR '1'='1")),
        ("a shell's command", json!("ES256|id")),
        ("a NUL", json!("\0")),
        ("a NUL behind the known id", json!("ES256\0")),
        ("a NUL and a path behind the known id", json!("ES256\0/../x")),
        ("a key of the table", json!("SIGNING_KEYS")),
        ("another key of the table", json!("EMAIL#jane@example.com")),
        ("a property's name", json!("__proto__")),
        ("an asterisk", json!("*")),
        ("empty", json!("")),
        ("the known id in lower case", json!("es256")),
        ("the known id behind a space", json!(" ES256")),
        ("the known id before a new line", json!("ES256\n")),
        ("the known id with a Cyrillic letter", json!("\u{415}S256")),
        ("a prefix of the known id", json!("ES25")),
        ("5 kB", json!("x".repeat(4800))),
        ("7 kB", json!("x".repeat(7000))),
        ("a number", json!(256)),
        ("`null`", Value::Null),
        ("`true`", json!(true)),
        ("an array of the known id", json!(["ES256"])),
        ("an object", json!({ "kid": "ES256" })),
    ]
    .into_iter()
    .map(|(name, kid)| Attack::refused(format!("`kid` {name}"), tokens(&kid)))
    .collect();
    let foreign = |kid: &str, key: &dyn KeyPair| {
        jws(&json!({ "alg": "ES256", "typ": "JWT", "kid": kid }), &payload, key)
    };
    rows.push(Attack::refused(
        "`kid` and signature of another issuer",
        [foreign("another", &Stage::stranger())],
    ));
    rows.push(Attack::refused(
        "another issuer's signature under a known `kid`",
        [foreign("ES256", &Stage::stranger())],
    ));
    rows.push(Attack::refused("`kid` of another known key", [foreign("EdDSA", key), foreign("ES384", key)]));
    let without_id = |key: &dyn KeyPair| jws(&json!({ "alg": key.algorithm() }), &payload, key);
    rows.push(Attack::accepted(
        "no `kid` where one key has the algorithm",
        "there is one choice, and that key has signed it",
        without_id(key),
    ));
    rows.push(Attack::refused(
        "no `kid` where several keys have the algorithm",
        ["RS256", "EdDSA"].map(|algorithm| without_id(stage.key(algorithm))),
    ));
    rows.push(Attack::refused("no `kid`, signed by a stranger", [without_id(&Stage::stranger())]));
    rows
}

/// A key in the set that is none.
pub struct Weak {
    name: &'static str,
    pub jwk: Value,
    /// The signature that anybody can make for a message.
    forge: fn(message: &[u8]) -> Vec<u8>,
}

/// The padded hash (RFC 8017, section 9.2): under an exponent of 1 it is its own signature.
fn padded_hash(message: &[u8]) -> Vec<u8> {
    const SHA256_PREFIX: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
        0x04, 0x20,
    ];
    let hash = digest(&SHA256, message);
    let tail = [&[0], &SHA256_PREFIX[..], hash.as_ref()].concat();
    [vec![0, 1], vec![0xff; 256 - 2 - tail.len()], tail].concat()
}

/// The weak keys that the stored set begins with.
pub fn weak_keys() -> Vec<Weak> {
    let rsa = crate::harness::key_pairs::every_algorithm().swap_remove(0).jwk();
    let rsa_with = |name: &str, member: &str, value: &Value| {
        let mut jwk = rsa.clone();
        jwk["kid"] = name.into();
        jwk[member] = value.clone();
        jwk
    };
    let with_exponent = |name: &'static str, exponent: &[u8]| Weak {
        name,
        jwk: rsa_with(name, "e", &json!(base64url(exponent))),
        forge: padded_hash,
    };
    let ed25519 = |name: &'static str, point: [u8; 32]| Weak {
        name,
        jwk: json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": name, "x": base64url(point) }),
        // R the neutral point, S zero.
        forge: |_| [[1].as_slice(), &[0; 63]].concat(),
    };
    let point = |first: u8, rest: u8, last: u8| {
        let mut point = [rest; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let modulus =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
    let mut shorter = modulus.clone();
    shorter[0] &= 0x7f;
    let with_modulus = |name: &'static str, modulus: &[u8]| Weak {
        name,
        jwk: rsa_with(name, "n", &json!(base64url(modulus))),
        forge: padded_hash,
    };
    vec![
        with_exponent("RSA, e = 1", &[1]),
        with_exponent("RSA, e = 0", &[0]),
        with_exponent("RSA, e = 2", &[2]),
        with_exponent("RSA, e = 65,536", &[1, 0, 0]),
        with_exponent("RSA, e = 1 behind zeros", &[0, 0, 1]),
        with_exponent("RSA, e of 34 bits", &[2, 0, 0, 0, 1]),
        with_exponent("RSA, e = 65,537 behind a zero", &[0, 1, 0, 1]),
        with_modulus("RSA, 2,047 bits", &shorter),
        with_modulus("RSA, 2,048 bits behind a zero", &[&[0], &modulus[..]].concat()),
        with_modulus("RSA, 1,024 bits behind zeros", &[&[0; 128], &modulus[..128]].concat()),
        Weak { name: "RSA, 1,024 bits", jwk: of_1024_bits()["jwk"].clone(), forge: padded_hash },
        ed25519("Ed25519, the neutral point", point(1, 0, 0)),
        ed25519("Ed25519, the neutral point with a sign", point(1, 0, 0x80)),
        ed25519("Ed25519, a point of order 2", point(0xec, 0xff, 0x7f)),
        ed25519("Ed25519, a point of order 4", point(0, 0, 0)),
        ed25519("Ed25519, a point of order 4, not reduced", point(0xed, 0xff, 0x7f)),
        ed25519("Ed25519, the neutral point, not reduced", point(0xee, 0xff, 0x7f)),
        ed25519(
            "Ed25519, a point of order 8",
            [
                0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
                0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
                0xfc, 0x05,
            ],
        ),
        ed25519(
            "Ed25519, another point of order 8",
            [
                0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
                0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
                0x03, 0x7a,
            ],
        ),
    ]
}

/// For each weak key a good one of the same id and algorithm, which it must not hide.
pub fn good_namesakes(keys: &[Box<dyn KeyPair>]) -> Vec<Value> {
    let namesake = |weak: Weak| {
        let key = keys.iter().find(|key| key.algorithm() == weak.jwk["alg"]).unwrap();
        let mut jwk = key.jwk();
        jwk["kid"] = weak.jwk["kid"].clone();
        jwk
    };
    weak_keys().into_iter().map(namesake).collect()
}

/// A key of 1,024 bits and a token that it has rightly signed. *ring* signs with none so short, so both
/// were made once, and the private half was thrown away.
fn of_1024_bits() -> Value {
    serde_json::from_str(include_str!("../../harness/fixtures/test-only-rsa-1024.json")).unwrap()
}

/// Keys that the set holds and that must not count.
pub fn weak(stage: &Stage, role: &str) -> Vec<Attack> {
    let payload = stage.payload(role);
    let mut rows = Vec::new();
    for weak in weak_keys() {
        let header = json!({ "alg": weak.jwk["alg"], "typ": "JWT", "kid": weak.jwk["kid"] });
        let message = [&header, &payload].map(|part| base64url(part.to_string())).join(".");
        let mut tokens = vec![format!("{message}.{}", base64url((weak.forge)(message.as_bytes())))];
        if weak.name == "RSA, 1,024 bits" {
            tokens.push(rightly_signed_by_1024_bits());
        }
        rows.push(Attack::refused(format!("{}, forged", weak.name), tokens));
        let good = stage.key(weak.jwk["alg"].as_str().unwrap());
        rows.push(Attack::accepted(
            format!("{}: the good key of its id", weak.name),
            "the weak one before it does not count",
            jws(&header, &payload, good),
        ));
    }
    rows
}

/// The token of [`of_1024_bits`], after the check that its signature is right.
fn rightly_signed_by_1024_bits() -> String {
    let fixture = of_1024_bits();
    let token = fixture["token"].as_str().unwrap();
    let decode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let [n, e] = ["n", "e"].map(|name| decode(fixture["jwk"][name].as_str().unwrap()));
    let legacy = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
    RsaPublicKeyComponents { n, e }.verify(legacy, message.as_bytes(), &decode(signature)).unwrap();
    token.to_owned()
}
