//! What a token's header says: its algorithm, and what it demands.

use serde_json::{Value, json};

use super::{Attack, Keys, Stage};
use crate::harness::key_pairs::{base64url, jws, signed_text};

/// No signature, or none that is looked at.
pub fn unsigned(stage: &Stage, role: &str) -> Vec<Attack> {
    let payload = stage.payload(role);
    let good = stage.good(role);
    let signature = good.rsplit_once('.').unwrap().1;
    let row = |name: String, alg: Option<Value>| {
        let mut tokens = Vec::new();
        for kid in [Some("ES256"), None] {
            let mut header = json!({ "typ": "JWT" });
            if let Some(alg) = &alg {
                header["alg"] = alg.clone();
            }
            if let Some(kid) = kid {
                header["kid"] = kid.into();
            }
            let message = [&header, &payload].map(|part| base64url(part.to_string())).join(".");
            for signature in ["", &base64url([0; 64]), signature] {
                tokens.push(format!("{message}.{signature}"));
            }
        }
        Attack::refused(name, tokens)
    };
    let spellings =
        ["none", "None", "NONE", "nOnE", " none", "none ", "none\t", "none\0", "n\u{43e}ne", "nonce", "null"];
    let mut rows: Vec<_> = spellings
        .iter()
        .map(|alg| row(format!("`alg` \"{}\"", alg.escape_default()), Some(json!(alg))))
        .collect();
    for (name, alg) in [
        ("empty", json!("")),
        ("`null`", json!(null)),
        ("`false`", json!(false)),
        ("a number", json!(0)),
        ("an empty array", json!([])),
        ("an array of \"none\"", json!(["none"])),
        ("an object", json!({})),
    ] {
        rows.push(row(format!("`alg` {name}"), Some(alg)));
    }
    rows.push(row("no `alg`".to_owned(), None));
    let key = stage.key("ES256");
    let upper = json!({ "ALG": "none", "Alg": "none", "alg": "ES256", "kid": "ES256" });
    rows.push(Attack::refused(
        "`ALG` and `Alg` \"none\" beside `alg`, unsigned",
        [jws(&upper, &payload, key).rsplit_once('.').unwrap().0.to_owned() + "."],
    ));
    rows
}

/// An `alg` that is not the key's own.
pub fn algorithms(stage: &Stage, role: &str) -> Vec<Attack> {
    /// What a key of this set may not be used with, by whomever it is signed.
    const UNKNOWN: [&str; 13] = [
        "HS256", "HS384", "HS512", "ES512", "ES256K", "RS1", "Ed25519", "Ed448", "RSA-OAEP", "A128KW", "dir",
        "none", "",
    ];
    let payload = stage.payload(role);
    let mut rows = Vec::new();
    let public: Vec<_> = stage.keys.iter().filter(|key| key.algorithm() != "HS256").collect();
    for key in &public {
        let own = key.algorithm();
        let header = |alg: &str| json!({ "alg": alg, "typ": "JWT", "kid": own });
        let mut tokens = Vec::new();
        for other in public.iter().filter(|other| other.algorithm() != own) {
            // By the key of the id, and by the one of the algorithm.
            tokens.push(jws(&header(other.algorithm()), &payload, key.as_ref()));
            tokens.push(jws(&header(other.algorithm()), &payload, other.as_ref()));
        }
        rows.push(Attack::refused(format!("another key's `alg` with the {own} key"), tokens));
        let unknown = UNKNOWN.map(|alg| jws(&header(alg), &payload, key.as_ref()));
        rows.push(Attack::refused(format!("an `alg` of no key with the {own} key"), unknown));
        let spelled = [own.to_lowercase(), format!("{own} "), format!("{own}\0"), format!("SHA{own}")];
        let spelled: Vec<_> = spelled.iter().map(String::as_str).filter(|alg| *alg != own).collect();
        let mut tokens: Vec<_> =
            spelled.iter().map(|alg| jws(&header(alg), &payload, key.as_ref())).collect();
        let list = json!({ "alg": [own], "kid": own });
        tokens.push(jws(&list, &payload, key.as_ref()));
        rows.push(Attack::refused(format!("{own} in other spellings"), tokens));
    }
    let rs256 = json!({ "alg": "RS256", "typ": "JWT", "kid": "ES256" });
    rows.push(Attack::refused(
        "RS256, signed by the set's RSA key, under the EC key's id",
        [jws(&rs256, &payload, stage.key("RS256"))],
    ));
    let secret = stage.key("HS256");
    let others = public.iter().map(|key| {
        jws(&json!({ "alg": key.algorithm(), "typ": "JWT", "kid": "HS256" }), &payload, key.as_ref())
    });
    let hashes = ["HS384", "HS512", "none", "ES256"];
    let hashes = hashes.map(|alg| jws(&json!({ "alg": alg, "kid": "HS256" }), &payload, secret));
    rows.push(
        Attack::refused("any other `alg` with the HS256 secret", others.chain(hashes))
            .with_keys(Keys::InlineSecret),
    );
    rows.push(Attack::refused(
        "HS256 where only public keys count",
        [jws(&secret.header(), &payload, secret)],
    ));
    rows
}

/// Members that a verifier must understand, or must not act on.
pub fn extensions(stage: &Stage, role: &str) -> Vec<Attack> {
    const NOT_READ: &str = "it is not acted on";
    let with = |name: &str, value: &Value| stage.with_header(role, name, value);
    let key = stage.key("ES256");
    let payload = stage.payload(role);
    let mut rows: Vec<_> = [
        ("`crit` of an unknown member", "crit", json!(["unheard-of"])),
        ("`crit` of a claim", "crit", json!(["exp"])),
        ("`crit` of a member of the header", "crit", json!(["alg"])),
        ("`crit` of an empty name", "crit", json!([""])),
        ("an empty `crit`", "crit", json!([])),
        ("`crit` a string", "crit", json!("unheard-of")),
        ("`crit` an object", "crit", json!({})),
        ("`crit` `false`", "crit", json!(false)),
        ("`crit` `null`", "crit", Value::Null),
        ("`crit` of `b64`, without `b64`", "crit", json!(["b64"])),
        ("`b64` `false` without `crit`", "b64", json!(false)),
        ("`b64` `true` without `crit`", "b64", json!(true)),
        ("`b64` `null`", "b64", Value::Null),
        ("`zip`", "zip", json!("DEF")),
        ("`zip` `null`", "zip", Value::Null),
        ("`enc`", "enc", json!("A128GCM")),
        ("`enc` `null`", "enc", Value::Null),
    ]
    .into_iter()
    .map(|(attack, name, value)| Attack::refused(attack, [with(name, &value)]))
    .collect();
    let understood = json!({ "alg": "ES256", "kid": "ES256", "x": 1, "crit": ["x"] });
    rows.push(Attack::refused("`crit` of a member that is there", [jws(&understood, &payload, key)]));
    // RFC 7797: the payload as it is, or with `b64` in a token that is not of its kind.
    let unencoded = json!({ "alg": "ES256", "kid": "ES256", "b64": false, "crit": ["b64"] });
    let message = format!("{}.{payload}", base64url(unencoded.to_string()));
    let signature = base64url(key.sign(message.as_bytes()));
    rows.push(Attack::refused(
        "`b64` `false` with `crit`",
        [jws(&unencoded, &payload, key), format!("{message}.{signature}")],
    ));
    for (attack, name, value) in [
        ("another `typ`", "typ", json!("at+jwt")),
        ("`cty` \"JWT\" over claims", "cty", json!("JWT")),
        ("an unknown member", "unheard-of", json!({ "a": [1] })),
        ("a claim in the header", "role", json!("Nobody")),
    ] {
        rows.push(Attack::accepted(attack, NOT_READ, with(name, &value)));
    }
    let short = json!({ "alg": "ES256", "kid": "ES256" });
    rows.push(Attack::accepted("no `typ`", "it is optional", jws(&short, &payload, key)));
    for (attack, header) in [
        ("a header that is an array", r#"["ES256"]"#),
        ("a header that is a string", r#""ES256""#),
        ("a header that is `null`", "null"),
        ("an empty header", "{}"),
        ("a header that is cut off", r#"{"alg":"ES256","kid":"ES256""#),
        ("a header with something behind it", r#"{"alg":"ES256","kid":"ES256"}{}"#),
        ("a header behind a byte order mark", "\u{feff}{\"alg\":\"ES256\",\"kid\":\"ES256\"}"),
        ("a header with a comment", r#"{"alg":"ES256",/**/"kid":"ES256"}"#),
        ("a header with a comma too many", r#"{"alg":"ES256","kid":"ES256",}"#),
    ] {
        rows.push(Attack::refused(attack, [signed_text(header, &payload.to_string(), key)]));
    }
    rows
}
