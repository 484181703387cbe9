//! The functions' binaries, as Lambda runs them: under a Lambda Runtime API of the test's own.

use std::process::Stdio;
use std::sync::Arc;
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
use tokio::sync::mpsc;

use crate::events::{directory, read};
use crate::harness::{ACME, ENDPOINTS, JANE, World, built_binaries};
use crate::log::is_private;

/// The Lambda Runtime API (AWS Lambda Developer Guide, "Using the Lambda runtime API for custom
/// runtimes"): hands out events, takes responses.
pub struct RuntimeApi {
    address: String,
    events: mpsc::UnboundedSender<Value>,
    responses: mpsc::UnboundedReceiver<(String, Value)>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, queue) = mpsc::unbounded_channel::<Value>();
        let (answered, responses) = mpsc::unbounded_channel();
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (queue, answered) = (queue.clone(), answered.clone());
                let answer = service_fn(move |request: Request<Incoming>| {
                    let (queue, answered) = (queue.clone(), answered.clone());
                    async move {
                        let path = request.uri().path().to_owned();
                        if path.ends_with("/invocation/next") {
                            // As Lambda does, it answers once there is an event.
                            let Some(event) = queue.lock().await.recv().await else {
                                return std::future::pending().await;
                            };
                            let deadline = shared::clock::Clock::system().now() + Duration::from_secs(10);
                            return Response::builder()
                                .header("Lambda-Runtime-Aws-Request-Id", "invocation-1")
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
        Self { address, events, responses }
    }

    pub async fn invoke(&mut self, event: Value) -> Value {
        self.events.send(event).unwrap();
        let (path, response) = tokio::time::timeout(Duration::from_mins(1), self.responses.recv())
            .await
            .expect("the function answers")
            .unwrap();
        assert_eq!(path, "/2018-06-01/runtime/invocation/invocation-1/response", "{response}");
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
async fn every_function_starts_under_the_runtime_api_and_answers_an_event() {
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
        assert_eq!(response["headers"]["Content-Type"], "application/json");
        assert_eq!(response["headers"]["X-Request-Id"], "JKJaXmPLvHcESHA=");

        process.kill().await.unwrap();
        let log = log_of(&mut process).await;
        let outcome = log.iter().find(|line| line["message"] == "answered").expect("an outcome line");
        assert_eq!(outcome["level"], "INFO");
        assert_eq!(outcome["request_id"], "JKJaXmPLvHcESHA=");
        assert_eq!(outcome["route"], format!("{} {}", endpoint.method, endpoint.path));
        assert_eq!(outcome["status"], recorded["statusCode"]);
        assert!(outcome["duration_ms"].is_f64());
        assert_eq!((&outcome["Requests"], &outcome["FunctionName"]), (&json!(1), &json!(endpoint.name)));
        if endpoint.policy.is_some() {
            assert_eq!((&outcome["user_id"], &outcome["organization_id"]), (&json!(JANE), &json!(ACME)));
        }
        for line in &log {
            assert!(!is_private(&line.to_string()), "{}: the log holds {line}", endpoint.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_with_wrong_settings_names_them_all_and_does_not_start() {
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

/// What a process that has ended wrote to its log: a JSON object a line.
pub async fn log_of(process: &mut Child) -> Vec<Value> {
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}
