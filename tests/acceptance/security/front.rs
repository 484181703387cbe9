//! What stands in front of the functions: whose address counts, and that nobody comes past it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use shared::table::Table;
use shared::{App, Endpoint};

use crate::endpoints::door::events;
use crate::endpoints::requests::{exception, scripted_table};
use crate::endpoints::rows;
use crate::harness::{ACME, Answer, Invocation, JANE, World, app, endpoint};
use crate::security::log::is_private;
use crate::tooling::binaries::{RuntimeApi, event, log_of, start, usual};

const EXISTS: &str = "GET /api/users/exists";
/// The log of each test is searched for `canary`.
const A: &str = "canary-A-of-the-front-0123456789";
const B: &str = "canary-B-of-the-front-0123456789";
const EDGE: &str = "192.0.2.1";
const VIEWER: &str = "203.0.113.7:46532";

/// Secrets Manager, of the test's own.
pub struct SecretsManager {
    address: SocketAddr,
    /// What it answers, and with which status.
    answer: Arc<Mutex<(u16, Value)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl SecretsManager {
    pub async fn start() -> Self {
        let answer = Arc::new(Mutex::new((500, Value::Null)));
        let given = answer.clone();
        let (address, asked) = scripted_table(move |operation, _, input| {
            assert_eq!((operation, input), ("GetSecretValue", &json!({ "SecretId": "FrontSecret" })));
            given.lock().unwrap().clone()
        })
        .await;
        let secrets_manager = Self { address, answer, asked };
        secrets_manager.hold(A, "");
        secrets_manager
    }

    fn hold(&self, a: &str, b: &str) {
        self.hold_text(&json!({ "A": a, "B": b }).to_string());
    }

    fn hold_text(&self, text: &str) {
        *self.answer.lock().unwrap() = (200, json!({ "Name": "front", "SecretString": text }));
    }

    fn fail(&self) {
        *self.answer.lock().unwrap() = (400, exception("AccessDeniedException"));
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The settings of functions behind CloudFront.
    fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("CLIENT_ADDRESS_HEADER", "CloudFront-Viewer-Address".to_owned()),
            ("FRONT_SECRET_ID", "FrontSecret".to_owned()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", format!("http://{}", self.address)),
        ]
    }

    /// Functions behind CloudFront.
    pub fn app_on(&self, table: Table, world: &World) -> Arc<App> {
        let settings = self.settings();
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        app(table, world.system.clock().clone(), &settings)
    }

    fn app(&self, world: &World) -> Arc<App> {
        self.app_on(world.functions_table(), world)
    }
}

fn look_up() -> Invocation {
    Invocation::of(endpoint(EXISTS)).query("Email=john@example.com").at_address(EDGE)
}

/// A look-up as CloudFront passes it on.
fn through(edge: &str, viewer: &str, secret: &str) -> Invocation {
    let look_up = look_up().at_address(edge).header("x-origin-verify", secret);
    look_up.header("cloudfront-viewer-address", viewer)
}

fn left(answer: &Answer) -> String {
    answer.header("ratelimit").unwrap().to_owned()
}

#[tokio::test]
async fn two_viewers_behind_one_edge_have_ten_each() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let app = secrets.app(&world);
    for viewer in ["203.0.113.7:46532", "203.0.113.8:46532", "2001:db8:1:2::9:443", "[2001:db8:1:3::9]:443"] {
        for number in 0..10 {
            let answer = through(EDGE, viewer, A).answer(&app).await;
            assert_eq!((answer.status, left(&answer)), (200, format!("\"exists\";r={};t=60", 9 - number)));
        }
        through(EDGE, viewer, A).answer(&app).await.assert_problem(429);
    }
}

#[tokio::test]
async fn one_viewer_behind_two_edges_has_ten() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let app = secrets.app(&world);
    let spellings: [[&str; 2]; 3] = [
        ["203.0.113.7:46532", "::ffff:203.0.113.7:46533"],
        ["[2001:db8:1:2::9]:443", "2001:db8:1:2:ffff:0:0:1:444"],
        ["2001:db8::4:5:6:7:443", "2001:db8::5:5:6:7:443"],
    ];
    for viewer in spellings {
        for number in 0..10 {
            let edge = format!("192.0.2.{number}");
            through(&edge, viewer[number % 2], A).answer(&app).await.assert_ok(200);
        }
        for edge in [EDGE, "192.0.2.99"] {
            through(edge, viewer[0], A).answer(&app).await.assert_problem(429);
        }
    }
}

/// Headers in which a client's address, or a proof, may be written.
const FORGED: [&str; 14] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "forwarded-for",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded",
    "x-forwarded-for",
    "x-original-forwarded-for",
    "x-real-ip",
];

#[tokio::test]
async fn forged_headers_change_nobodys_count() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let behind = secrets.app(&world);
    let alone = world.app(&[]);
    for number in 0..11 {
        let other = format!("198.51.100.{number}");
        let forge =
            |look_up: Invocation| FORGED.iter().fold(look_up, |look_up, name| look_up.header(name, &other));
        let due = if number < 10 { 200 } else { 429 };
        let answer = forge(through(&other, VIEWER, A)).answer(&behind).await;
        assert_eq!(answer.status, due);
        // Without a front, its own headers are as worthless as the others.
        let direct = forge(look_up()).header("cloudfront-viewer-address", &format!("{other}:443"));
        let answer = direct.header("x-origin-verify", A).answer(&alone).await;
        assert_eq!(answer.status, due);
        // Past the front, nobody is counted, neither who asks nor whom he names.
        let past = forge(look_up()).header("cloudfront-viewer-address", VIEWER);
        past.answer(&behind).await.assert_problem(403);
    }
    let counters: Vec<_> = world.items().await;
    let counters =
        counters.iter().filter(|item| item["SK"]["S"] == "RATE").map(|item| item["PK"]["S"].clone());
    assert_eq!(counters.collect::<Vec<_>>(), ["RATE#exists#192.0.2.1", "RATE#exists#203.0.113.7"]);
}

#[tokio::test]
async fn what_comes_past_the_front_reaches_no_handler() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let record = calls.clone();
    let table = operator::table::observed(
        &world.functions_table(),
        Arc::new(move |operation, _| record.lock().unwrap().push(operation.to_owned())),
    );
    let app = secrets.app_on(table, &world);
    app.front.warm_up().await.unwrap();
    let before = world.items().await;
    let proofs: [&[&str]; 10] = [
        &[],
        &[""],
        &["x"],
        &[B],
        &[&A[1..]],
        &[&format!("{A}x")],
        &[&A.to_lowercase()],
        &[A, A],
        &[A, "x"],
        &["x", A],
    ];
    for row in rows() {
        let bearer = row.role.map(|role| world.bearer(role, JANE, ACME));
        for proof in proofs {
            for (kind, mut event) in events(row.route, row.query, bearer.as_deref(), row.body, EDGE) {
                set_header(&mut event, "X-Origin-Verify", proof);
                set_header(&mut event, "CloudFront-Viewer-Address", &[VIEWER]);
                if kind.contains("single") && proof.len() > 1 {
                    // Such an event has the last line alone. No API sends it: it is written by hand.
                    continue;
                }
                let answer = answer(row.endpoint(), &app, &event).await;
                answer.assert_problem(403);
                let detail = "Send the request to the API's public address.";
                assert_eq!(answer.json()["detail"], detail, "{} {kind} {proof:?}", row.route);
            }
        }
    }
    calls.lock().unwrap().retain(|operation| operation != "GetSecretValue");
    assert_eq!(*calls.lock().unwrap(), Vec::<String>::new());
    assert_eq!(world.items().await, before);
}

/// What an event of any kind is answered.
async fn answer(endpoint: Endpoint, app: &Arc<App>, event: &Value) -> Answer {
    Answer::of(&users::local::invoke(endpoint, app, event, Duration::from_secs(10)).await)
}

/// Sends a header so many times, as each kind of event shows it.
fn set_header(event: &mut Value, name: &str, lines: &[&str]) {
    let Some(last) = lines.last() else { return };
    if event["multiValueHeaders"].is_object() {
        event["multiValueHeaders"][name] = json!(lines);
    }
    let is_rest = event["httpMethod"].is_string();
    event["headers"][name] = if is_rest { json!(last) } else { lines.join(",").into() };
}

#[tokio::test]
async fn each_kind_of_event_is_admitted_and_counted_behind_a_front() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let app = secrets.app(&world);
    for row in rows() {
        let bearer = row.role.map(|role| world.bearer(role, JANE, ACME));
        let kinds = events(row.route, row.query, bearer.as_deref(), row.body, EDGE);
        for (number, (kind, mut event)) in kinds.into_iter().enumerate() {
            set_header(&mut event, "X-Origin-Verify", &[A]);
            set_header(&mut event, "CloudFront-Viewer-Address", &[&format!("198.51.100.{number}:443")]);
            let ask = async || answer(row.endpoint(), &app, &event).await;
            let status = ask().await.status;
            assert_eq!(status, row.status, "{kind} {}", row.route);
            if row.route == EXISTS {
                for _ in 1..10 {
                    ask().await.assert_ok(200);
                }
                ask().await.assert_problem(429);
            }
        }
    }
}

#[tokio::test]
async fn an_address_that_the_front_does_not_give_is_a_defect_of_the_front() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let app = secrets.app(&world);
    look_up().header("x-origin-verify", A).answer(&app).await.assert_problem(500);
    through(EDGE, "203.0.113.7:1,203.0.113.8:1", A).answer(&app).await.assert_problem(500);
    // No other endpoint asks for it.
    let profile = Invocation::of(endpoint("GET /api/users/profile")).header("x-origin-verify", A);
    profile.bearer(&world.bearer("Customer", JANE, ACME)).answer(&app).await.assert_ok(200);
}

#[tokio::test]
async fn a_secret_is_rotated_without_a_refused_request() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let app = secrets.app(&world);
    let status = async |secret: &str| {
        world.clock.advance(Duration::from_secs(10));
        through(EDGE, VIEWER, secret).answer(&app).await.status
    };
    assert_eq!((status(A).await, status(B).await), (200, 403));
    // The next one is written; whichever CloudFront sends now, counts, from its first request on.
    secrets.hold(A, B);
    assert_eq!((status(B).await, status(A).await), (200, 200));
    let asked = secrets.times_asked();
    assert_eq!((status(A).await, status(B).await, secrets.times_asked()), (200, 200, asked));
    // CloudFront sends B everywhere: A is replaced, and ends at the next refresh.
    secrets.hold("canary-C-of-the-front-0123456789", B);
    world.clock.advance(Duration::from_mins(5));
    assert_eq!((status(A).await, status(B).await), (403, 200));
}

#[tokio::test]
async fn a_wrong_secret_causes_a_read_at_most_every_ten_seconds() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let app = secrets.app(&world);
    app.front.warm_up().await.unwrap();
    assert_eq!(secrets.times_asked(), 1);
    for (wait, asked) in [(0, 1), (9, 1), (1, 2), (0, 2), (10, 3)] {
        world.clock.advance(Duration::from_secs(wait));
        for _ in 0..3 {
            through(EDGE, VIEWER, B).answer(&app).await.assert_problem(403);
            look_up().answer(&app).await.assert_problem(403);
        }
        assert_eq!(secrets.times_asked(), asked, "{wait}");
    }
}

#[tokio::test]
async fn without_a_known_secret_a_proof_is_a_503_and_none_a_403() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    secrets.fail();
    let app = secrets.app(&world);
    app.warm_up().await;
    through(EDGE, VIEWER, A).answer(&app).await.assert_problem(503);
    look_up().answer(&app).await.assert_problem(403);
    for wrong in ["", "{}", A, r#"{"A":"canary"}"#] {
        secrets.hold_text(wrong);
        through(EDGE, VIEWER, A).answer(&app).await.assert_problem(503);
    }
    // The next request after it is back is answered.
    secrets.hold(A, "");
    through(EDGE, VIEWER, A).answer(&app).await.assert_ok(200);
}

#[tokio::test]
async fn known_secrets_stay_if_they_cannot_be_read_again() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let app = secrets.app(&world);
    app.warm_up().await;
    let mut asked = 1;
    for spoil in [&|| secrets.fail() as _, &|| secrets.hold_text("canary") as _] as [&dyn Fn(); 2] {
        spoil();
        world.clock.advance(Duration::from_mins(5));
        for _ in 0..3 {
            through(EDGE, VIEWER, A).answer(&app).await.assert_ok(200);
        }
        asked += 1;
        assert_eq!(secrets.times_asked(), asked, "one read that fails, then a pause");
        through(EDGE, VIEWER, B).answer(&app).await.assert_problem(403);
    }
    secrets.hold(A, B);
    world.clock.advance(Duration::from_secs(10));
    through(EDGE, VIEWER, B).answer(&app).await.assert_ok(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_built_function_reads_the_secret_at_its_start() {
    let (world, secrets) = (World::start_now().await, SecretsManager::start().await);
    let settings = secrets.settings();
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let settings = [settings.as_slice(), &usual(&world)].concat();
    let mut runtime_api = RuntimeApi::start().await;
    let mut process = start("check-user-exists", &runtime_api, &settings);
    runtime_api.until_asked(1).await;
    assert_eq!(secrets.times_asked(), 1);
    for (proof, due) in [(A, 200), (B, 403), ("", 403)] {
        let mut event = event("GET", "/api/users/exists", "Email=john@example.com", "", None);
        event["headers"]["x-origin-verify"] = proof.into();
        event["headers"]["cloudfront-viewer-address"] = VIEWER.into();
        let response = runtime_api.invoke(event).await;
        assert_eq!(response["statusCode"], due, "{response}");
    }
    assert_eq!(secrets.times_asked(), 1, "the last read is too young");
    process.kill().await.unwrap();
    let log = log_of(&mut process).await;
    assert!(log.iter().any(|line| line["cause"] == "the request's X-Origin-Verify is wrong"), "{log:?}");
    for line in log {
        assert!(!is_private(&line.to_string()), "the log holds {line}");
    }
}

#[tokio::test]
async fn without_the_setting_no_secret_is_read() {
    let (world, secrets) = (World::start().await, SecretsManager::start().await);
    let app = world.app(&[("AWS_ENDPOINT_URL_SECRETS_MANAGER", &format!("http://{}", secrets.address))]);
    app.warm_up().await;
    through(EDGE, VIEWER, B).answer(&app).await.assert_ok(200);
    assert_eq!(secrets.times_asked(), 0);
}
