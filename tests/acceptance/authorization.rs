//! Who may call what: every endpoint with every kind of token, and every kind of wrong token.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use futures_util::future::join_all;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use ring::{hmac, rsa};
use serde_json::{Value, json};
use shared::table::StoredSigningKeys;
use users::local::{ENDPOINTS, SigningKey, TokenClaims};

use crate::harness::{ACME, Answer, Call, Invocation, JANE, START, World, endpoint, unsigned};

/// An endpoint, who may call it, and a request of it that is right.
struct Row {
    route: &'static str,
    /// The role that opens it; `None` where it is public.
    role: Option<&'static str>,
    query: &'static str,
    body: &'static str,
    /// The status of that request by who may call.
    status: u16,
}

const ROWS: [Row; 6] = [
    Row {
        route: "POST /api/users",
        role: Some("Admin"),
        query: "",
        body: r#"{"FirstName":"Jane","LastName":"Smith","Email":"jane@example.com"}"#,
        status: 200,
    },
    Row { route: "GET /api/users/profile", role: Some("Customer"), query: "", body: "", status: 200 },
    Row {
        route: "GET /api/users/exists",
        role: None,
        query: "?Email=jane%40example.com",
        body: "",
        status: 200,
    },
    Row { route: "GET /api/users/organizations", role: Some("Admin"), query: "", body: "", status: 200 },
    Row {
        route: "GET /api/users/customer-association",
        role: Some("Admin"),
        query: "?UserId=kp_abc123def456",
        body: "",
        status: 200,
    },
    Row {
        route: "GET /api/users/customer-associations",
        role: Some("Admin"),
        query: "?UserId=kp_abc123def456",
        body: "",
        status: 200,
    },
];

/// The platform's roles.
const ROLES: [&str; 3] = ["Admin", "Customer", "SalesRep"];

impl Row {
    fn call(&self, world: &World) -> Call {
        let (method, path) = self.route.split_once(' ').unwrap();
        let path = format!("{path}{}", self.query);
        if method == "POST" { world.post(&path, self.body) } else { world.get(&path) }
    }
}

/// The rows with their endpoints, after the check that neither lacks the other.
fn rows() -> Vec<&'static Row> {
    let mut routes: Vec<_> =
        ENDPOINTS.iter().map(|endpoint| format!("{} {}", endpoint.method, endpoint.path)).collect();
    let mut known: Vec<_> = ROWS.iter().map(|row| row.route.to_owned()).collect();
    routes.sort();
    known.sort();
    assert_eq!(routes, known, "an endpoint without a row, or a row without its endpoint");
    ROWS.iter().collect()
}

/// Every kind of caller: none, four whose token does not count, one for each role.
fn callers(world: &World, role: &str) -> Vec<(&'static str, Option<String>)> {
    let expired = TokenClaims {
        user_id: JANE.into(),
        organization_id: ACME.into(),
        roles: vec![role.into()],
        expires_in: Some(-60),
        ..TokenClaims::default()
    };
    let mut callers = vec![
        ("no token", None),
        ("malformed", Some("Bearer not.a.token".to_owned())),
        ("wrong signature", Some(world.wrongly_signed(role))),
        ("expired", Some(world.token(&expired))),
    ];
    callers.extend(ROLES.map(|role| (role, Some(world.bearer(role, JANE, ACME)))));
    callers
}

#[tokio::test]
async fn every_endpoint_answers_every_kind_of_caller_as_the_table_says() {
    let world = World::start().await;
    let mut table = String::new();
    for row in rows() {
        for (who, bearer) in callers(&world, row.role.unwrap_or("Admin")) {
            let mut call = row.call(&world);
            if let Some(bearer) = bearer {
                call = call.bearer(bearer);
            }
            let answer = call.send().await;
            answer.assert_well_formed();
            let challenge = answer.header("www-authenticate");
            let expected = match (row.role, who) {
                (None, _) => (row.status, None),
                (Some(_), "no token") => (401, Some("Bearer")),
                (Some(role), _) if role == who => (row.status, None),
                (Some(_), _) if ROLES.contains(&who) => (403, Some("Bearer error=\"insufficient_scope\"")),
                (Some(_), _) => (401, Some("Bearer error=\"invalid_token\"")),
            };
            assert_eq!((answer.status, challenge), expected, "{} with {who}", row.route);
            let challenge = challenge.unwrap_or_default();
            table += format!("{:<40} {who:<16} {} {challenge}", row.route, answer.status).trim_end();
            table += "\n";
        }
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn the_policy_that_an_endpoint_declares_is_the_one_that_it_demands() {
    for row in rows() {
        let declared = endpoint(row.route).policy.map(shared::auth::Policy::role);
        assert_eq!(declared, row.role, "{}", row.route);
    }
}

#[tokio::test]
async fn the_problems_of_a_refused_token_tell_nothing_of_why() {
    let world = World::start().await;
    let ask = |bearer: String| world.get("/api/users/organizations").bearer(bearer).send();
    let wrong = ask(world.wrongly_signed("Admin")).await;
    let malformed = ask("Bearer x".to_owned()).await;
    let forbidden = ask(world.bearer("Customer", JANE, ACME)).await;
    wrong.assert_problem(401);
    malformed.assert_problem(401);
    forbidden.assert_problem(403);
    assert_eq!(wrong.stable_json(), malformed.stable_json());
    insta::assert_json_snapshot!([wrong.stable_json(), forbidden.stable_json()]);
}

#[tokio::test]
async fn who_may_not_call_learns_nothing_of_what_else_is_wrong() {
    let world = World::start().await;
    let customer = world.bearer("Customer", JANE, ACME);
    for (bearer, status) in [(Some(customer), 403), (None, 401)] {
        let calls = [
            world.post("/api/users", "no JSON"),
            world.post("/api/users", "{}").header("content-type", "text/plain"),
            world.post("/api/users", "x".repeat(20_000)),
            world.get("/api/users/organizations?%zz"),
            world.get("/api/users/customer-association"),
            world.get("/api/users/customer-associations?UserId=a%20b"),
        ];
        for mut call in calls {
            if let Some(bearer) = &bearer {
                call = call.bearer(bearer);
            }
            call.send().await.assert_problem(status);
        }
    }
}

/// The answer of an Admin's endpoint to an `Authorization` header.
async fn ask(world: &World, authorization: &str) -> Answer {
    world.get("/api/users/organizations").bearer(authorization).send().await
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    answer.assert_problem(401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

/// A token of a header, a payload and a signature of their message.
fn jws(header: &Value, payload: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = [header, payload].map(|part| BASE64URL.encode(part.to_string())).join(".");
    let signature = BASE64URL.encode(sign(message.as_bytes()));
    format!("Bearer {message}.{signature}")
}

#[tokio::test]
async fn the_payload_that_the_other_tests_spoil_is_good() {
    let world = World::start().await;
    ask(&world, &world.signed(&world.payload())).await.assert_ok(200);
}

#[tokio::test]
async fn a_header_that_is_not_one_of_a_bearer_token_is_refused() {
    let world = World::start().await;
    let good = world.signed(&world.payload());
    let token = good.strip_prefix("Bearer ").unwrap();
    let mut parts = token.split('.');
    let (header, payload, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    for bad in [
        "Bearer",
        "Bearer x",
        "Bearer ..",
        "Basic eDp5",
        "Bearer:x",
        token,
        &format!("Token {token}"),
        &format!("Bearer {token}.{signature}"),
        &format!("Bearer {token}="),
        &format!("Bearer \"{token}\""),
        &format!("Bearer {token},Bearer {token}"),
        &format!("Bearer {header}.{payload}"),
        &format!("Bearer {header}.{payload}."),
        &format!("Bearer {header}..{signature}"),
        &format!("Bearer {payload}.{payload}.{signature}"),
    ] {
        assert_refused(&ask(&world, bad).await);
    }
    for good in ["bearer", "BEARER", "Bearer"] {
        ask(&world, &format!("{good} {token}")).await.assert_ok(200);
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let world = World::start().await;
    assert_refused(&ask(&world, &unsigned(&world.payload())).await);
    let kid = kid(&world.system.signing_key);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": kid });
        for signature in [Vec::new(), vec![0; 64]] {
            let token = jws(&header, &world.payload(), |_| signature.clone());
            assert_refused(&ask(&world, &token).await);
        }
    }
}

#[tokio::test]
async fn a_token_that_was_changed_after_it_was_signed_is_refused() {
    let world = World::start().await;
    let good = world.signed(&world.payload());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = message.rsplit_once('.').unwrap();
    let mut payload = world.payload();
    payload["sub"] = "kp_john456doe789".into();
    let payload = BASE64URL.encode(payload.to_string());
    assert_refused(&ask(&world, &format!("{header}.{payload}.{signature}")).await);
}

#[tokio::test]
async fn the_public_key_is_no_hmac_secret() {
    let world = World::start().await;
    let jwks = world.system.signing_key.jwks();
    let parsed: Value = serde_json::from_str(&jwks).unwrap();
    let key = &parsed["keys"][0];
    let [x, y] = ["x", "y"].map(|name| BASE64URL.decode(key[name].as_str().unwrap()).unwrap());
    let point = [vec![4], x.clone(), y.clone()].concat();
    for secret in
        [point, [x, y].concat(), jwks.clone().into_bytes(), key.to_string().into_bytes(), Vec::new()]
    {
        for kid in [key["kid"].clone(), Value::Null] {
            let mut header = json!({ "alg": "HS256", "typ": "JWT" });
            if kid.is_string() {
                header["kid"] = kid;
            }
            let token = jws(&header, &world.payload(), |message| {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                hmac::sign(&secret, message).as_ref().to_vec()
            });
            assert_refused(&ask(&world, &token).await);
        }
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_or_audience_is_refused() {
    let world = World::start().await;
    for (claim, bad) in [
        ("iss", json!("https://users.local/")),
        ("iss", json!("")),
        ("iss", json!(null)),
        ("iss", json!(["https://users.local"])),
        ("aud", json!("users")),
        ("aud", json!([])),
        ("aud", json!(["other", "another"])),
        ("aud", json!(null)),
    ] {
        let mut payload = world.payload();
        payload[claim] = bad.clone();
        assert_refused(&ask(&world, &world.signed(&payload)).await);
        payload.as_object_mut().unwrap().remove(claim);
        assert_refused(&ask(&world, &world.signed(&payload)).await);
    }
    // One audience among several.
    let mut payload = world.payload();
    payload["aud"] = json!(["other", "users-api"]);
    ask(&world, &world.signed(&payload)).await.assert_ok(200);
}

fn kid(key: &SigningKey) -> Value {
    let jwks: Value = serde_json::from_str(&key.jwks()).unwrap();
    jwks["keys"][0]["kid"].clone()
}

#[tokio::test]
async fn a_token_of_an_unknown_key_is_refused() {
    let world = World::start().await;
    let stranger = SigningKey::generate().unwrap();
    assert_ne!(kid(&stranger), kid(&world.system.signing_key));
    let token = format!("Bearer {}", stranger.sign(&world.payload()));
    assert_refused(&ask(&world, &token).await);
    // It is looked for again once the cool-down is over, and still not there.
    world.clock.advance(Duration::from_secs(10));
    assert_refused(&ask(&world, &token).await);
}

#[tokio::test]
async fn a_token_over_8_kib_is_refused_and_one_of_8_kib_read() {
    let world = World::start().await;
    let of_at_most = |bytes: usize| {
        let mut payload = world.payload();
        let mut padding = 4000;
        payload["padding"] = "x".repeat(padding).into();
        let token = |payload: &Value| world.signed(payload)["Bearer ".len()..].to_owned();
        while token(&payload).len() < bytes {
            padding += 1;
            payload["padding"] = "x".repeat(padding).into();
        }
        let mut signed = token(&payload);
        if signed.len() > bytes {
            payload["padding"] = "x".repeat(padding - 1).into();
            signed = token(&payload);
        }
        signed
    };
    let largest = of_at_most(8 * 1024);
    assert!((8190..=8192).contains(&largest.len()), "{}", largest.len());
    ask(&world, &format!("Bearer {largest}")).await.assert_ok(200);
    let mut payload = world.payload();
    payload["padding"] = "x".repeat(largest.len() * 3 / 4).into();
    assert_refused(&ask(&world, &world.signed(&payload)).await);
}

#[tokio::test]
async fn a_token_counts_until_60_s_after_its_exp() {
    let world = World::start().await;
    let mut payload = world.payload();
    payload["exp"] = json!(START.seconds() + 100);
    let token = world.signed(&payload);
    for (offset, status) in [(0, 200), (100, 200), (159, 200), (160, 401), (161, 401)] {
        world.clock.set(START + Duration::from_secs(offset));
        assert_eq!(ask(&world, &token).await.status, status, "{offset}");
    }
    world.clock.set(START + Duration::from_millis(159_999));
    assert_eq!(ask(&world, &token).await.status, 200);
}

#[tokio::test]
async fn a_token_counts_from_60_s_before_its_nbf() {
    let world = World::start().await;
    let mut payload = world.payload();
    payload["nbf"] = json!(START.seconds() + 100);
    let token = world.signed(&payload);
    for (offset, status) in [(0, 401), (39, 401), (40, 200), (100, 200)] {
        world.clock.set(START + Duration::from_secs(offset));
        assert_eq!(ask(&world, &token).await.status, status, "{offset}");
    }
    world.clock.set(START + Duration::from_millis(39_999));
    assert_eq!(ask(&world, &token).await.status, 401);
}

#[tokio::test]
async fn exp_is_required_and_a_time_is_a_number() {
    let world = World::start().await;
    let mut without = world.payload();
    without.as_object_mut().unwrap().remove("exp");
    assert_refused(&ask(&world, &world.signed(&without)).await);
    let tomorrow = START.seconds() + 86_400;
    for (claim, bad) in [
        ("exp", json!(tomorrow.to_string())),
        ("exp", json!(null)),
        ("exp", json!(true)),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("exp", json!([tomorrow])),
        ("nbf", json!("0")),
        ("nbf", json!(null)),
    ] {
        let mut payload = world.payload();
        payload[claim] = bad;
        assert_refused(&ask(&world, &world.signed(&payload)).await);
    }
    // A NumericDate may have a fraction.
    let mut payload = world.payload();
    payload["exp"] = json!(1_767_323_145.5);
    let token = world.signed(&payload);
    for (millis, status) in [(160_499, 200), (160_500, 401)] {
        world.clock.set(START + Duration::from_millis(millis));
        assert_eq!(ask(&world, &token).await.status, status, "{millis}");
    }
}

#[tokio::test]
async fn roles_are_a_string_or_an_array_under_either_name_and_spelled_exactly() {
    let world = World::start().await;
    for (name, value, status) in [
        ("role", json!("Admin"), 200),
        ("roles", json!("Admin"), 200),
        ("role", json!(["Customer", "Admin"]), 200),
        ("roles", json!(["SalesRep", "Admin"]), 200),
        ("role", json!(["Customer", 7, null, "Admin"]), 200),
        ("role", json!("admin"), 403),
        ("role", json!("Admin "), 403),
        ("role", json!("Admin,Customer"), 403),
        ("role", json!("SalesRep"), 403),
        ("role", json!([]), 403),
        ("role", json!([["Admin"]]), 403),
        ("role", json!({ "Admin": true }), 403),
        ("role", json!(true), 403),
        ("role", json!(null), 403),
        ("Role", json!("Admin"), 403),
        ("scope", json!("Admin"), 403),
    ] {
        let mut payload = world.payload();
        payload.as_object_mut().unwrap().remove("role");
        payload[name] = value.clone();
        let answer = ask(&world, &world.signed(&payload)).await;
        assert_eq!(answer.status, status, "{name} {value}");
    }
    // `role` counts before `roles`.
    let mut payload = world.payload();
    payload["role"] = "Customer".into();
    payload["roles"] = "Admin".into();
    ask(&world, &world.signed(&payload)).await.assert_problem(403);
}

#[tokio::test]
async fn the_user_id_is_sub_or_else_user_id() {
    let world = World::start().await;
    let john = "kp_john456doe789";
    for (claims, organizations) in [
        (vec![("sub", json!(JANE))], 2),
        (vec![("UserId", json!(JANE))], 2),
        (vec![("sub", json!(JANE)), ("UserId", json!(john))], 2),
        (vec![("sub", json!(john)), ("UserId", json!(JANE))], 1),
        (vec![("sub", json!(null)), ("UserId", json!(JANE))], 2),
    ] {
        let mut payload = world.payload();
        payload.as_object_mut().unwrap().remove("sub");
        for (name, value) in &claims {
            payload[*name] = value.clone();
        }
        let answer = ask(&world, &world.signed(&payload)).await.assert_ok(200);
        let found = answer["Organizations"].as_array().unwrap().len();
        assert_eq!(found, organizations, "{claims:?}");
    }
}

#[tokio::test]
async fn a_token_without_a_claim_that_the_endpoint_needs_is_refused() {
    let world = World::start().await;
    for row in rows() {
        let Some(role) = row.role else { continue };
        let needed: &[&str] = match row.route {
            "GET /api/users/organizations" => &["sub"],
            "GET /api/users/customer-association" | "GET /api/users/customer-associations" => {
                &["OrganizationId"]
            }
            _ => &["sub", "OrganizationId"],
        };
        for claim in ["sub", "OrganizationId"] {
            let spoiled = [None, Some(json!(null)), Some(json!("")), Some(json!(7))]
                .into_iter()
                .chain([Some(json!("a b")), Some(json!("a#b"))]);
            for bad in spoiled {
                let mut payload = world.payload();
                payload["role"] = role.into();
                match &bad {
                    Some(bad) => payload[claim] = bad.clone(),
                    None => drop(payload.as_object_mut().unwrap().remove(claim)),
                }
                let answer = row.call(&world).bearer(world.signed(&payload)).send().await;
                if needed.contains(&claim) {
                    assert_refused(&answer);
                } else {
                    answer.assert_ok(row.status);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_claim_given_twice_is_refused() {
    let world = World::start().await;
    let good = world.payload().to_string();
    let twice = good.replacen('{', "{\"role\":\"Customer\",", 1);
    assert_eq!(twice.matches("\"role\"").count(), 2);
    // The signing key takes values alone, so a key of the test's own signs the text.
    let keys = Ecdsa::new("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let app = world.app(&[("SIGNING_KEYS", &json!({ "keys": [keys.jwk()] }).to_string())]);
    for (payload, status) in [(good, 200), (twice, 401)] {
        let message = [keys.header().to_string(), payload].map(|part| BASE64URL.encode(part)).join(".");
        let signature = BASE64URL.encode(keys.sign(message.as_bytes()));
        let answer = Invocation::of(endpoint("GET /api/users/organizations"))
            .bearer(&format!("Bearer {message}.{signature}"))
            .answer(&app)
            .await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn a_header_that_demands_an_extension_is_refused() {
    let world = World::start().await;
    let keys = Ecdsa::new("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let app = world.app(&[("SIGNING_KEYS", &json!({ "keys": [keys.jwk()] }).to_string())]);
    for (name, value, status) in [
        ("typ", json!("JWT"), 200),
        ("typ", json!("at+jwt"), 200),
        ("unknown", json!("x"), 200),
        ("crit", json!(["exp"]), 401),
        ("crit", json!(["b64"]), 401),
        ("zip", json!("DEF"), 401),
        ("enc", json!("A128GCM"), 401),
    ] {
        let mut header = keys.header();
        header[name] = value.clone();
        let token = jws(&header, &world.payload(), |message| keys.sign(message));
        let answer = ask_app(&app, &token).await;
        assert_eq!(answer.status, status, "{name} {value}");
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_do_not_count() {
    let world = World::start().await;
    let stranger = Ecdsa::new("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    for kid in [kid(&world.system.signing_key), json!("mine")] {
        for (name, value) in [
            ("jwk", stranger.jwk()),
            ("jku", json!("https://attacker.example/jwks.json")),
            ("x5u", json!("https://attacker.example/cert.pem")),
        ] {
            let header = json!({ "alg": "ES256", "typ": "JWT", "kid": kid, name: value });
            let token = jws(&header, &world.payload(), |message| stranger.sign(message));
            assert_refused(&ask(&world, &token).await);
        }
    }
}

#[tokio::test]
async fn the_claim_names_are_settings() {
    let world = World::start().await;
    let app = world.app(&[
        ("CLAIM_USER_ID", "uid"),
        ("CLAIM_ORGANIZATION_ID", "org"),
        ("CLAIM_ROLES", "groups"),
        ("CLAIM_EMAIL", "mail"),
    ]);
    let payload = json!({
        "iss": users::local::ISSUER, "aud": users::local::AUDIENCE, "exp": START.seconds() + 100,
        "uid": "kp_unknown", "org": ACME, "groups": ["Admin"], "mail": "jane@example.com",
    });
    ask_app(&app, &world.signed(&payload)).await.assert_ok(200);
    // The usual names mean nothing then.
    ask_app(&app, &world.signed(&world.payload())).await.assert_problem(403);
}

/// A key pair of the test's own.
trait Keys {
    fn algorithm(&self) -> &'static str;
    fn jwk(&self) -> Value;
    fn sign(&self, message: &[u8]) -> Vec<u8>;

    fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "typ": "JWT", "kid": self.algorithm() })
    }
}

struct Rsa {
    algorithm: &'static str,
    encoding: &'static dyn RsaEncoding,
    pair: RsaKeyPair,
}

impl Rsa {
    fn new(algorithm: &'static str, encoding: &'static dyn RsaEncoding) -> Self {
        // A key that signs nothing but these tests' tokens. *ring* makes none of its own.
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("fixtures/test-only-rsa-2048.p8")).unwrap();
        Self { algorithm, encoding, pair }
    }
}

impl Keys for Rsa {
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

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(self.encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

struct Ecdsa {
    algorithm: &'static str,
    pair: EcdsaKeyPair,
}

impl Ecdsa {
    fn new(algorithm: &'static str, signing: &'static EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
        Self { algorithm, pair: EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).unwrap() }
    }
}

impl Keys for Ecdsa {
    fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    fn jwk(&self) -> Value {
        let point = &self.pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let curve = if self.algorithm == "ES384" { "P-384" } else { "P-256" };
        json!({
            "kty": "EC", "crv": curve, "alg": self.algorithm, "kid": self.algorithm,
            "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
        })
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        signature.unwrap().as_ref().to_vec()
    }
}

struct Ed25519(Ed25519KeyPair);

impl Ed25519 {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }
}

impl Keys for Ed25519 {
    fn algorithm(&self) -> &'static str {
        "EdDSA"
    }

    fn jwk(&self) -> Value {
        let x = BASE64URL.encode(self.0.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "EdDSA", "x": x })
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

struct Hs256(&'static [u8]);

impl Keys for Hs256 {
    fn algorithm(&self) -> &'static str {
        "HS256"
    }

    fn jwk(&self) -> Value {
        json!({ "kty": "oct", "alg": "HS256", "kid": "HS256", "k": BASE64URL.encode(self.0) })
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0);
        hmac::sign(&key, message).as_ref().to_vec()
    }
}

/// A key pair for each algorithm that the design names.
fn every_algorithm() -> Vec<Box<dyn Keys>> {
    vec![
        Box::new(Rsa::new("RS256", &RSA_PKCS1_SHA256)),
        Box::new(Rsa::new("RS384", &RSA_PKCS1_SHA384)),
        Box::new(Rsa::new("RS512", &RSA_PKCS1_SHA512)),
        Box::new(Rsa::new("PS256", &RSA_PSS_SHA256)),
        Box::new(Rsa::new("PS384", &RSA_PSS_SHA384)),
        Box::new(Rsa::new("PS512", &RSA_PSS_SHA512)),
        Box::new(Ecdsa::new("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING)),
        Box::new(Ecdsa::new("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING)),
        Box::new(Ed25519::new()),
        Box::new(Hs256(b"a secret of exactly 32 bytes ...")),
    ]
}

async fn ask_app(app: &shared::App, bearer: &str) -> Answer {
    Invocation::of(endpoint("GET /api/users/organizations")).bearer(bearer).answer(app).await
}

#[tokio::test]
async fn inline_keys_of_every_algorithm_verify_their_own_tokens_and_no_other() {
    let world = World::start().await;
    let (keys, others) = (every_algorithm(), every_algorithm());
    // A set holds public keys or symmetric ones.
    let of_kind = |symmetric: bool| {
        let of_kind = keys.iter().filter(|keys| (keys.algorithm() == "HS256") == symmetric);
        let jwks: Vec<_> = of_kind.map(|keys| keys.jwk()).collect();
        world.app(&[("SIGNING_KEYS", &json!({ "keys": jwks }).to_string())])
    };
    let (public, symmetric) = (of_kind(false), of_kind(true));
    for keys in &keys {
        let (app, wrong_app) =
            if keys.algorithm() == "HS256" { (&symmetric, &public) } else { (&public, &symmetric) };
        let good = jws(&keys.header(), &world.payload(), |message| keys.sign(message));
        ask_app(app, &good).await.assert_ok(200);
        assert_refused(&ask_app(wrong_app, &good).await);
        // Without a `kid`, the one key of the algorithm is meant.
        let header = json!({ "alg": keys.algorithm() });
        let without_id = jws(&header, &world.payload(), |message| keys.sign(message));
        ask_app(app, &without_id).await.assert_ok(200);

        let spoiled = jws(&keys.header(), &world.payload(), |message| {
            let mut signature = keys.sign(message);
            *signature.last_mut().unwrap() ^= 1;
            signature
        });
        assert_refused(&ask_app(app, &spoiled).await);
        let empty = jws(&keys.header(), &world.payload(), |_| Vec::new());
        assert_refused(&ask_app(app, &empty).await);
        // The algorithm is the key's, whatever the header says, and the key the one that it names.
        for other in &others {
            if other.algorithm() == keys.algorithm() {
                continue;
            }
            let mut header = keys.header();
            header["alg"] = other.algorithm().into();
            for signer in [keys, other] {
                let confused = jws(&header, &world.payload(), |message| signer.sign(message));
                assert_refused(&ask_app(app, &confused).await);
            }
            let mut header = keys.header();
            header["kid"] = other.algorithm().into();
            let confused = jws(&header, &world.payload(), |message| keys.sign(message));
            assert_refused(&ask_app(app, &confused).await);
        }
    }
    // With inline keys the table's do not count.
    assert_refused(&ask_app(&public, &world.signed(&world.payload())).await);
}

#[tokio::test]
async fn a_symmetric_key_in_the_table_does_not_count() {
    let world = World::start().await;
    let secret = Hs256(b"a secret of exactly 32 bytes ...");
    let signer = Ed25519::new();
    let keys = StoredSigningKeys {
        jwks: json!({ "keys": [secret.jwk(), { "kty": "unheard of" }, signer.jwk()] }).to_string(),
        fetched_at: START,
    };
    world.table().put_signing_keys(&keys).await.unwrap();
    let app = world.app(&[]);
    let sign = |keys: &dyn Keys| jws(&keys.header(), &world.payload(), |message| keys.sign(message));
    // What is usable among them counts.
    ask_app(&app, &sign(&signer)).await.assert_ok(200);
    assert_refused(&ask_app(&app, &sign(&secret)).await);
}

/// Puts a key in place of the table's.
async fn replace_keys(world: &World, key: &SigningKey) {
    let keys = StoredSigningKeys { jwks: key.jwks(), fetched_at: world.clock.now() };
    world.table().put_signing_keys(&keys).await.unwrap();
}

#[tokio::test]
async fn a_new_key_in_the_table_counts_once_the_cool_down_is_over() {
    let world = World::start().await;
    let new = SigningKey::generate().unwrap();
    let (old_token, new_token) =
        (world.signed(&world.payload()), format!("Bearer {}", new.sign(&world.payload())));
    ask(&world, &old_token).await.assert_ok(200);
    replace_keys(&world, &new).await;
    // The keys were read at START.
    for (millis, status) in [(0, 401), (9_999, 401), (10_000, 200)] {
        world.clock.set(START + Duration::from_millis(millis));
        assert_eq!(ask(&world, &new_token).await.status, status, "{millis}");
    }
    // What was read then is without the old key.
    assert_refused(&ask(&world, &old_token).await);
}

#[tokio::test]
async fn a_new_key_counts_for_everyone_who_comes_while_it_is_read() {
    let world = World::start().await;
    let new = SigningKey::generate().unwrap();
    replace_keys(&world, &new).await;
    world.clock.advance(Duration::from_secs(10));
    let token = format!("Bearer {}", new.sign(&world.payload()));
    for answer in join_all((0..10).map(|_| ask(&world, &token))).await {
        answer.assert_ok(200);
    }
}

#[tokio::test]
async fn a_key_that_the_table_has_no_longer_is_refused_after_its_max_age() {
    let world = World::start().await;
    let old_token = world.signed(&world.payload());
    replace_keys(&world, &SigningKey::generate().unwrap()).await;
    for (millis, status) in [(10_000, 200), (299_999, 200), (300_000, 401)] {
        world.clock.set(START + Duration::from_millis(millis));
        assert_eq!(ask(&world, &old_token).await.status, status, "{millis}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_read_again_go_on_counting() {
    let world = World::start().await;
    let token = world.signed(&world.payload());
    world.delete_item("SIGNING_KEYS", "SIGNING_KEYS").await;
    world.clock.advance(Duration::from_mins(50));
    ask(&world, &token).await.assert_ok(200);
    // An instance that never read any is out of service until it has.
    let fresh = world.app(&[]);
    ask_app(&fresh, &token).await.assert_problem(503);
    replace_keys(&world, &world.system.signing_key).await;
    ask_app(&fresh, &token).await.assert_ok(200);
}
