//! `users doctor`: what is right and what is not, a token explained, the table scanned and repaired.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use operator::table::{Phase, RepairOutcome, Violation};
use operator::token::Standing;
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};
use shared::table::StoredSigningKeys;
use shared::table::storage::TTL_ATTRIBUTE;
use shared::{App, Endpoint};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::harness::key_pairs::KeyPair as _;
use crate::harness::{ACME, GLOBEX, JANE, JOHN, START, World, user};
use crate::security::identity_providers::{ACCOUNT, key, providers, token};
use crate::table::faults::{Fault, Proxy};
use crate::tooling::command_line::users_command;

/// What is said of a token agrees with what an endpoint answered to it.
pub async fn assert_explained(app: &Arc<App>, token: &str, endpoint: Endpoint, status: u16) {
    let explanation = operator::token::explain(app.token_verifier().unwrap(), token).await;
    let of = |standing| explanation.findings.iter().find(move |finding| finding.standing == standing);
    let refused = of(Standing::Refused);
    match &explanation.verdict {
        Ok(_) => assert!(refused.is_none(), "it counts: {}", refused.unwrap().found),
        Err(error) => {
            let (refused, why) = (refused.expect("a reason"), error.log().unwrap());
            assert!(refused.found.starts_with(why), "{why}, not {}", refused.found);
            assert!(refused.advice.is_some(), "{why}");
        }
    }
    let lacks = |subject: &str| {
        let mut lacking = explanation.findings.iter().filter(|finding| finding.standing == Standing::Lacking);
        lacking.any(|finding| finding.subject == subject)
    };
    match status {
        // The header is refused before a token is read.
        400 | 431 => return,
        401 => {
            assert!(refused.is_some() || lacks("user id") || lacks("organization"), "401 without a reason");
        }
        403 => {
            let roles = explanation.findings.iter().find(|finding| finding.subject == "roles").unwrap();
            let opens = roles.found.rsplit(": the role ").next().unwrap();
            let opens =
                roles.standing == Standing::Right && opens.contains(endpoint.policy().unwrap().role());
            assert!(refused.is_none() && !opens, "403, but {}", roles.found);
        }
        _ => assert!(refused.is_none() && !lacks("roles"), "{status}, and not a word of why not"),
    }
    for finding in &explanation.findings {
        let text = format!("{}{}", finding.found, finding.advice.as_deref().unwrap_or_default());
        let signature = token.rsplit('.').next().unwrap();
        assert!(signature.len() < 40 || !text.contains(signature), "the signature is shown: {text}");
    }
}

/// A world in which it is now, and runs of the command on its table.
struct Clinic {
    world: World,
    files: tempfile::TempDir,
}

/// What a run came to.
struct Visit {
    status: i32,
    checks: Vec<Value>,
    stderr: String,
}

impl Visit {
    /// What was found of a check, the states first.
    fn of(&self, check: &str) -> Vec<String> {
        let of = self.checks.iter().filter(|found| found["Check"] == check);
        of.map(|found| format!("{} {}", found["State"].as_str().unwrap(), found["Found"].as_str().unwrap()))
            .collect()
    }

    fn with_state(&self, state: &str) -> Vec<String> {
        let of = self.checks.iter().filter(|found| found["State"] == state);
        of.map(|found| format!("{}: {}", found["Check"].as_str().unwrap(), found["Found"].as_str().unwrap()))
            .collect()
    }

    #[track_caller]
    fn assert_one(&self, check: &str, words: &str) {
        let found = self.of(check);
        assert!(found.len() == 1 && found[0].starts_with(words), "{check}: {found:?}, not {words}");
    }
}

impl Clinic {
    async fn open() -> Self {
        Self { world: World::start_now().await, files: tempfile::tempdir().unwrap() }
    }

    async fn run(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut all = vec!["doctor", "--endpoint-url", &self.world.system.dynamodb_url];
        if !arguments.contains(&"--table") {
            all.extend(["--table", self.world.table().name()]);
        }
        all.extend(arguments);
        run(&all, stdin).await
    }

    async fn visit(&self, arguments: &[&str], stdin: &str) -> Visit {
        let output = self.run(&[arguments, &["--json"]].concat(), stdin).await;
        let checks: Vec<Value> =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        for check in &checks {
            let fields: Vec<_> = check.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, ["Advice", "Check", "Found", "State"]);
            let state = check["State"].as_str().unwrap();
            assert!(["ok", "note", "warning", "wrong"].contains(&state), "{state}");
            assert!(
                check["Advice"].is_string() || !["warning", "wrong"].contains(&state) || is_endpoint(check),
                "{check}"
            );
        }
        let visit = Visit {
            status: output.status.code().unwrap(),
            checks,
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        let wrong = !visit.with_state("wrong").is_empty();
        assert_eq!(visit.status, i32::from(wrong), "{}", visit.stderr);
        if wrong {
            let error: Value = serde_json::from_str(visit.stderr.lines().last().unwrap()).unwrap();
            assert_eq!(error["ExitStatus"], 1);
        }
        visit
    }

    /// As an installation in AWS.
    async fn visit_deployed(&self, arguments: &[&str]) -> Visit {
        self.visit(&[arguments, &["--region", "us-east-1"]].concat(), "").await
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A visit with settings as an operator has them.
    async fn visit_with_settings(&self, text: &str) -> Visit {
        let file = self.file("settings", text);
        self.visit(&["--settings", &file], "").await
    }
}

fn is_endpoint(check: &Value) -> bool {
    check["Check"].as_str().unwrap().contains("/api/")
}

/// Runs the command.
pub async fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut command = users_command();
    command
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "x");
    command.env_remove("TOKEN_ISSUER").env_remove("TOKEN_AUDIENCE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // Whoever does not read it may have gone.
    let _ = input.write_all(stdin.as_bytes()).await;
    drop(input);
    child.wait_with_output().await.unwrap()
}

/// A key in the DynamoDB API's spelling, to which attributes are added.
fn item(partition: &str, sort: &str, attributes: &[(&str, &str)]) -> Value {
    let mut item = json!({ "PK": { "S": partition }, "SK": { "S": sort } });
    for (name, value) in attributes {
        item[*name] = json!({ "S": value });
    }
    item
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_wrong_with_a_local_system() {
    let clinic = Clinic::open().await;
    let token = clinic.world.bearer("Customer", JANE, ACME);
    let before = clinic.world.items().await;
    let visit = clinic.visit(&["--scan", "--token-file", "-"], &token).await;
    assert_eq!((visit.status, visit.stderr.as_str()), (0, ""));
    assert_eq!((visit.with_state("warning"), visit.with_state("wrong")), (vec![], vec![]));
    visit.assert_one(
        "settings",
        "ok the local system's: tokens of https://users.local with the aud users-api",
    );
    visit.assert_one("clock", "ok ");
    visit.assert_one("table", &format!("ok {}: ACTIVE, about ", clinic.world.table().name()));
    visit.assert_one("keys", "ok PK, SK");
    visit.assert_one("TTL", "ok on ExpiresAt");
    visit.assert_one("deletion protection", "note off");
    visit.assert_one("signing keys", "ok made known ");
    assert!(visit.of("signing key")[0].ends_with(": ES256, P-256"), "{:?}", visit.of("signing key"));
    visit.assert_one("token", "ok counts");
    visit.assert_one("token, exp", "ok for another 23 h");
    visit.assert_one("GET /api/users/profile", "ok opens: 200");
    visit.assert_one("POST /api/users", "note refuses it, 403: the token lacks the role Admin");
    visit.assert_one("invariants", &format!("ok all hold: {} items", before.len()));
    assert_eq!(clinic.world.items().await, before);

    // For people, with the progress apart.
    let output = clinic.run(&["--scan"], "").await;
    let (screen, progress) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(screen.starts_with("✓ ok       settings") && screen.ends_with("nothing is wrong\n"), "{screen}");
    assert!(!screen.contains("items read") && progress.contains(" items read in "), "{progress}");
    assert!(!screen.contains('\u{1b}') && !progress.contains('\u{1b}'));
    let idle = clinic.visit(&[], "").await;
    idle.assert_one("invariants", "note not looked at: --scan reads the whole table, about one read unit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_opens_behind_a_front_is_told_without_its_proof() {
    let clinic = Clinic::open().await;
    let settings = format!(
        "TABLE_NAME={}\nTOKEN_ISSUER={}\nTOKEN_AUDIENCE={}\nCLIENT_ADDRESS_HEADER=x-viewer\nFRONT_SECRET_ID=front\n",
        clinic.world.table().name(),
        users::local::ISSUER,
        users::local::AUDIENCE
    );
    let file = clinic.file("settings", &settings);
    let token = clinic.world.bearer("Customer", JANE, ACME);
    let visit = clinic.visit(&["--settings", &file, "--token-file", "-"], &token).await;
    visit.assert_one("GET /api/users/profile", "ok opens: 200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admins_token_creates_nothing_here() {
    let clinic = Clinic::open().await;
    let before = clinic.world.items().await;
    let visit = clinic.visit(&["--token-file", "-"], &clinic.world.admin(ACME)).await;
    assert_eq!(visit.status, 0);
    visit.assert_one("POST /api/users", "ok opens");
    visit.assert_one(
        "GET /api/users/organizations",
        "ok opens; asked with nothing else: 400, UserId: The user cannot",
    );
    visit.assert_one("GET /api/users/profile", "note refuses it, 403");
    assert_eq!(clinic.world.items().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_read_as_they_are_and_each_wrong_one_is_named() {
    let clinic = Clinic::open().await;
    let table = clinic.world.table().name();
    let right = json!({ "TABLE_NAME": table, "TOKEN_ISSUER": "https://issuer.example/", "TOKEN_AUDIENCE": "a", "SETTINGS": "1" });
    let lines = format!(
        "# of get-profile\n\nTABLE_NAME={table}\nTOKEN_ISSUER = https://issuer.example/\nTOKEN_AUDIENCE=a\n"
    );
    let around = json!({ "FunctionName": "x", "Environment": { "Variables": right } });
    let mut behind_a_front = right.clone();
    behind_a_front["CLIENT_ADDRESS_HEADER"] = "CloudFront-Viewer-Address".into();
    behind_a_front["FRONT_SECRET_ID"] = "front".into();
    behind_a_front["AWS_ENDPOINT_URL_DYNAMODB"] = "".into();
    let variables = json!({ "Variables": right });
    for text in
        [right.to_string(), variables.to_string(), around.to_string(), behind_a_front.to_string(), lines]
    {
        let visit = clinic.visit_with_settings(&text).await;
        visit.assert_one("settings", "ok tokens of https://issuer.example/ with the aud a");
        assert_eq!(visit.status, 0);
    }
    let visit =
        clinic.visit_with_settings("TOKEN_ISUER=x\nCLAIM_AUDIENCE=azp\nTOKEN_AUDIENCE=\nAWS_REGION=x").await;
    assert_eq!(
        visit.of("settings"),
        [
            "warning TOKEN_ISUER is no setting: no function reads it",
            "wrong TABLE_NAME is missing",
            "wrong TOKEN_ISSUER is missing",
            "wrong TOKEN_AUDIENCE is missing",
            "wrong CLAIM_AUDIENCE must be aud or client_id",
        ]
    );
    let visit = clinic.visit_with_settings("TABLE_NAME=another\nTOKEN_ISSUER=i\nTOKEN_AUDIENCE=a").await;
    assert_eq!(
        visit.of("settings")[1],
        format!("wrong the functions use the table another, and this is {table}")
    );

    for (text, why) in [
        ("NAME", "line 1 is not NAME=value"),
        ("{", "is no JSON"),
        ("{\"A\":1}", "holds a setting that is no text"),
    ] {
        let file = clinic.file("settings", text);
        let output = clinic.run(&["--settings", &file], "").await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(why), "{error}");
    }
    let output = clinic.run(&["--settings", "-", "--token-file", "-"], "").await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("not both"));
    let output = clinic.run(&["--token-file", "none"], "").await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot read none"));
    // Elsewhere they are the environment's, if there are any.
    let visit = clinic.visit_deployed(&[]).await;
    visit.assert_one("settings", "warning not looked at: none are given");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_what_the_service_needs() {
    let clinic = Clinic::open().await;
    let table = clinic.world.table().name();
    let off = json!({ "Enabled": false, "AttributeName": TTL_ATTRIBUTE });
    let off = json!({ "TableName": table, "TimeToLiveSpecification": off });
    clinic.world.dynamodb("UpdateTimeToLive", &off).await;
    let visit = clinic.visit(&[], "").await;
    visit.assert_one("TTL", "warning off");
    assert_eq!(visit.status, 0);
    let visit = clinic.visit_deployed(&[]).await;
    visit.assert_one("TTL", "wrong off");
    visit.assert_one("deletion protection", "warning off");
    assert_eq!(visit.status, 1);

    let strange = format!("{table}-strange");
    let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    let create = json!({
        "TableName": strange, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [attribute("Id")],
        "KeySchema": [{ "AttributeName": "Id", "KeyType": "HASH" }],
    });
    clinic.world.dynamodb("CreateTable", &create).await;
    clinic.visit(&["--table", &strange], "").await;
    let visit = clinic.visit(&["--table", &strange], "").await;
    visit.assert_one("keys", "wrong Id, not PK, SK");
    clinic.world.dynamodb("DeleteTable", &json!({ "TableName": strange })).await;

    let visit = clinic.visit(&["--table", "none", "--scan", "--token-file", "-"], "x").await;
    assert_eq!(visit.with_state("wrong"), ["table: there is no table none"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_keys_are_young_and_each_is_told() {
    let clinic = Clinic::open().await;
    let jwk = |id: &str, change: &dyn Fn(&mut Value)| {
        let mut jwk = key().jwk();
        jwk["kid"] = id.into();
        change(&mut jwk);
        jwk
    };
    let good = || jwk("good", &|_| {});
    let put = async |keys: Value, seconds: u64| {
        let fetched_at = Clock::system().now() - std::time::Duration::from_secs(seconds);
        let jwks = json!({ "keys": keys }).to_string();
        clinic.world.table().put_signing_keys(&StoredSigningKeys { jwks, fetched_at }).await.unwrap();
    };
    for (seconds, deployed) in [
        (180, "ok fetched 3 min ago"),
        (1000, "warning fetched 16 min ago; due every five minutes"),
        (90_000, "wrong fetched 25 h ago; due every five minutes"),
    ] {
        put(json!([good()]), seconds).await;
        clinic.visit_deployed(&[]).await.assert_one("signing keys", deployed);
        clinic.visit(&[], "").await.assert_one("signing keys", "ok made known");
    }
    let odd = [
        good(),
        good(),
        jwk("encryption", &|jwk| jwk["use"] = "enc".into()),
        jwk("weak", &|jwk| jwk["e"] = "AQ".into()),
        json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }),
    ];
    put(odd.clone().into(), 0).await;
    let visit = clinic.visit(&[], "").await;
    assert_eq!(
        visit.of("signing key"),
        [
            "ok good: RS256, 2048 bits",
            "warning good does not count: an earlier key has its kid and its algorithm",
            "warning encryption does not count: its use is not sig",
            "warning weak does not count: its exponent is not odd and of 2 to 33 bits",
            "warning without a kid does not count: it is symmetric",
        ]
    );
    assert_eq!(visit.status, 0);
    let nameless = jwk("", &|jwk| drop(jwk.as_object_mut().unwrap().remove("kid")));
    put(json!([nameless, nameless, good(), jwk("other", &|_| {})]), 0).await;
    let expected = ["without a kid", "without a kid", "good", "other"];
    let expected = expected.map(|id| format!("ok {id}: RS256, 2048 bits"));
    assert_eq!(clinic.visit(&[], "").await.of("signing key"), expected);
    put(json!(odd[2..]), 0).await;
    let visit = clinic.visit(&[], "").await;
    assert_eq!(visit.with_state("wrong"), ["signing keys: no key counts: every token is refused"]);
    clinic
        .world
        .put_item(&item("SIGNING_KEYS", "SIGNING_KEYS", &[("Jwks", "x"), ("FetchedAt", "now")]))
        .await;
    clinic
        .visit(&[], "")
        .await
        .assert_one("signing keys", "wrong the table holds a broken SigningKeys item: FetchedAt");
    clinic.world.delete_item("SIGNING_KEYS", "SIGNING_KEYS").await;
    let visit = clinic.visit(&["--token-file", "-"], &clinic.world.admin(ACME)).await;
    visit.assert_one("signing keys", "wrong there are none: every token gets 503");
    visit.assert_one("token, signature", "wrong the table holds no signing keys yet");

    // Inline ones are in their place.
    let table = clinic.world.table().name();
    let inline = format!(
        "TABLE_NAME={table}\nTOKEN_ISSUER=i\nTOKEN_AUDIENCE=a\nSIGNING_KEYS={}",
        json!({ "keys": [good()] })
    );
    let visit = clinic.visit_with_settings(&inline).await;
    visit.assert_one("signing keys", "ok those of SIGNING_KEYS");
    assert_eq!((visit.of("signing key"), visit.status), (vec!["ok good: RS256, 2048 bits".to_owned()], 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_a_token_is_refused_is_said_in_words() {
    let clinic = Clinic::open().await;
    let now = clinic.world.clock.now().seconds();
    let kid = clinic.visit(&[], "").await.of("signing key")[0].split_once(": ").unwrap().0.replace("ok ", "");
    let refused = async |token: &str, check: &str, words: &str| {
        let visit = clinic.visit(&["--token-file", "-"], &format!("{token}\n")).await;
        let wrong = visit.with_state("wrong");
        let found = visit.of(check);
        assert!(
            found.iter().any(|found| found.starts_with(&format!("wrong {words}"))),
            "{check} {words}: {wrong:?}"
        );
        assert_eq!(visit.status, 1);
        let all = format!("{:?}{}", visit.checks, visit.stderr);
        let bare = token.trim_start_matches("Bearer ");
        for part in bare.split('.').filter(|part| part.len() > 30) {
            assert!(!all.contains(part), "a part of the token is shown");
        }
        visit
    };
    for (change, check, words) in [
        (&[("exp", json!(now - 180))] as &[_], "exp", "the token has expired, 3 min ago"),
        (&[("exp", json!(now - 90_000))], "exp", "the token has expired, 25 h ago"),
        (&[("exp", Value::Null)], "exp", "the token's exp is not a date: it is null"),
        (&[("nbf", json!(now + 7300))], "nbf", "the token is not valid yet, for another 2 h"),
        (&[("nbf", json!("x"))], "nbf", "the token's nbf is not a date: it is \"x\""),
        (
            &[("iss", json!("https://users.local/"))],
            "iss",
            "the token's iss is missing or another: it is \"https://users.local/\", and TOKEN_ISSUER is https://users.local",
        ),
        (
            &[("aud", json!(["a", "b"]))],
            "aud",
            "the token's aud is missing or another: it is [\"a\",\"b\"], and TOKEN_AUDIENCE is users-api",
        ),
        (&[("role", Value::Null)], "roles", "the token lacks the claim role or roles"),
        (&[("role", json!("admin"))], "roles", "role or roles gives [\"admin\"]: neither Admin nor Customer"),
        (&[("sub", Value::Null)], "user id", "the token lacks the claim sub or UserId"),
        (
            &[("OrganizationId", json!("a b"))],
            "organization",
            "the claim OrganizationId is not an identifier: it is \"a b\"",
        ),
        (&[("iss", json!("x")), ("exp", json!(0)), ("role", json!([]))], "exp", "the token has expired, 20"),
    ] {
        let mut payload = clinic.world.payload();
        for (name, value) in change {
            payload[*name] = value.clone();
        }
        let visit = refused(&clinic.world.signed(&payload), &format!("token, {check}"), words).await;
        let wrong = visit.with_state("wrong");
        let claims = wrong.iter().filter(|wrong| wrong.starts_with("token, ")).count();
        assert_eq!(claims, change.len(), "{wrong:?}");
    }
    let mut payload = clinic.world.payload();
    payload.as_object_mut().unwrap().remove("exp");
    refused(&clinic.world.signed(&payload), "token, exp", "the token lacks exp: it is missing").await;

    // Of what is not rightly signed the claims are shown, too.
    let visit =
        refused(&clinic.world.wrongly_signed("Admin"), "token, signature", "the token's signature is wrong")
            .await;
    visit.assert_one("token, claims", "note what follows is what the token says; nobody vouches for it");
    visit.assert_one("token, organization", "ok ");
    let stranger = users::local::SigningKey::generate().unwrap().sign(&clinic.world.payload());
    let visit = refused(
        &stranger,
        "token, kid",
        "no signing key has the id and the algorithm of the token's header: \"",
    )
    .await;
    assert!(
        visit.of("token, kid")[0].ends_with(&format!("known: {kid} (ES256)")),
        "{:?}",
        visit.of("token, kid")
    );
    let key = key();
    let other =
        crate::harness::key_pairs::jws(&json!({ "alg": "RS256", "kid": kid }), &clinic.world.payload(), &key);
    refused(&other, "token, kid", "no signing key has the id and the algorithm").await;
    refused("an-opaque-token", "token, form", "the token is not a signed JWT").await;
    refused("", "token, form", "the token is not a signed JWT").await;
    refused("e30.e30.e30", "token, form", "the token's alg is missing or unknown").await;

    let mut payload = clinic.world.payload();
    payload["exp"] = json!(now - 30);
    let visit = clinic.visit(&["--token-file", "-"], &clinic.world.signed(&payload)).await;
    visit.assert_one("token, exp", "ok just over, within the leeway");

    // What decides nothing.
    let mut payload = clinic.world.payload();
    payload["iat"] = json!(now + 600);
    payload["email"] = json!("jane@example.com");
    payload["email_verified"] = json!(false);
    let visit = clinic.visit(&["--token-file", "-"], &clinic.world.signed(&payload)).await;
    assert_eq!((visit.status, visit.with_state("warning").len()), (0, 1));
    assert!(visit.of("token, iat")[0].starts_with("warning made "));
    visit.assert_one("token, e-mail", "note it does not count beside an email_verified that is not true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_cannot_steer_the_terminal() {
    let clinic = Clinic::open().await;
    let mut payload = clinic.world.payload();
    payload["sub"] = json!("\u{1b}[2J\u{9b}31m\u{202e}x");
    let output = clinic.run(&["--token-file", "-"], &clinic.world.signed(&payload)).await;
    let screen = String::from_utf8(output.stdout).unwrap();
    assert!(screen.contains("token, user id") && screen.contains("[2J"));
    assert!(!screen.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{screen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_providers_token_counts_and_near_misses_are_explained() {
    let clinic = Clinic::open().await;
    let key = key();
    let keys = json!({ "keys": [key.jwk()] });
    let mut said = String::new();
    for provider in providers() {
        if clinic
            .world
            .table()
            .organization(&provider.organization().parse().unwrap())
            .await
            .unwrap()
            .is_none()
        {
            clinic.world.put_organization(provider.organization(), "Example", "example").await;
        }
        if clinic.world.user_id_of("someone@example.net").await.is_none() {
            clinic.world.put_user(user(ACCOUNT, "someone@example.net"), &[provider.organization()]).await;
        } else {
            clinic.world.join(ACCOUNT, provider.organization()).await;
        }
        let mut settings = format!("TABLE_NAME={}\nSIGNING_KEYS={keys}\n", clinic.world.table().name());
        for (name, value) in provider.settings() {
            settings += &format!("{name}={value}\n");
        }
        let settings = clinic.file("settings", &settings);
        let visit = async |payload: &Value| {
            let token = token(payload, clinic.world.clock.now().seconds(), &key);
            clinic.visit(&["--settings", &settings, "--token-file", "-"], &token).await
        };
        let admin = visit(&provider.admin(ACCOUNT)).await;
        assert_eq!((admin.status, admin.with_state("warning")), (0, vec![]), "{}", provider.heading);
        admin.assert_one("GET /api/users/organizations", "ok opens: 200");
        let customer = visit(&provider.customer(ACCOUNT)).await;
        customer.assert_one("GET /api/users/profile", "ok opens: 200");
        said += &format!("# {}\n", provider.heading);
        for (name, status, payload) in provider.near_misses() {
            let visit = visit(&payload).await;
            visit.assert_one("GET /api/users/organizations", &format!("note refuses it, {status}: "));
            let wrong = visit.with_state("wrong");
            let claims: Vec<_> = wrong.iter().filter(|wrong| wrong.starts_with("token, ")).collect();
            assert!(!claims.is_empty() && visit.status == 1, "{}: {name}", provider.heading);
            said += &format!("\n{name} ({status})\n");
            for claim in claims {
                said += &format!("    {claim}\n");
            }
        }
        said += "\n";
    }
    insta::assert_snapshot!(said);
}

fn profile(id: &str, email: &str) -> Value {
    let names = [("FirstName", "A"), ("LastName", "B"), ("Email", email)];
    let creation = [("CreatedAt", "2026-01-02T03:04:05Z"), ("CreatedBy", "kp_admin")];
    item(&format!("USER#{id}"), "PROFILE", &[&names[..], &creation].concat())
}

/// A table with one of each violation, and what is said of each.
async fn broken(clinic: &Clinic) -> Vec<(&'static str, String)> {
    let world = &clinic.world;
    let claim = |email: &str, id: &str| item(&format!("EMAIL#{email}"), "EMAIL", &[("UserId", id)]);
    let joined = [("JoinedAt", "2026-01-02T03:04:05Z"), ("AddedBy", "kp_admin")];
    for item in [
        claim("ghost@example.com", "kp_ghost"),
        claim("old@example.com", JANE),
        claim("Jane@Example.com", JANE),
        profile("kp_unclaimed", "Unclaimed@Example.com"),
        profile("kp_second", "JOHN@example.com"),
        item("USER#kp_gone", &format!("MEMBERSHIP#{ACME}"), &joined),
        item("USER#kp_gone", &format!("CUSTOMER#{ACME}"), &[("CustomerNumber", "C-1")]),
        item(&format!("USER#{JOHN}"), "MEMBERSHIP#org_gone", &joined),
        item(&format!("USER#{JOHN}"), "CUSTOMER#org_gone", &[("CustomerNumber", "C-2")]),
        item("ORG#org_broken", "ORG", &[("Name", "No slug")]),
        item("SOMETHING#else", "X", &[]),
    ] {
        world.put_item(&item).await;
    }
    // A credential of nobody, with a hash that can be read.
    world.create(ACME, &json!({ "FirstName": "A", "LastName": "B", "Email": "gone@example.com", "Password": "correct horse battery" })).await.assert_ok(201);
    let id = world.user_id_of("gone@example.com").await.unwrap();
    world.delete_item("EMAIL#gone@example.com", "EMAIL").await;
    world.delete_item(&format!("USER#{id}"), "PROFILE").await;
    world.delete_item(&format!("USER#{id}"), &format!("MEMBERSHIP#{ACME}")).await;
    vec![
        ("broken item", "ORG#org_broken / ORG: the table holds a broken Organization item: Slug".to_owned()),
        ("broken item", "SOMETHING#else / X: the table holds an item whose key is of no kind".to_owned()),
        (
            "claim of another address",
            format!("Jane@Example.com is claimed for {JANE}, whose address is jane@example.com"),
        ),
        (
            "claim of another address",
            format!("old@example.com is claimed for {JANE}, whose address is jane@example.com"),
        ),
        ("claim without user", "ghost@example.com is claimed for kp_ghost, who is not there".to_owned()),
        ("credential without user", format!("a password of {id}, who is not there")),
        (
            "customer association without organization",
            format!("customer association of {JOHN} in org_gone: the organization is not there"),
        ),
        (
            "customer association without user",
            format!("customer association of kp_gone in {ACME}: the user is not there"),
        ),
        (
            "membership without organization",
            format!("membership of {JOHN} in org_gone: the organization is not there"),
        ),
        ("membership without user", format!("membership of kp_gone in {ACME}: the user is not there")),
        (
            "user with another's claim",
            format!("JOHN@example.com, the address of kp_second, is claimed for {JOHN}"),
        ),
        (
            "user without claim",
            "Unclaimed@Example.com, the address of kp_unclaimed, is claimed for nobody".to_owned(),
        ),
    ]
}

fn violations(visit: &Visit, state: &str) -> Vec<(String, String)> {
    let begins = visit.checks.iter().position(|check| check["Check"] == "signing key").unwrap() + 1;
    let of = visit.checks[begins..].iter().filter(|check| check["State"] == state);
    let mut violations: Vec<_> = of
        .map(|check| {
            (check["Check"].as_str().unwrap().to_owned(), check["Found"].as_str().unwrap().to_owned())
        })
        .collect();
    violations.sort();
    violations
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_hold_is_found_repaired_and_found_right() {
    let clinic = Clinic::open().await;
    let whole = clinic.world.items().await;
    let expected = broken(&clinic).await;
    let expected: Vec<_> = expected.into_iter().map(|(check, found)| (check.to_owned(), found)).collect();
    let spoiled = clinic.world.items().await;

    let visit = clinic.visit(&["--scan"], "").await;
    assert_eq!(violations(&visit, "wrong"), expected);
    // No terminal, so nobody can be asked.
    for arguments in [&["--repair"][..], &["--repair", "--json"]] {
        let output = clinic.run(arguments, "y\n").await;
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains("give --yes too"));
    }
    assert_eq!(clinic.world.items().await, spoiled, "nothing was to be repaired");

    // What only a person could restore stays, with what to do about it.
    let visit = clinic.visit(&["--repair", "--yes"], "").await;
    let is_orphan = |(check, _): &&(String, String)| {
        let is_claim = check.starts_with("claim");
        (check.contains("without user") || check.contains("without organization")) && !is_claim
    };
    let is_decided = |(check, _): &&(String, String)| {
        ["broken item", "user with another's claim"].contains(&check.as_str())
    };
    let kept: Vec<_> =
        expected.iter().filter(|found| is_orphan(found) || is_decided(found)).cloned().collect();
    assert_eq!(violations(&visit, "wrong"), kept);
    visit.assert_one("repairs", "note claims deleted: 3, claims made: 1");
    for check in &visit.checks {
        if check["State"] == "wrong" && check["Check"].as_str().unwrap().contains("without") {
            let advice = check["Advice"].as_str().unwrap();
            assert!(
                advice.contains("restore") && advice.contains("--repair --delete-orphans: delete"),
                "{advice}"
            );
        }
    }
    assert_eq!(violations(&clinic.visit(&["--scan"], "").await, "wrong"), kept);

    // Its loss is told before, by kind and number.
    let visit = clinic.visit(&["--repair", "--delete-orphans", "--yes"], "").await;
    let warnings: Vec<Value> = visit.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let warnings: Vec<_> = warnings.iter().filter_map(|line| line["Warning"].as_str()).collect();
    assert_eq!(
        warnings,
        [
            "this deletes for good what belongs to the organization org_gone, which is not there (customer \
             association: 1, membership: 1)",
            "this deletes for good what is left of 2 users who are not there (customer association: 1, membership: 1, \
             password: 1)",
        ]
    );
    visit.assert_one(
        "repairs",
        "note customer associations deleted: 2, memberships deleted: 2, passwords deleted: 1",
    );
    let expected: Vec<_> = kept;
    let by_hand = |check: &str| ["broken item", "user with another's claim"].contains(&check);
    let left: Vec<_> = expected.iter().filter(|(check, _)| by_hand(check)).cloned().collect();
    assert_eq!(violations(&visit, "wrong"), left);
    let repaired = violations(&visit, "ok");
    assert_eq!(repaired.len(), expected.len() - left.len());
    for ((check, found), (_, repaired)) in expected.iter().filter(|(check, _)| !by_hand(check)).zip(&repaired)
    {
        assert!(repaired.starts_with(&format!("{found}; repaired: ")), "{check}: {repaired}");
    }
    let visit = clinic.visit(&["--scan"], "").await;
    assert_eq!(violations(&visit, "wrong"), left);

    for (partition, sort) in
        [("ORG#org_broken", "ORG"), ("SOMETHING#else", "X"), ("USER#kp_second", "PROFILE")]
    {
        clinic.world.delete_item(partition, sort).await;
    }
    let visit = clinic.visit(&["--scan"], "").await;
    assert_eq!(visit.status, 0);
    assert_eq!(clinic.world.user_id_of("unclaimed@example.com").await.as_deref(), Some("kp_unclaimed"));
    let mut items = clinic.world.items().await;
    items.retain(|item| !item.to_string().contains("kp_unclaimed"));
    assert_eq!(items, whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_organization_or_user_costs_nobody_anything() {
    let clinic = Clinic::open().await;
    let world = &clinic.world;
    let body = json!({ "FirstName": "A", "LastName": "B", "Email": "a@example.com", "Password": "correct horse battery" });
    world.create(ACME, &body).await.assert_ok(201);
    let id = world.user_id_of("a@example.com").await.unwrap();
    world.associate(&id, ACME, "C-9").await;
    let whole = world.items().await;
    let find = |partition: String, sort: &str| {
        let sort = sort.to_owned();
        whole.iter().find(|item| item["PK"]["S"] == partition && item["SK"]["S"] == sort).unwrap().clone()
    };
    for lost in [find(format!("ORG#{ACME}"), "ORG"), find(format!("USER#{id}"), "PROFILE")] {
        world.delete_item(lost["PK"]["S"].as_str().unwrap(), lost["SK"]["S"].as_str().unwrap()).await;
        let before = world.items().await;
        let visit = clinic.visit(&["--repair", "--yes"], "").await;
        assert!(visit.status == 1 && visit.of("repairs").is_empty());
        assert_eq!(world.items().await, before, "nothing is lost, the claim of a lost user included");
        let screen = clinic.run(&["--repair", "--yes"], "").await.stdout;
        assert!(!String::from_utf8(screen).unwrap().contains("nothing is wrong"));
        // The person restores what was missing, and all is as it was.
        world.put_item(&lost).await;
        assert_eq!(world.items().await, whole);
        assert_eq!(clinic.visit(&["--scan"], "").await.status, 0);
    }
    world.delete_item(&format!("USER#{id}"), "PROFILE").await;
    let screen = clinic.run(&["--repair", "--delete-orphans", "--yes"], "").await;
    let told = String::from_utf8(screen.stderr).unwrap();
    assert!(
        told.contains("(customer association: 1, e-mail claim: 1, membership: 1, password: 1)"),
        "{told}"
    );
    let screen = String::from_utf8(screen.stdout).unwrap();
    assert!(screen.ends_with("nothing is wrong any more\n"), "{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_that_the_table_stops_tells_what_was_done() {
    let clinic = Clinic::open().await;
    for number in 0..5 {
        let claim = item(&format!("EMAIL#{number}@example.com"), "EMAIL", &[("UserId", "kp_none")]);
        clinic.world.put_item(&claim).await;
    }
    let transactions = AtomicUsize::new(0);
    let proxy = Proxy::scheduled(clinic.world.dynamodb_address(), move |request| {
        let is_write = request.windows(18).any(|part| part == b"TransactWriteItems");
        (is_write && transactions.fetch_add(1, Ordering::SeqCst) >= 2).then_some(Fault::Throttled)
    })
    .await;
    let table = clinic.world.table().name();
    let arguments = ["doctor", "--endpoint-url", &proxy.url, "--table", table, "--repair", "--yes"];
    let output = run(&arguments, "").await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let screen = String::from_utf8(output.stdout).unwrap();
    assert!(screen.contains("repairs") && screen.contains("claims deleted: 2"), "{screen}");
    assert!(screen.contains("✗ wrong    table") && !screen.contains("nothing is wrong"), "{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_that_meets_another_situation_writes_nothing() {
    let clinic = Clinic::open().await;
    broken(&clinic).await;
    let (world, table) = (&clinic.world, clinic.world.table());
    let violations = table.examine(|_, _| {}).await.unwrap().violations;
    assert_eq!(violations.len(), 12);
    // Everybody who was missing comes back, each claim is another's.
    for violation in &violations {
        let id = match violation {
            Violation::CredentialWithoutUser { user_id } => user_id,
            Violation::LinkWithoutUser(link) => &link.user_id,
            _ => continue,
        };
        world.put_item(&profile(id.as_str(), &format!("{id}@example.com"))).await;
    }
    world.put_organization("org_gone", "Back", "back").await;
    for (email, id) in [
        ("ghost@example.com", GLOBEX),
        ("old@example.com", JOHN),
        ("Jane@Example.com", JOHN),
        ("unclaimed@example.com", JANE),
    ] {
        world.put_item(&item(&format!("EMAIL#{email}"), "EMAIL", &[("UserId", id)])).await;
    }
    let before = world.items().await;
    for violation in &violations {
        let by_hand = matches!(violation, Violation::Broken { .. } | Violation::UserWithAnothersClaim { .. });
        let expected = if by_hand { RepairOutcome::ByHand } else { RepairOutcome::Changed };
        assert_eq!(table.repair(violation).await.unwrap(), expected);
    }
    assert_eq!(world.items().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_claim_is_removed_only_if_the_user_has_its_own() {
    let clinic = Clinic::open().await;
    let (world, table) = (&clinic.world, clinic.world.table());
    world.put_item(&item("EMAIL#old@example.com", "EMAIL", &[("UserId", JANE)])).await;
    world.delete_item("EMAIL#jane@example.com", "EMAIL").await;
    let violations = table.examine(|_, _| {}).await.unwrap().violations;
    let surplus =
        violations.iter().find(|found| matches!(found, Violation::ClaimOfAnotherAddress { .. })).unwrap();
    assert_eq!(table.repair(surplus).await.unwrap(), RepairOutcome::Changed);
    assert_eq!(world.user_id_of("old@example.com").await.as_deref(), Some(JANE));
    // The command does one after the other.
    assert_eq!(clinic.visit(&["--repair", "--yes"], "").await.status, 0);
    assert_eq!(world.user_id_of("jane@example.com").await.as_deref(), Some(JANE));
    assert_eq!(world.user_id_of("old@example.com").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_two_users_is_claimed_for_neither() {
    let clinic = Clinic::open().await;
    let world = &clinic.world;
    for (id, email) in [("kp_a", "Two@example.com"), ("kp_b", "two@example.com"), ("kp_c", "one@example.com")]
    {
        world.put_item(&profile(id, email)).await;
    }
    // A repair that has to wait for the decision.
    world.put_item(&item("EMAIL#old@example.com", "EMAIL", &[("UserId", "kp_a")])).await;
    let visit = clinic.visit(&["--repair", "--yes"], "").await;
    let shared = |email, id, other| {
        let found = format!("{email}, the address of {id}, is claimed for nobody, and {other} has it too");
        ("users with one address".to_owned(), found)
    };
    let wrong = violations(&visit, "wrong");
    let waiting =
        "old@example.com is claimed for kp_a, whose address is Two@example.com; nothing was written: ";
    assert!(wrong[0].0 == "claim of another address" && wrong[0].1.starts_with(waiting), "{wrong:?}");
    assert_eq!(
        wrong[1..],
        [shared("Two@example.com", "kp_a", "kp_b"), shared("two@example.com", "kp_b", "kp_a")]
    );
    visit.assert_one("repairs", "note claims made: 1");
    assert_eq!((visit.status, visit.with_state("warning").len()), (1, 0));
    assert_eq!(world.user_id_of("two@example.com").await, None);
    // A person has decided.
    world.delete_item("USER#kp_a", "PROFILE").await;
    assert_eq!(clinic.visit(&["--repair", "--yes"], "").await.status, 0);
    assert_eq!(world.user_id_of("two@example.com").await.as_deref(), Some("kp_b"));
    assert_eq!(world.user_id_of("old@example.com").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_late_in_a_scan_is_no_violation() {
    let world = World::start().await;
    world.delete_item("EMAIL#john@example.com", "EMAIL").await;
    let table = world.table().clone();
    let (mut seen, restored) = (Vec::new(), item("EMAIL#john@example.com", "EMAIL", &[("UserId", JOHN)]));
    let input = json!({ "TableName": table.name(), "Item": restored });
    // Between the reading that finds the claim missing and the second look, it is there again.
    let (handle, world) = (tokio::runtime::Handle::current(), Arc::new(world));
    let examination = table
        .examine(|phase, done| {
            if phase == Phase::Finding && done == 1 {
                let (world, input) = (world.clone(), input.clone());
                tokio::task::block_in_place(|| {
                    handle.block_on(async move { world.dynamodb("PutItem", &input).await })
                });
            }
            seen.push(phase);
        })
        .await
        .unwrap();
    assert!(examination.violations.is_empty());
    seen.dedup();
    assert!(matches!(seen[..], [Phase::Reading, Phase::Finding, Phase::LookingAgain(1)]), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_do_not_tear_apart_what_belongs_together() {
    let world = World::start().await;
    let organizations: Vec<_> = (0..600).map(|number| format!("org_{number:04}")).collect();
    world.multiply(&format!("USER#{JOHN}"), &format!("MEMBERSHIP#{ACME}"), ACME, &organizations).await;
    let examination = world.table().examine(|_, _| {}).await.unwrap();
    assert_eq!((examination.items, examination.violations.len()), (612, 600));
    world.multiply(&format!("ORG#{ACME}"), "ORG", ACME, &organizations).await;
    let examination = world.table().examine(|_, _| {}).await.unwrap();
    assert_eq!((examination.items, examination.violations.len()), (1212, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_of_a_kind_are_summed_up_on_a_screen() {
    let clinic = Clinic::open().await;
    for number in 0..13 {
        let claim = item(&format!("EMAIL#{number}@example.com"), "EMAIL", &[("UserId", "kp_none")]);
        clinic.world.put_item(&claim).await;
    }
    let output = clinic.run(&["--scan"], "").await;
    let screen = String::from_utf8(output.stdout).unwrap();
    assert_eq!(screen.matches("✗ wrong    claim without user").count(), 10, "{screen}");
    assert!(screen.contains("… 3 more: claim without user (--json has all)"), "{screen}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("error: 13 things are wrong"));
    assert_eq!(clinic.visit(&["--scan"], "").await.with_state("wrong").len(), 13);
}

/// A server that refuses every call, as DynamoDB does where a clock is wrong, and tells a time.
async fn refusing_server(date: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = service_fn(move |_| async move {
                let mut answer = hyper::Response::builder().status(400);
                if let Some(date) = date {
                    answer = answer.header("date", date);
                }
                answer.body(Full::new(Bytes::from(
                    r#"{"__type":"com.amazon.coral.service#InvalidSignatureException"}"#,
                )))
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_is_reported_even_if_the_table_refuses_calls() {
    for (date, words) in [(Some("Fri, 02 Jan 2026 03:04:05 GMT"), "wrong this machine's is "), (None, "ok ")]
    {
        let url = refusing_server(date).await;
        let output = run(&["doctor", "--json", "--endpoint-url", &url], "").await;
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let names: Vec<_> = checks.iter().map(|check| check["Check"].as_str().unwrap()).collect();
        assert_eq!(names, ["settings", "clock", "table"]);
        assert_eq!(checks[2]["State"], "wrong");
        let found =
            format!("{} {}", checks[1]["State"].as_str().unwrap(), checks[1]["Found"].as_str().unwrap());
        assert!(found.starts_with(words), "{found}");
        assert!(Clock::system().now() > Timestamp::from_millis(START.millis()) || words == "ok ");
        if date.is_some() {
            assert!(found.contains(" ahead of that of the table's server"), "{found}");
        }
    }
    let output = run(&["doctor", "--endpoint-url", "http://127.0.0.1:1"], "").await;
    assert_eq!(output.status.code(), Some(3));
    let screen = String::from_utf8(output.stdout).unwrap();
    assert!(screen.contains("clock     not known"), "{screen}");
    assert!(screen.contains("✗ wrong    table") && !screen.contains("nothing is wrong"), "{screen}");
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("error: the table cannot be used"));
    assert!(!Path::new(".users").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_is_at_the_endpoint_that_the_environment_names() {
    let world = World::start().await;
    let url = &world.system.dynamodb_url;
    let profile = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(profile.path(), format!("[default]\nendpoint_url = {url}\n")).unwrap();
    for (name, value) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str()),
        ("AWS_ENDPOINT_URL", url),
        ("AWS_CONFIG_FILE", profile.path().to_str().unwrap()),
    ] {
        let output = users_command()
            .args(["organization", "get", "--id", ACME, "--table", world.table().name()])
            .args(["--region", "us-east-1"])
            .envs([("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "x")])
            .env(name, value)
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
    }
}
