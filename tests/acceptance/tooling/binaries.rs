//! The functions' binaries, as Lambda runs them: under a Lambda Runtime API of the test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use shared::table::StoredSigningKeys;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use users::local::SigningKey;

use crate::endpoints::events::{directory, read};
use crate::endpoints::refresh_signing_keys::{IdentityProvider, public};
use crate::endpoints::rows;
use crate::harness::{ACME, ENDPOINTS, JANE, World, built_binaries};
use crate::security::log::is_private;
use crate::table::http_client::proxy;

/// The Lambda Runtime API (AWS Lambda Developer Guide, "Using the Lambda runtime API for custom
/// runtimes"): hands out events, takes responses.
pub struct RuntimeApi {
    address: String,
    events: mpsc::UnboundedSender<Value>,
    responses: mpsc::UnboundedReceiver<(String, Value)>,
    /// How many processes' loops wait for an event.
    waiting: watch::Receiver<usize>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, queue) = mpsc::unbounded_channel::<Value>();
        let (answered, responses) = mpsc::unbounded_channel();
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let (wait, waiting) = watch::channel(0);
        let (wait, numbers) = (Arc::new(wait), Arc::new(AtomicUsize::new(1)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (queue, answered) = (queue.clone(), answered.clone());
                let (wait, numbers) = (wait.clone(), numbers.clone());
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (queue, answered) = (queue.clone(), answered.clone());
                    let (wait, numbers) = (wait.clone(), numbers.clone());
                    async move {
                        let path = request.uri().path().to_owned();
                        if path.ends_with("/invocation/next") {
                            wait.send_modify(|waiting| *waiting += 1);
                            // As Lambda does, it answers once there is an event.
                            let Some(event) = queue.lock().await.recv().await else {
                                return std::future::pending().await;
                            };
                            wait.send_modify(|waiting| *waiting -= 1);
                            // A test may set a time of its own.
                            let millis = event["timeLeftMillis"].as_u64().unwrap_or(10_000);
                            let deadline =
                                shared::clock::Clock::system().now() + Duration::from_millis(millis);
                            let number = numbers.fetch_add(1, Ordering::Relaxed);
                            return Response::builder()
                                .header("Lambda-Runtime-Aws-Request-Id", format!("invocation-{number}"))
                                .header("Lambda-Runtime-Deadline-Ms", deadline.millis())
                                .header(
                                    "Lambda-Runtime-Invoked-Function-Arn",
                                    "arn:aws:lambda:x:1:function:f",
                                )
                                .body(Full::new(Bytes::from(event.to_string())));
                        }
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let _ = answered.send((path, serde_json::from_slice(&body).unwrap()));
                        Response::builder().status(202).body(Full::default())
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
                );
            }
        });
        Self { address, events, responses, waiting }
    }

    /// Waits until so many loops ask for an event at once.
    pub async fn until_asked(&mut self, loops: usize) {
        let asked = self.waiting.wait_for(|waiting| *waiting == loops);
        tokio::time::timeout(Duration::from_mins(1), asked).await.expect("the loops ask").unwrap();
    }

    pub async fn invoke(&mut self, event: Value) -> Value {
        self.send(event);
        self.response().await
    }

    fn send(&self, event: Value) {
        self.events.send(event).unwrap();
    }

    async fn response(&mut self) -> Value {
        let (path, response) = tokio::time::timeout(Duration::from_mins(1), self.responses.recv())
            .await
            .expect("the function answers")
            .unwrap();
        assert!(path.starts_with("/2018-06-01/runtime/invocation/invocation-"), "{path}");
        assert!(path.ends_with("/response"), "{path} {response}");
        response
    }
}

/// Starts a function with nothing but what Lambda and the template set.
pub fn start(function: &str, runtime_api: &RuntimeApi, settings: &[(&str, &str)]) -> Child {
    Command::new(built_binaries().join(function))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", &runtime_api.address)
        .env("AWS_LAMBDA_FUNCTION_NAME", function)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_REGION", "us-east-1")
        // As the local system's own client: DynamoDB Local has a database for each key id.
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .envs(settings.iter().copied())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

pub fn event(method: &str, path: &str, query: &str, authorization: &str, body: Option<&str>) -> Value {
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "authorization": authorization, "content-type": "application/json" },
        "requestContext": {
            "requestId": "JKJaXmPLvHcESHA=",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7" },
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_starts_and_answers_an_event() {
    let world = World::start_now().await;
    // The key of the events' tokens.
    let environment = read(&directory().join("environment.json"));
    let jwks = environment["Parameters"]["SIGNING_KEYS"].as_str().unwrap().to_owned();
    let fetched_at = world.clock.now();
    world.table().put_signing_keys(&StoredSigningKeys { jwks, fetched_at }).await.unwrap();
    for endpoint in ENDPOINTS {
        let file = format!("{}.json", endpoint.name);
        let event = read(&directory().join(&file));
        let recorded = read(&directory().join("answers").join(&file));
        let mut runtime_api = RuntimeApi::start().await;
        let settings = [
            ("TABLE_NAME", world.table().name()),
            ("TOKEN_ISSUER", users::local::ISSUER),
            ("TOKEN_AUDIENCE", users::local::AUDIENCE),
            ("AWS_ENDPOINT_URL_DYNAMODB", &world.system.dynamodb_url),
        ];
        let mut process = start(endpoint.name, &runtime_api, &settings);
        let response = runtime_api.invoke(event).await;
        assert_eq!(response["statusCode"], recorded["statusCode"], "{}: {response}", endpoint.name);
        assert_eq!(response["body"], recorded["body"], "{}", endpoint.name);
        assert_eq!(response["headers"]["content-type"], "application/json");
        assert_eq!(response["headers"]["x-request-id"], "JKJaXmPLvHcESHA=");

        process.kill().await.unwrap();
        let log = log_of(&mut process).await;
        let outcome = log.iter().find(|line| line["message"] == "answered").expect("an outcome line");
        assert_eq!(outcome["level"], "INFO");
        assert_eq!(outcome["request_id"], "JKJaXmPLvHcESHA=");
        assert_eq!(outcome["route"], format!("{} {}", endpoint.method, endpoint.path));
        assert_eq!(outcome["status"], recorded["statusCode"]);
        assert!(outcome["duration_ms"].is_f64());
        if endpoint.takes_token() {
            assert_eq!((&outcome["user_id"], &outcome["organization_id"]), (&json!(JANE), &json!(ACME)));
        }
        for line in &log {
            assert!(!is_private(&line.to_string()), "{}: the log holds {line}", endpoint.name);
        }
    }
}

/// How many events Lambda Managed Instances hand to a process at once.
const AT_ONCE: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_answers_one_event_at_a_time_or_32() {
    let world = World::start_now().await;
    let mut all_too_late = 0;
    for row in rows() {
        let (method, path) = row.route.split_once(' ').unwrap();
        let bearer = row.role.map_or(String::new(), |role| world.bearer(role, JANE, ACME));
        for (at_once, asked) in [("1", 1), ("32", AT_ONCE)] {
            let mut runtime_api = RuntimeApi::start().await;
            let settings = [("AWS_LAMBDA_MAX_CONCURRENCY", at_once)];
            let settings = [settings.as_slice(), &usual(&world)].concat();
            let _process = start(row.endpoint().name, &runtime_api, &settings);
            runtime_api.until_asked(asked).await;
            let client = std::net::Ipv4Addr::from_bits(u32::try_from(asked).unwrap());
            for number in 0..2 * AT_ONCE {
                let mut event = event(method, path, row.query, &bearer, Some(row.body));
                event["requestContext"]["requestId"] = format!("request-{number}").into();
                event["requestContext"]["http"]["sourceIp"] = client.to_string().into();
                // Each request has a deadline of its own.
                if number % 8 == 7 {
                    event["timeLeftMillis"] = 0.into();
                }
                runtime_api.send(event);
            }
            let mut statuses = BTreeMap::new();
            let mut ids = BTreeSet::new();
            for _ in 0..2 * AT_ONCE {
                let response = runtime_api.response().await;
                let id = response["headers"]["x-request-id"].as_str().unwrap().to_owned();
                let number: usize = id.strip_prefix("request-").unwrap().parse().unwrap();
                let status = response["statusCode"].as_u64().unwrap();
                assert!(status != 503 || number % 8 == 7, "{} {id}: {response}", row.route);
                ids.insert(id);
                *statuses.entry(status).or_insert(0) += 1;
            }
            assert_eq!(ids.len(), 2 * AT_ONCE, "an id came twice");
            // A request whose time is up at once may be answered all the same, if the answer is there as soon.
            let too_late = statuses.remove(&503).unwrap_or_default();
            all_too_late += too_late;
            if row.endpoint().name == "check-user-exists" {
                // It may also be counted and not answered.
                assert!(statuses[&200] <= 10 && statuses[&200] + too_late >= 10, "{statuses:?}");
                assert_eq!(statuses[&200] + statuses[&429] + too_late, 2 * AT_ONCE);
            } else {
                let due = BTreeMap::from([(row.status.into(), 2 * AT_ONCE - too_late)]);
                assert_eq!(statuses, due, "{}", row.route);
            }
            runtime_api.until_asked(asked).await;
        }
    }
    assert!(all_too_late > 0, "no deadline counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_created_at_once_have_an_id_each() {
    let world = World::start_now().await;
    let mut runtime_api = RuntimeApi::start().await;
    let settings = [
        ("AWS_LAMBDA_MAX_CONCURRENCY", "32"),
        ("PASSWORD_HASH_MEMORY_KIB", "8"),
        ("PASSWORD_HASH_ITERATIONS", "1"),
    ];
    let _process = start("create-user", &runtime_api, &[settings.as_slice(), &usual(&world)].concat());
    runtime_api.until_asked(AT_ONCE).await;
    let bearer = world.bearer("Admin", JANE, ACME);
    for number in 0..AT_ONCE {
        let body = json!({
            "FirstName": "N", "LastName": "N", "Email": format!("n{number}@example.com"),
            "Password": "correct horse battery",
        });
        runtime_api.send(event("POST", "/api/users", "", &bearer, Some(&body.to_string())));
    }
    for _ in 0..AT_ONCE {
        let response = runtime_api.response().await;
        assert_eq!(response["statusCode"], 201, "{response}");
    }
    let mut ids = BTreeSet::new();
    for number in 0..AT_ONCE {
        ids.insert(world.user_id_of(&format!("n{number}@example.com")).await.unwrap());
    }
    assert_eq!(ids.len(), AT_ONCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_no_http_request_is_ignored_quietly() {
    let world = World::start_now().await;
    for endpoint in ENDPOINTS {
        let mut runtime_api = RuntimeApi::start().await;
        let mut process = start(endpoint.name, &runtime_api, &usual(&world));
        for event in not_http() {
            let response = runtime_api.invoke(event).await;
            assert_eq!(response, json!({ "message": "Not an HTTP request: nothing was done." }));
        }
        process.kill().await.unwrap();
        let mut log = log_of(&mut process).await;
        // The start's own line.
        log.retain(|line| line["message"] != "read the signing keys");
        assert_eq!(log.len(), not_http().len(), "{log:?}");
        for line in log {
            assert_eq!(
                (&line["level"], &line["message"]),
                (&json!("INFO"), &json!("not an HTTP request, ignored"))
            );
        }
    }
}

/// Events that come from elsewhere than API Gateway.
pub fn not_http() -> Vec<Value> {
    vec![
        json!({ "warmer": true }),
        // The Lambda console's test event.
        json!({ "key1": "value1", "key2": "value2", "key3": "value3" }),
        // EventBridge.
        json!({
            "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
            "source": "aws.events", "account": "123456789012", "time": "2026-01-02T03:04:05Z",
            "region": "us-east-1", "resources": [], "detail": {},
        }),
        json!({}),
        json!(null),
        json!("a text"),
        json!([1]),
        json!({ "requestContext": null, "httpMethod": "GET" }),
    ]
}

/// The settings that every function needs.
pub fn usual(world: &World) -> [(&str, &str); 4] {
    [
        ("TABLE_NAME", world.table().name()),
        ("TOKEN_ISSUER", users::local::ISSUER),
        ("TOKEN_AUDIENCE", users::local::AUDIENCE),
        ("AWS_ENDPOINT_URL_DYNAMODB", &world.system.dynamodb_url),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_with_wrong_settings_names_all_and_ends() {
    let runtime_api = RuntimeApi::start().await;
    let settings = [("SIGNING_KEYS", "{"), ("PASSWORD_HASH_ITERATIONS", "0")];
    let mut process = start("create-user", &runtime_api, &settings);
    assert_eq!(process.wait().await.unwrap().code(), Some(1));
    let log = log_of(&mut process).await;
    assert_eq!(
        log.last().unwrap()["message"],
        "wrong settings: TABLE_NAME is missing; TOKEN_ISSUER is missing; TOKEN_AUDIENCE is missing; SIGNING_KEYS \
         is not a JWK Set; PASSWORD_HASH_ITERATIONS must be a whole number from 1 to 100"
    );
}

/// The SDK's rules give no FIPS endpoint beside a URL, so a function that honours the variable cannot call the table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_honours_the_variables_that_choose_an_endpoint() {
    let world = World::start_now().await;
    for (name, told) in [
        ("AWS_USE_FIPS_ENDPOINT", "FIPS and custom endpoint are not supported"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "Dualstack and custom endpoint are not supported"),
    ] {
        let mut runtime_api = RuntimeApi::start().await;
        let mut process =
            start("get-profile", &runtime_api, &[usual(&world).as_slice(), &[(name, "True")]].concat());
        runtime_api.until_asked(1).await;
        process.kill().await.unwrap();
        let log = log_of(&mut process).await;
        let cause = format!("GetItem did not get through: Invalid Configuration: {told}");
        assert!(log.iter().any(|line| line["cause"] == cause), "{log:?}");

        let mut process =
            start("get-profile", &runtime_api, &[usual(&world).as_slice(), &[(name, "yes")]].concat());
        assert_eq!(process.wait().await.unwrap().code(), Some(1));
        let log = log_of(&mut process).await;
        let wrong = format!("wrong settings: {name} must be true or false");
        assert_eq!(log.last().unwrap()["message"], wrong);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_goes_out_as_its_environment_says() {
    let world = World::start_now().await;
    let provider = IdentityProvider::start().await;
    provider.publishes(&[public(&SigningKey::generate().unwrap())]);
    let (proxy, asked) = proxy().await;
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&roots, &provider.root).unwrap();
    let (roots, url) = (roots.path().to_str().unwrap(), format!("{}/jwks", provider.url));
    let proxy = format!("http://user:secret@{proxy}");
    let connect = format!("CONNECT {} HTTP/1.1", provider.url.strip_prefix("https://").unwrap());

    // To the provider: its own roots, and the proxy.
    let mut runtime_api = RuntimeApi::start().await;
    let own = [("JWKS_URL", &*url), ("JWKS_CA_BUNDLE", roots), ("HTTPS_PROXY", &*proxy)];
    let settings = [usual(&world).as_slice(), &own].concat();
    let _process = start("refresh-signing-keys", &runtime_api, &settings);
    assert_eq!(runtime_api.invoke(json!({})).await, Value::Null);
    assert_eq!(asked.lock().unwrap().drain(..).collect::<Vec<_>>(), [&*connect]);

    // To the table, which is this provider now and never answers.
    let mut runtime_api = RuntimeApi::start().await;
    let own =
        [("AWS_ENDPOINT_URL_DYNAMODB", &*provider.url), ("AWS_CA_BUNDLE", roots), ("HTTPS_PROXY", &proxy)];
    let settings = [usual(&world).as_slice(), &own].concat();
    let _process = start("get-profile", &runtime_api, &settings);
    runtime_api.until_asked(1).await;
    assert!(asked.lock().unwrap().iter().all(|asked| *asked == connect));
    assert!(!asked.lock().unwrap().is_empty());

    // All that is wrong is said at once.
    for function in ["refresh-signing-keys", "get-profile"] {
        let runtime_api = RuntimeApi::start().await;
        let wrong = [
            ("TABLE_NAME", ""),
            ("HTTPS_PROXY", "socks5://127.0.0.1:1"),
            ("AWS_CA_BUNDLE", "/no/such/file"),
            ("AWS_USE_FIPS_ENDPOINT", "yes"),
        ];
        let mut process = start(function, &runtime_api, &[usual(&world).as_slice(), &wrong].concat());
        assert_eq!(process.wait().await.unwrap().code(), Some(1));
        let log = log_of(&mut process).await;
        let message = log.last().unwrap()["message"].as_str().unwrap();
        for (name, _) in wrong {
            assert_eq!(message.matches(name).count(), 1, "{message}");
        }
    }
}

/// What a process that has ended wrote to its log: a JSON object a line.
pub async fn log_of(process: &mut Child) -> Vec<Value> {
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}
