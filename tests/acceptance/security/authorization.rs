//! Who may call what, and whose keys count. Wrong tokens of every kind are in `attacks.rs`.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::table::StoredSigningKeys;
use users::local::{SigningKey, TokenClaims};

use crate::endpoints::rows;
use crate::harness::key_pairs::{Ed25519, Hmac, KeyPair, SECRET, every_algorithm, jws};
use crate::harness::{ACME, Answer, Invocation, JANE, START, World, endpoint};

/// The platform's roles.
const ROLES: [&str; 3] = ["Admin", "Customer", "SalesRep"];

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
async fn every_endpoint_answers_each_kind_of_caller_as_recorded() {
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
        "email_verified": true,
    });
    ask_app(&app, &world.signed(&payload)).await.assert_ok(200);
    // The usual names mean nothing then.
    ask_app(&app, &world.signed(&world.payload())).await.assert_problem(403);
}

#[tokio::test]
async fn an_address_counts_by_the_email_verified_beside_it() {
    let world = World::start().await;
    let (jane, elsewhere) =
        ("jane@example.com", json!({ "email": "nobody@example.com", "email_verified": true }));
    let verified = |verified: bool| json!({ "email": jane, "email_verified": verified });
    for (setting, claims, status) in [
        ("/user/email", json!({ "user": verified(true) }), 200),
        ("/user/email", json!({ "user": verified(true), "email_verified": false }), 200),
        ("/user/email", json!({ "user": verified(false) }), 400),
        ("/user/email", json!({ "user": verified(false), "email_verified": true }), 400),
        ("/user/email", json!({ "user": { "email": jane, "email_verified": "true" } }), 400),
        ("/user/email", json!({ "user": { "email": jane } }), 400),
        ("/user/email", json!({ "user": { "email": jane }, "email_verified": true }), 400),
        ("/emails/*/email", json!({ "emails": [verified(true)] }), 200),
        ("/emails/*/email", json!({ "emails": [verified(false)], "email_verified": true }), 400),
        ("/emails/*/email", json!({ "emails": [verified(true), elsewhere] }), 400),
        ("mail", json!({ "mail": jane, "email_verified": true }), 200),
        ("mail", json!({ "mail": jane, "email_verified": false }), 400),
        ("mail", json!({ "mail": jane }), 400),
        // The platform's own claims count without one.
        ("email", json!({ "email": jane }), 200),
        ("email", json!({ "email": jane, "email_verified": false }), 400),
        ("", json!({ "Email": jane }), 200),
        ("", json!({ "Email": jane, "email_verified": false }), 400),
    ] {
        let app = world.app(&[("CLAIM_EMAIL", setting)]);
        let mut payload = world.payload();
        payload["sub"] = "kp_unknown".into();
        payload.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let answer = ask_app(&app, &world.signed(&payload)).await;
        assert_eq!(answer.status, status, "{setting}: {claims}");
    }
}

async fn ask_app(app: &std::sync::Arc<shared::App>, bearer: &str) -> Answer {
    Invocation::of(endpoint("GET /api/users/organizations")).bearer(bearer).answer(app).await
}

#[tokio::test]
async fn inline_keys_of_each_algorithm_verify_only_their_own_tokens() {
    let world = World::start().await;
    let keys = every_algorithm();
    // A set holds public keys or symmetric ones.
    let of_kind = |symmetric: bool| {
        let of_kind = keys.iter().filter(|key| (key.algorithm() == "HS256") == symmetric);
        let jwks: Vec<_> = of_kind.map(|key| key.jwk()).collect();
        world.app(&[("SIGNING_KEYS", &json!({ "keys": jwks }).to_string())])
    };
    let (public, symmetric) = (of_kind(false), of_kind(true));
    for key in &keys {
        let (app, wrong_app) =
            if key.algorithm() == "HS256" { (&symmetric, &public) } else { (&public, &symmetric) };
        let good = bearer(&key.header(), &world, key.as_ref());
        ask_app(app, &good).await.assert_ok(200);
        assert_refused(&ask_app(wrong_app, &good).await);
        // Without a `kid`, the one key of the algorithm is meant.
        let without_id = bearer(&json!({ "alg": key.algorithm() }), &world, key.as_ref());
        ask_app(app, &without_id).await.assert_ok(200);
    }
    // With inline keys the table's do not count.
    assert_refused(&ask_app(&public, &world.signed(&world.payload())).await);
}

fn bearer(header: &Value, world: &World, key: &dyn KeyPair) -> String {
    format!("Bearer {}", jws(header, &world.payload(), key))
}

#[tokio::test]
async fn a_symmetric_key_in_the_table_does_not_count() {
    let world = World::start().await;
    let (secret, signer) = (Hmac::hs256(SECRET), Ed25519::new());
    let keys = StoredSigningKeys {
        jwks: json!({ "keys": [secret.jwk(), { "kty": "unheard of" }, signer.jwk()] }).to_string(),
        fetched_at: START,
    };
    world.table().put_signing_keys(&keys).await.unwrap();
    let app = world.app(&[]);
    // What is usable among them counts.
    ask_app(&app, &bearer(&signer.header(), &world, &signer)).await.assert_ok(200);
    assert_refused(&ask_app(&app, &bearer(&secret.header(), &world, &secret)).await);
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
async fn a_key_that_left_the_table_is_refused_after_its_max_age() {
    let world = World::start().await;
    let old_token = world.signed(&world.payload());
    replace_keys(&world, &SigningKey::generate().unwrap()).await;
    for (millis, status) in [(10_000, 200), (299_999, 200), (300_000, 401)] {
        world.clock.set(START + Duration::from_millis(millis));
        assert_eq!(ask(&world, &old_token).await.status, status, "{millis}");
    }
}

/// A function remembers whose signature was right, and nothing else of a token.
#[tokio::test]
async fn a_remembered_token_is_still_checked() {
    let world = World::start().await;
    let mut payload = world.payload();
    payload["exp"] = (START.seconds() + 100).into();
    let token = world.signed(&payload);
    for _ in 0..3 {
        ask(&world, &token).await.assert_ok(200);
    }
    world.get("/api/users/profile").bearer(&token).send().await.assert_problem(403);

    // Nothing of it makes another one right.
    payload["role"] = "Customer".into();
    let other = world.signed(&payload);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (other_message, other_signature) = other.rsplit_once('.').unwrap();
    assert_refused(&ask(&world, &format!("{message}.{other_signature}")).await);
    assert_refused(&ask(&world, &format!("{other_message}.{signature}")).await);

    // Until 60 s after it expires.
    for (seconds, status) in [(99, 200), (159, 200), (161, 401), (1, 200)] {
        world.clock.set(START + Duration::from_secs(seconds));
        assert_eq!(ask(&world, &token).await.status, status, "{seconds}");
    }

    // Another key with the id of the old one.
    payload["exp"] = (START.seconds() + 1000).into();
    payload["role"] = "Admin".into();
    let token = world.signed(&payload);
    ask(&world, &token).await.assert_ok(200);
    let mut jwks: Value = serde_json::from_str(&SigningKey::generate().unwrap().jwks()).unwrap();
    jwks["keys"][0]["kid"] = kid(&world.system.signing_key);
    let keys = StoredSigningKeys { jwks: jwks.to_string(), fetched_at: world.clock.now() };
    world.table().put_signing_keys(&keys).await.unwrap();
    for (seconds, status) in [(299, 200), (300, 401)] {
        world.clock.set(START + Duration::from_secs(seconds));
        assert_eq!(ask(&world, &token).await.status, status, "{seconds}");
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
