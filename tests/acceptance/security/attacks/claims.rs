//! What a rightly signed token says.

use serde_json::{Value, json};

use super::{Attack, Outcome, Stage};
use crate::harness::{ACME, JANE};

/// `exp` and `nbf` with their leeway of 60 s, and `iat`.
pub fn times(stage: &Stage, role: &str) -> Vec<Attack> {
    const LEEWAY: &str = "within the leeway of 60 s";
    const NO_CONDITION: &str = "`iat` is no condition of validity (RFC 7519, section 4.1.6) and is not read";
    let now = stage.world.clock.now().seconds();
    #[expect(clippy::cast_precision_loss, reason = "this century's seconds are exact")]
    let exact = now as f64;
    let tomorrow = now + 86_400;
    let refused = |name: &str, claim: &str, value: Value| {
        Attack::refused(format!("`{claim}` {name}"), [stage.with_claim(role, claim, &value)])
    };
    let accepted = |name: &str, why, claim: &str, value: Value| {
        Attack::accepted(format!("`{claim}` {name}"), why, stage.with_claim(role, claim, &value))
    };
    // A number that only its text can express.
    let spelled = |claim: &str, number: &str| {
        let mut payload = stage.payload(role);
        payload[claim] = "@".into();
        stage.signed_text(&payload.to_string().replacen("\"@\"", number, 1))
    };
    let mut rows = vec![
        Attack::refused("no `exp`", [stage.without_claim(role, "exp")]),
        accepted("59 s ago", LEEWAY, "exp", json!(now - 59)),
        accepted("59.999 s ago", LEEWAY, "exp", json!(exact - 59.999)),
        refused("60 s ago", "exp", json!(now - 60)),
        refused("60.001 s ago", "exp", json!(exact - 60.001)),
        refused("61 s ago", "exp", json!(now - 61)),
        refused("yesterday", "exp", json!(now - 86_400)),
        refused("0", "exp", json!(0)),
        accepted("a fraction", "a NumericDate may have one (RFC 7519, section 2)", "exp", json!(exact + 0.5)),
        Attack::accepted("`exp` with an exponent", "JSON allows it", spelled("exp", "2e9")),
        refused("61 s ahead", "nbf", json!(now + 61)),
        refused("tomorrow", "nbf", json!(tomorrow)),
        refused("60.001 s ahead", "nbf", json!(exact + 60.001)),
        accepted("60 s ahead, no more", LEEWAY, "nbf", json!(now + 60)),
        accepted("59 s ahead", LEEWAY, "nbf", json!(now + 59)),
        accepted("0", "long past", "nbf", json!(0)),
        accepted("tomorrow", NO_CONDITION, "iat", json!(tomorrow)),
        accepted("0", NO_CONDITION, "iat", json!(0)),
        accepted("a string", NO_CONDITION, "iat", json!("yesterday")),
        accepted("`null`", NO_CONDITION, "iat", Value::Null),
        Attack::accepted("no `iat`", NO_CONDITION, stage.without_claim(role, "iat")),
    ];
    for claim in ["exp", "nbf"] {
        for (name, value) in [
            ("a string", json!(tomorrow.to_string())),
            ("an empty string", json!("")),
            ("a date", json!("2030-01-01T00:00:00Z")),
            ("`null`", Value::Null),
            ("`true`", json!(true)),
            ("an array", json!([tomorrow])),
            ("an object", json!({ "seconds": tomorrow })),
            ("-1", json!(-1)),
            ("the least integer", json!(i64::MIN)),
            ("the largest integer", json!(u64::MAX)),
            ("1e308", json!(1e308)),
            ("-1e308", json!(-1e308)),
        ] {
            rows.push(refused(name, claim, value));
        }
        for number in
            ["1e400", "NaN", "Infinity", "-0.1", "0x7fffffff", "01767326945", "+1767326945", "1767326945."]
        {
            rows.push(Attack::refused(format!("`{claim}` {number}, as text"), [spelled(claim, number)]));
        }
        let digits = "9".repeat(400);
        rows.push(Attack::refused(format!("`{claim}` of 400 digits"), [spelled(claim, &digits)]));
    }
    rows
}

/// Tokens that another made, or for another.
pub fn issuers_and_audiences(stage: &Stage, role: &str) -> Vec<Attack> {
    use users::local::{AUDIENCE, ISSUER};
    let refused = |claim: &str, name: &str, value: Value| {
        Attack::refused(format!("`{claim}` {name}"), [stage.with_claim(role, claim, &value)])
    };
    let mut rows = vec![
        Attack::refused("no `iss`", [stage.without_claim(role, "iss")]),
        Attack::refused("no `aud`", [stage.without_claim(role, "aud")]),
    ];
    for (claim, ours) in [("iss", ISSUER), ("aud", AUDIENCE)] {
        let capital = format!("{}{}", ours[..1].to_uppercase(), &ours[1..]);
        for (name, value) in [
            ("empty", json!("")),
            ("`null`", Value::Null),
            ("`true`", json!(true)),
            ("a number", json!(1)),
            ("an object", json!({ ours: true })),
            ("another", json!("https://attacker.example")),
            ("with a slash behind", json!(format!("{ours}/"))),
            ("with a space behind", json!(format!("{ours} "))),
            ("with a space before", json!(format!(" {ours}"))),
            ("with a new line behind", json!(format!("{ours}\n"))),
            ("with a NUL behind", json!(format!("{ours}\0"))),
            ("in upper case", json!(ours.to_uppercase())),
            ("with a capital", json!(capital)),
            ("with a Cyrillic letter", json!(ours.replace('s', "\u{455}"))),
            ("with something behind", json!(format!("{ours}.attacker.example"))),
            ("with something before", json!(format!("x{ours}"))),
            ("a prefix", json!(&ours[..ours.len() - 1])),
            ("an asterisk", json!("*")),
            ("among others in a string", json!(format!("{ours},another"))),
            ("among others in a string, with a space", json!(format!("another {ours}"))),
            ("in JSON in a string", json!(format!("[\"{ours}\"]"))),
            ("an empty array", json!([])),
            ("an array in an array", json!([[ours]])),
            ("an object in an array", json!([{ ours: true }])),
            ("others in an array", json!(["other", "another"])),
        ] {
            rows.push(refused(claim, name, value));
        }
    }
    for (name, value) in [
        ("with the default port", "https://users.local:443"),
        ("without TLS", "http://users.local"),
        ("with a user", "https://x@users.local"),
        ("with a fragment", "https://users.local#"),
        ("percent-encoded", "https://users%2Elocal"),
    ] {
        rows.push(refused("iss", name, json!(value)));
    }
    rows.push(refused("iss", "an array", json!([ISSUER])));
    for (name, value) in [
        ("an array", json!([AUDIENCE])),
        ("among others", json!(["other", AUDIENCE, "another"])),
        ("among what is no string", json!([1, null, AUDIENCE])),
    ] {
        let token = stage.with_claim(role, "aud", &value);
        rows.push(Attack::accepted(
            format!("`aud` {name}"),
            "an array that has the audience is meant for it (RFC 7519, section 4.1.3)",
            token,
        ));
    }
    rows
}

/// Roles that look like the one that is demanded.
pub fn roles(stage: &Stage, role: &str) -> Vec<Attack> {
    use Outcome::{Accepted, Forbidden, TooLarge};
    const AMONG: Outcome = Accepted("the role is among them, exactly spelled");
    let first = role.chars().next().unwrap();
    let rest = &role[1..];
    let look_alike = |letter: char| json!(format!("{letter}{rest}"));
    let cyrillic = if first == 'A' { '\u{410}' } else { '\u{421}' };
    let full_width = char::from_u32(u32::from(first) + 0xfee0).unwrap();
    let mathematical = char::from_u32(u32::from(first) - u32::from('A') + 0x1d400).unwrap();
    let other = if role == "Admin" { "Customer" } else { "Admin" };
    let mut rows: Vec<_> = [
        ("a string", Accepted("it is the role"), json!(role)),
        ("an array", AMONG, json!([role])),
        ("an array with another", AMONG, json!(["SalesRep", role])),
        ("an array with what is no string", AMONG, json!([7, null, {}, role])),
        ("the other platform role", Forbidden, json!(other)),
        ("another", Forbidden, json!("SalesRep")),
        ("an array of others", Forbidden, json!(["SalesRep", other])),
        ("an empty array", Forbidden, json!([])),
        ("a nested array", Forbidden, json!([[role]])),
        ("a nested array beside another", Forbidden, json!(["SalesRep", [role]])),
        ("an object", Forbidden, json!({ role: true })),
        ("an object in an array", Forbidden, json!([{ "name": role }])),
        ("an object with numbers for names", Forbidden, json!({ "0": role, "length": 1 })),
        ("0", Forbidden, json!(0)),
        ("1", Forbidden, json!(1)),
        ("`true`", Forbidden, json!(true)),
        ("`null`", Forbidden, Value::Null),
        ("empty", Forbidden, json!("")),
        ("in lower case", Forbidden, json!(role.to_lowercase())),
        ("in upper case", Forbidden, json!(role.to_uppercase())),
        ("with a space behind", Forbidden, json!(format!("{role} "))),
        ("with a space before", Forbidden, json!(format!(" {role}"))),
        ("with a tab behind", Forbidden, json!(format!("{role}\t"))),
        ("with a new line behind", Forbidden, json!(format!("{role}\n"))),
        ("with a NUL behind", Forbidden, json!(format!("{role}\0"))),
        ("with a zero-width space behind", Forbidden, json!(format!("{role}\u{200b}"))),
        ("with a zero-width joiner within", Forbidden, json!(format!("{first}\u{200d}{rest}"))),
        ("with a soft hyphen within", Forbidden, json!(format!("{first}\u{ad}{rest}"))),
        ("with a mark of direction before", Forbidden, json!(format!("\u{202e}{role}"))),
        ("with a combining mark", Forbidden, json!(format!("{first}\u{301}{rest}"))),
        ("with a Cyrillic letter", Forbidden, look_alike(cyrillic)),
        ("with a full-width letter", Forbidden, look_alike(full_width)),
        ("with a mathematical letter", Forbidden, look_alike(mathematical)),
        ("Admin,Customer", Forbidden, json!("Admin,Customer")),
        ("Customer,Admin", Forbidden, json!("Customer,Admin")),
        ("Admin Customer", Forbidden, json!("Admin Customer")),
        ("Admin;Customer", Forbidden, json!("Admin;Customer")),
        ("Admin|Customer", Forbidden, json!("Admin|Customer")),
        ("\"Admin,Customer\" in an array", Forbidden, json!(["Admin,Customer"])),
        ("JSON in a string", Forbidden, json!(format!("[\"{role}\"]"))),
        ("in quotes", Forbidden, json!(format!("\"{role}\""))),
        ("with something behind", Forbidden, json!(format!("{role}istrator"))),
        ("with something before", Forbidden, json!(format!("Super{role}"))),
        ("a prefix", Forbidden, json!(role[..role.len() - 1])),
        ("an asterisk", Forbidden, json!("*")),
        ("a pattern", Forbidden, json!(".*")),
        ("10,000 roles, the right one among them", TooLarge, {
            let mut roles = vec![json!("SalesRep"); 9999];
            roles.push(json!(role));
            json!(roles)
        }),
        ("as many as 10 KiB hold, the right one last", AMONG, {
            let mut roles = vec![json!(0); 3600];
            roles.push(json!(role));
            json!(roles)
        }),
        ("as many as 10 KiB hold, without the right one", Forbidden, json!(vec!["x"; 1800])),
    ]
    .into_iter()
    .map(|(name, outcome, value)| {
        Attack::new(format!("`role` {name}"), outcome, [stage.with_claim(role, "role", &value)])
    })
    .collect();
    let of = |claims: &[(&str, Value)]| {
        let mut payload = stage.payload(role);
        payload.as_object_mut().unwrap().remove("role");
        for (name, value) in claims {
            payload[*name] = value.clone();
        }
        [stage.signed(&payload)]
    };
    rows.push(Attack::new("no role", Forbidden, of(&[])));
    for name in ["Role", "ROLE", "role ", "scope", "scp", "groups", "permissions", "Policy"] {
        rows.push(Attack::new(format!("the role as `{name}`"), Forbidden, of(&[(name, json!(role))])));
    }
    let either = Accepted("it counts where there is no `role`");
    for (name, value) in [("a string", json!(role)), ("an array", json!(["SalesRep", role]))] {
        rows.push(Attack::new(format!("`roles` {name}"), either, of(&[("roles", value.clone())])));
        let beside_null = of(&[("role", Value::Null), ("roles", value)]);
        rows.push(Attack::new(format!("`roles` {name} beside a `role` that is `null`"), either, beside_null));
    }
    for (name, value) in
        [("another", json!("SalesRep")), ("empty", json!("")), ("an empty array", json!([])), ("0", json!(0))]
    {
        let both = of(&[("role", value), ("roles", json!(role))]);
        rows.push(Attack::new(format!("`roles` beside a `role` that is {name}"), Forbidden, both));
    }
    rows
}

/// The ids that a token must carry.
pub fn identifiers(stage: &Stage, role: &str) -> Vec<Attack> {
    let mut rows = Vec::new();
    for (claim, good) in [("sub", JANE), ("OrganizationId", ACME)] {
        let outcome = Outcome::RefusedWhereRead(claim);
        rows.push(Attack::new(format!("no `{claim}`"), outcome, [stage.without_claim(role, claim)]));
        for (name, value) in [
            ("empty", json!("")),
            ("`null`", Value::Null),
            ("a number", json!(7)),
            ("`true`", json!(true)),
            ("an array", json!([good])),
            ("an object", json!({ "id": good })),
            ("`#`", json!("#")),
            ("with `#`", json!(format!("{good}#ORG"))),
            ("with `#` before", json!(format!("#{good}"))),
            ("of another key", json!("x#PROFILE")),
            ("a space", json!(" ")),
            ("with a space behind", json!(format!("{good} "))),
            ("with a NUL behind", json!(format!("{good}\0"))),
            ("with CR LF", json!(format!("{good}\r\nX-Role: Admin"))),
            ("with a tab", json!(format!("{good}\t"))),
            ("with an escape sequence", json!(format!("\u{1b}[2J{good}"))),
            ("with a delete character", json!(format!("{good}\u{7f}"))),
            ("with a C1 control character", json!(format!("{good}\u{85}"))),
            ("with a mark of direction", json!(format!("\u{202e}{good}"))),
            ("with a Cyrillic letter", json!(good.replace('a', "\u{430}"))),
            ("of 129 characters", json!("x".repeat(129))),
            ("of 5 kB", json!("x".repeat(5000))),
        ] {
            let token = stage.with_claim(role, claim, &value);
            rows.push(Attack::new(format!("`{claim}` {name}"), outcome, [token]));
        }
        let large = stage.with_claim(role, claim, &json!("x".repeat(10_000)));
        rows.push(Attack::new(format!("`{claim}` of 10 kB"), Outcome::TooLarge, [large]));
    }
    let both = |sub: Value| {
        let mut payload = stage.payload(role);
        payload["sub"] = sub;
        payload["UserId"] = JANE.into();
        [stage.signed(&payload)]
    };
    let sub = Outcome::RefusedWhereRead("sub");
    rows.push(Attack::new("`sub` empty beside a good `UserId`", sub, both(json!(""))));
    rows.push(Attack::new("`sub` a number beside a good `UserId`", sub, both(json!(7))));
    let null = Outcome::Accepted("`null` counts as absent, and `UserId` then");
    rows.push(Attack::new("`sub` `null` beside a good `UserId`", null, both(Value::Null)));
    rows
}
