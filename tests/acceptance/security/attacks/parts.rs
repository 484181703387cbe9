//! The parts of a token: how many, how written, and what JSON they hold.

use serde_json::{Value, json};

use super::{Attack, Keys, Outcome, Stage};
use crate::harness::JANE;
use crate::harness::key_pairs::{base64url as encoded, jws, signed_parts, signed_text};

/// Parts stripped, doubled, exchanged.
pub fn split(stage: &Stage, role: &str) -> Vec<Attack> {
    let good = stage.good(role);
    let parts: Vec<_> = good.split('.').collect();
    let [h, p, s] = parts[..] else { panic!("{good}") };
    let mut rows: Vec<_> = [
        ("nothing", String::new()),
        ("one dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("three dots", "...".to_owned()),
        ("no JWT", "eDp5".to_owned()),
        ("the header alone", h.to_owned()),
        ("no signature", format!("{h}.{p}")),
        ("an empty signature", format!("{h}.{p}.")),
        ("no payload", format!("{h}.{s}")),
        ("an empty payload", format!("{h}..{s}")),
        ("no header", format!("{p}.{s}")),
        ("an empty header", format!(".{p}.{s}")),
        ("the signature alone", format!("..{s}")),
        ("a dot behind", format!("{h}.{p}.{s}.")),
        ("a dot before", format!(".{h}.{p}.{s}")),
        ("a dot too many", format!("{h}..{p}.{s}")),
        ("the header twice", format!("{h}.{h}.{p}.{s}")),
        ("the payload twice", format!("{h}.{p}.{p}.{s}")),
        ("the signature twice", format!("{h}.{p}.{s}.{s}")),
        ("the token twice", format!("{good}.{good}")),
        ("the header doubled", format!("{h}{h}.{p}.{s}")),
        ("the payload doubled", format!("{h}.{p}{p}.{s}")),
        ("the signature doubled", format!("{h}.{p}.{s}{s}")),
        ("the payload for the header", format!("{p}.{p}.{s}")),
        ("the header for the payload", format!("{h}.{h}.{s}")),
        ("header and payload exchanged", format!("{p}.{h}.{s}")),
        ("reversed", format!("{s}.{p}.{h}")),
        ("percent-encoded dots", format!("{h}%2E{p}%2E{s}")),
        ("commas for dots", format!("{h},{p},{s}")),
        ("ideographic full stops for dots", format!("{h}\u{3002}{p}\u{3002}{s}")),
        ("all of it in base64url", encoded(&good)),
        (
            "JSON serialization, flattened",
            json!({ "protected": h, "payload": p, "signature": s }).to_string(),
        ),
        (
            "JSON serialization, general",
            json!({ "payload": p, "signatures": [{ "protected": h, "signature": s }] }).to_string(),
        ),
    ]
    .map(|(name, token)| Attack::refused(name, [token]))
    .into();

    // Each part of two tokens that are right.
    let with = |name: &str, value: Value| {
        let token = stage.with_claim(role, name, &value);
        let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        (parts[1].clone(), parts[2].clone())
    };
    let (other_user, other_signature) = with("sub", json!("kp_john456doe789"));
    rows.push(Attack::refused("another's payload", [format!("{h}.{other_user}.{s}")]));
    rows.push(Attack::refused("another token's signature", [format!("{h}.{p}.{other_signature}")]));
    let key = stage.key("ES256");
    let header = json!({ "typ": "JWT", "alg": "ES256", "kid": "ES256", "x": 1 });
    rows.push(Attack::refused(
        "another header of the same meaning",
        [format!("{}.{p}.{s}", encoded(header.to_string()))],
    ));
    let spaced = format!("{} ", stage.payload(role));
    rows.push(Attack::refused(
        "another payload of the same meaning",
        [format!("{h}.{}.{s}", encoded(spaced))],
    ));
    // The dot itself is signed: no byte may change sides.
    let moved = format!("{}.{}{p}.{s}", &h[..h.len() - 4], &h[h.len() - 4..]);
    rows.push(Attack::refused("four characters from the header to the payload", [moved]));
    let four = signed_parts(h, &format!("{p}.{p}"), key);
    rows.push(Attack::refused("four parts, rightly signed", [four]));
    let undotted = encoded(key.sign(format!("{h}{p}").as_bytes()));
    rows.push(Attack::refused("signed without the dot", [format!("{h}.{p}.{undotted}")]));
    rows
}

/// Pads a text with spaces, which JSON allows behind a value, until its base64url has `rest` characters
/// beyond a multiple of four.
fn padded(text: &str, rest: usize) -> String {
    let candidates = (0..3).map(|spaces| format!("{text}{}", " ".repeat(spaces)));
    candidates.map(encoded).find(|part| part.len() % 4 == rest).unwrap()
}

/// The part with the unused bits of its last character set.
fn loose(part: &str, bits: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (last, rest) = part.as_bytes().split_last().unwrap();
    let value = ALPHABET.iter().position(|character| character == last).unwrap();
    let unused = if part.len() % 4 == 2 { 4 } else { 2 };
    assert!(part.len() % 4 >= 2 && value % (1 << unused) == 0 && bits < 1 << unused);
    String::from_utf8([rest, &[ALPHABET[value | bits]]].concat()).unwrap()
}

/// Parts that are not base64url as RFC 7515 has it, each rightly signed as it stands.
pub fn base64url(stage: &Stage, role: &str) -> Vec<Attack> {
    let key = stage.key("ES256");
    let header = key.header().to_string();
    // `-` and `_` occur in it.
    let mut payload = stage.payload(role);
    payload["x"] = "\u{fbff}?>?>?>?>".into();
    let payload = payload.to_string();
    let (h, p) = (encoded(&header), encoded(&payload));
    assert!(p.contains('-') && p.contains('_'), "{p}");
    let sign = |h: &str, p: &str| signed_parts(h, p, key);
    let signed = sign(&h, &p);
    let (message, s) = signed.rsplit_once('.').unwrap();

    let mut rows =
        vec![Attack::accepted("as it should be", "it is what the other rows change", signed.clone())];
    let mut of_each = |name: &str, change: &dyn Fn(&str) -> String| {
        rows.push(Attack::refused(format!("header: {name}"), [sign(&change(&h), &p)]));
        rows.push(Attack::refused(format!("payload: {name}"), [sign(&h, &change(&p))]));
        rows.push(Attack::refused(format!("signature: {name}"), [format!("{message}.{}", change(s))]));
    };
    for (name, padding) in [("=", "="), ("==", "=="), ("%3D", "%3D"), ("three =", "===")] {
        of_each(&format!("padding {name}"), &|part| format!("{part}{padding}"));
    }
    for (name, white) in [
        ("a space", " "),
        ("a tab", "\t"),
        ("a line feed", "\n"),
        ("CR LF", "\r\n"),
        ("a no-break space", "\u{a0}"),
        ("a zero-width space", "\u{200b}"),
        ("a NUL", "\0"),
        ("a character of no alphabet", "!"),
    ] {
        of_each(&format!("{name} before"), &|part| format!("{white}{part}"));
        of_each(&format!("{name} within"), &|part| format!("{}{white}{}", &part[..8], &part[8..]));
        of_each(&format!("{name} behind"), &|part| format!("{part}{white}"));
    }
    rows.push(Attack::refused(
        "payload: the alphabet of base64",
        [
            sign(&h, &p.replace('-', "+").replace('_', "/")),
            sign(&h, &p.replace('-', "+")),
            sign(&h, &p.replace('_', "/")),
        ],
    ));
    for (name, rest, all) in [("two", 3, 1..4), ("four", 2, 1..16)] {
        let (h, p) = (padded(&header, rest), padded(&payload, rest));
        rows.push(Attack::accepted(
            format!("with {name} unused bits, all zero"),
            "it is what the next rows change",
            sign(&h, &p),
        ));
        let header_tokens: Vec<_> = all.clone().map(|bits| sign(&loose(&h, bits), &p)).collect();
        rows.push(Attack::refused(format!("header: any of {name} unused bits set"), header_tokens));
        let payload_tokens = all.map(|bits| sign(&h, &loose(&p, bits)));
        rows.push(Attack::refused(format!("payload: any of {name} unused bits set"), payload_tokens));
    }
    // The signatures whose size leaves bits unused.
    for (algorithm, all) in [("ES256", 1..16), ("RS256", 1..16), ("EdDSA", 1..16), ("HS256", 1..4)] {
        let key = stage.key(algorithm);
        let token = jws(&key.header(), &stage.payload(role), key);
        let (message, signature) = token.rsplit_once('.').unwrap();
        let tokens: Vec<_> = all.map(|bits| format!("{message}.{}", loose(signature, bits))).collect();
        let keys = if algorithm == "HS256" { Keys::InlineSecret } else { Keys::Stored };
        rows.push(
            Attack::refused(format!("signature of {algorithm}: any unused bit set"), tokens).with_keys(keys),
        );
    }
    let remainder_of_one = sign(&format!("{}A", padded(&header, 0)), &p);
    rows.push(Attack::refused("header: one character too many", [remainder_of_one]));
    let remainder_of_one = sign(&h, &format!("{}A", padded(&payload, 0)));
    rows.push(Attack::refused("payload: one character too many", [remainder_of_one]));
    rows
}

/// A name twice in an object, and a header or a payload that two readers read in two ways.
pub fn duplicates(stage: &Stage, role: &str) -> Vec<Attack> {
    let key = stage.key("ES256");
    let payload = stage.payload(role);
    let headed = |header: &str| signed_text(header, &payload.to_string(), key);
    let mut rows: Vec<_> = [
        ("`alg` twice, the same", r#"{"alg":"ES256","alg":"ES256","kid":"ES256"}"#),
        ("`alg` twice, \"none\" first", r#"{"alg":"none","alg":"ES256","kid":"ES256"}"#),
        ("`alg` twice, \"none\" last", r#"{"alg":"ES256","kid":"ES256","alg":"none"}"#),
        ("`alg` twice, once in escapes", r#"{"alg":"ES256","kid":"ES256","\u0061lg":"none"}"#),
        ("`kid` twice, the same", r#"{"alg":"ES256","kid":"ES256","kid":"ES256"}"#),
        ("`kid` twice, another first", r#"{"alg":"ES256","kid":"ES384","kid":"ES256"}"#),
        ("`kid` twice, another last", r#"{"alg":"ES256","kid":"ES256","kid":"ES384"}"#),
        ("`kid` twice, once `null`", r#"{"alg":"ES256","kid":null,"kid":"ES256"}"#),
        ("`kid` twice, once in escapes", r#"{"alg":"ES256","kid":"ES256","k\u0069d":"ES384"}"#),
        ("`typ` twice", r#"{"alg":"ES256","kid":"ES256","typ":"JWT","typ":"JWT"}"#),
        ("`jwk` twice", r#"{"alg":"ES256","kid":"ES256","jwk":{},"jwk":{}}"#),
        ("`crit` twice", r#"{"alg":"ES256","kid":"ES256","crit":null,"crit":null}"#),
        ("an unknown member twice", r#"{"alg":"ES256","kid":"ES256","x":1,"x":1}"#),
        ("an unknown member twice, once in escapes", r#"{"alg":"ES256","kid":"ES256","x":1,"\u0078":1}"#),
    ]
    .into_iter()
    .map(|(name, header)| Attack::refused(format!("header: {name}"), [headed(header)]))
    .collect();

    let text = payload.to_string();
    let first = |member: &str| stage.signed_text(&text.replacen('{', &format!("{{{member},"), 1));
    let last = |member: &str| stage.signed_text(&format!("{},{member}}}", &text[..text.len() - 1]));
    for (name, other) in [
        ("iss", json!("https://attacker.example")),
        ("aud", json!("another")),
        ("exp", json!(0)),
        ("iat", json!(0)),
        ("sub", json!("kp_john456doe789")),
        ("OrganizationId", json!("org_other")),
        ("role", json!("Nobody")),
    ] {
        let same = format!("\"{name}\":{}", payload[name]);
        let other = format!("\"{name}\":{other}");
        let escaped = format!("\"\\u{:04x}{}\":{}", name.as_bytes()[0], &name[1..], payload[name]);
        rows.push(Attack::refused(format!("claims: `{name}` twice, the same"), [first(&same), last(&same)]));
        rows.push(Attack::refused(format!("claims: `{name}` twice, another"), [first(&other), last(&other)]));
        rows.push(Attack::refused(
            format!("claims: `{name}` twice, in escapes"),
            [first(&escaped), last(&escaped)],
        ));
    }
    for (name, members) in [
        ("`nbf` twice", r#""nbf":0,"nbf":0"#),
        ("an unknown claim twice", r#""x":1,"x":1"#),
        ("an empty name twice", r#""":1,"":1"#),
        ("a name twice, once in escapes", r#""x":1,"\u0078":1"#),
    ] {
        rows.push(Attack::refused(format!("claims: {name}"), [first(members), last(members)]));
    }
    for (name, why, member) in [
        (
            "a name in another case",
            "names are compared exactly (RFC 7519, section 10.1.1)",
            "\"Sub\":\"kp_john456doe789\"",
        ),
        ("a name twice within an unknown claim", "nothing reads it", r#""x":{"a":1,"a":2}"#),
    ] {
        rows.push(Attack::accepted(format!("claims: {name}"), why, last(member)));
    }
    rows
}

/// What a payload may not be: encrypted, another token, no object.
pub fn payloads(stage: &Stage, role: &str) -> Vec<Attack> {
    let key = stage.key("ES256");
    let good = stage.good(role);
    let payload = stage.payload(role).to_string();
    let part = |value: Value| encoded(value.to_string());
    let of_five = |header: Value, second: &str| {
        let [iv, text, tag] = [&[1; 12][..], payload.as_bytes(), &[2; 16]].map(encoded);
        format!("{}.{second}.{iv}.{text}.{tag}", part(header))
    };
    let wrapped = encoded([3; 256]);
    let mut rows = vec![
        Attack::refused(
            "JWE, `dir`",
            [
                of_five(json!({ "alg": "dir", "enc": "A128GCM" }), ""),
                of_five(json!({ "alg": "dir", "enc": "A128GCM", "kid": "ES256" }), ""),
            ],
        ),
        Attack::refused(
            "JWE, RSA-OAEP-256 to the known RSA key",
            [of_five(
                json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "RS256", "cty": "JWT" }),
                &wrapped,
            )],
        ),
        Attack::refused(
            "JWE, PBES2 with a billion iterations",
            [of_five(
                json!({ "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAA", "p2c": 1_000_000_000 }),
                &wrapped,
            )],
        ),
        Attack::refused(
            "JWE, ES256 as `alg`",
            [of_five(json!({ "alg": "ES256", "enc": "A128GCM", "kid": "ES256" }), &wrapped)],
        ),
        Attack::refused(
            "JWE in three parts, rightly signed",
            [signed_text(r#"{"alg":"ES256","kid":"ES256","enc":"A128GCM"}"#, &payload, key)],
        ),
        Attack::refused(
            "a token as payload",
            [
                stage.signed_text(&good),
                signed_text(r#"{"alg":"ES256","kid":"ES256","cty":"JWT"}"#, &good, key),
                stage.signed_text(&format!("Bearer {good}")),
            ],
        ),
        Attack::refused("a token as a JSON string", [stage.signed_text(&json!(good).to_string())]),
        Attack::refused("the payload in base64url twice", [stage.signed_text(&encoded(&payload))]),
    ];
    for (name, text) in [
        ("empty", String::new()),
        ("white space", " ".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("`null`", "null".to_owned()),
        ("`true`", "true".to_owned()),
        ("a number", "1".to_owned()),
        ("a string", "\"claims\"".to_owned()),
        ("an array", "[]".to_owned()),
        ("an array of the claims", format!("[{payload}]")),
        ("an object around the claims", format!("{{\"claims\":{payload}}}")),
        ("the claims twice", format!("{payload}{payload}")),
        ("something behind the claims", format!("{payload}x")),
        ("a NUL behind the claims", format!("{payload}\0")),
        ("a byte order mark before the claims", format!("\u{feff}{payload}")),
        ("cut off", payload[..payload.len() - 1].to_owned()),
        ("a comma too many", format!("{},}}", &payload[..payload.len() - 1])),
        ("a comment", format!("{payload}/**/")),
        ("apostrophes for quotes", payload.replace('"', "'")),
        ("a new line in a string", payload.replace(JANE, "kp_\n")),
        ("half of a surrogate pair", payload.replace(JANE, "\\ud800")),
        ("a parameter string", "sub=kp_abc123def456&role=Admin".to_owned()),
    ] {
        rows.push(Attack::refused(format!("payload: {name}"), [stage.signed_text(&text)]));
    }
    let bytes = |bytes: Vec<u8>| signed_parts(&encoded(key.header().to_string()), &encoded(bytes), key);
    let not_utf8 = payload.replace(JANE, "kp_@").into_bytes();
    let not_utf8 = not_utf8.into_iter().map(|byte| if byte == b'@' { 0xff } else { byte }).collect();
    let utf16 = payload.encode_utf16().flat_map(u16::to_le_bytes).collect();
    rows.push(Attack::refused("payload: not UTF-8", [bytes(not_utf8)]));
    rows.push(Attack::refused("payload: UTF-16", [bytes(utf16)]));
    rows.push(Attack::accepted(
        "payload: white space around the claims",
        "JSON allows it (RFC 8259, section 2)",
        stage.signed_text(&format!(" \n{payload}\t")),
    ));
    rows
}

/// The largest token, and deep JSON.
pub fn bounds(stage: &Stage, role: &str) -> Vec<Attack> {
    let key = stage.key("ES256");
    let header = key.header().to_string();
    let payload = stage.payload(role);
    // JSON allows spaces behind a value: with as many in header and payload a token has any size.
    let of_size = |bytes: usize| {
        let fits = (0..3).find_map(|spaces| {
            let header = encoded(format!("{header}{}", " ".repeat(spaces)));
            // Two dots, and 64 bytes of signature.
            let left = bytes - header.len() - 2 - 86;
            let mut payload = payload.to_string();
            payload += &" ".repeat(left * 3 / 4 - payload.len());
            let token = signed_parts(&header, &encoded(payload), key);
            (token.len() == bytes).then_some(token)
        });
        fits.unwrap()
    };
    let mut rows = vec![
        Attack::accepted(
            "10,233 bytes",
            "the header has 10,240 bytes, as API Gateway lets through",
            of_size(10_233),
        ),
        Attack::new("10,234 bytes", Outcome::TooLarge, [of_size(10_234)]),
        Attack::new("1 MB", Outcome::TooLarge, [of_size(1_000_000)]),
        Attack::new("1 MB of dots", Outcome::TooLarge, [".".repeat(1_000_000)]),
        Attack::new("1 MB of header, unsigned", Outcome::TooLarge, [format!("{}..", "e".repeat(1_000_000))]),
    ];
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let arrays = |depth| nested("[", "0", "]", depth);
    let objects = |depth| nested("{\"a\":", "0", "}", depth);
    let text = payload.to_string();
    let in_claims = |value: &str| stage.signed_text(&text.replacen('{', &format!("{{\"x\":{value},"), 1));
    let in_header =
        |value: &str| signed_text(&header.replacen('{', &format!("{{\"x\":{value},"), 1), &text, key);
    for (place, put) in [("claims", &in_claims as &dyn Fn(&str) -> String), ("header", &in_header)] {
        rows.push(Attack::accepted(
            format!("{place}: 100 levels"),
            "the reader takes up to 127 below the top, and nothing reads them",
            put(&arrays(100)),
        ));
        for (name, value) in [
            ("200 arrays", arrays(200)),
            ("2,000 arrays", arrays(2000)),
            ("200 objects", objects(200)),
            ("900 objects", objects(900)),
            ("2,000 arrays that nobody closes", "[".repeat(2000)),
        ] {
            rows.push(Attack::refused(format!("{place}: {name}"), [put(&value)]));
        }
    }
    for claim in ["iss", "aud", "exp", "role", "sub", "OrganizationId"] {
        let mut spoiled = payload.clone();
        spoiled[claim] = "@".into();
        let deep = spoiled.to_string().replacen("\"@\"", &arrays(500), 1);
        rows.push(Attack::refused(format!("`{claim}` of 500 levels"), [stage.signed_text(&deep)]));
    }
    rows
}
