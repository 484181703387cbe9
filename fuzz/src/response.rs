use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use shared::app::AppSettings;
use shared::clock::{Clock, ManualClock, Timestamp};
use shared::table::{StoredSigningKeys, Table};
use shared::{App, Endpoint};
use tokio::runtime::{Builder, Runtime};
use users::local::{AUDIENCE, ENDPOINTS, ISSUER, LocalSystem, Options, SigningKey, invoke};
use yaml_rust2::{Yaml, YamlLoader};

use super::SOURCE_IP;

/// 2026-01-02T03:04:05Z
const START: Timestamp = Timestamp::from_millis(1_767_323_045_000);
/// A local system is left for a new one when so many accounts were created.
const MAX_CREATED: usize = 300;
/// The limit of `GET /api/users/exists` in 60 s.
const LIMIT: usize = 10;

static CONTRACT: LazyLock<Value> = LazyLock::new(|| {
    let contract =
        YamlLoader::load_from_str(include_str!("../../openapi.yaml")).expect("the contract is YAML");
    to_json(&contract[0])
});

/// What an endpoint may answer: the responses of `openapi.yaml`, by status.
fn responses(endpoint: &Endpoint) -> &'static Map<String, Value> {
    let operation = &CONTRACT["paths"][endpoint.path][endpoint.method.to_lowercase().as_str()];
    operation["responses"].as_object().expect("the contract knows the endpoint")
}

/// Their statuses, without 500 and 503, for nothing is wrong with the table here.
fn statuses(endpoint: &Endpoint) -> Vec<u16> {
    let statuses = responses(endpoint).keys().map(|status| status.parse().expect("a status"));
    statuses.filter(|status| *status < 500).collect()
}

/// The schemas of their bodies, by the endpoint's name and the status.
type Schemas = BTreeMap<(&'static str, u16), Validator>;

fn schema_of_success(endpoint: &Endpoint, status: u16) -> &'static Validator {
    static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
        let schemas = ENDPOINTS.iter().flat_map(|endpoint| {
            responses(endpoint).iter().filter_map(|(status, response)| {
                let mut schema = response.pointer("/content/application~1json/schema")?.clone();
                schema["components"] = CONTRACT["components"].clone();
                let schema = jsonschema::draft202012::new(&schema).expect("a schema");
                Some(((endpoint.name, status.parse().expect("a status")), schema))
            })
        });
        schemas.collect()
    });
    SCHEMAS.get(&(endpoint.name, status)).expect("the contract has a schema")
}

fn to_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => text.as_str().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Boolean(boolean) => (*boolean).into(),
        Yaml::Null => Value::Null,
        Yaml::Array(values) => values.iter().map(to_json).collect(),
        Yaml::Hash(members) => {
            let name = |name: &Yaml| name.as_str().expect("a name").to_owned();
            Value::Object(members.iter().map(|(member, value)| (name(member), to_json(value))).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// Every endpoint gives every event a valid answer that the contract knows.
///
/// An input that begins with `{` is an event as it stands, for all endpoints. Any other is, line by line:
/// the number of an endpoint and what else to do ([`Sending`]), `Authorization`, `Content-Type`, the
/// client's address, the query string, and the body.
///
/// Either way claims in the place of a bearer token are signed; `iss`, `aud` and `exp` are added to them
/// where they are not given.
pub fn response(input: &[u8]) {
    static SERVICE: Mutex<Option<Service>> = Mutex::new(None);
    let mut service = SERVICE.lock().unwrap_or_else(PoisonError::into_inner);
    if service.as_ref().is_none_or(|service| service.created >= MAX_CREATED) {
        *service = None;
        *service = Some(Service::start());
    }
    let service = service.as_mut().expect("it was started");
    // Every input has a quota of its own.
    service.clock.advance(Duration::from_secs(61));
    if input.starts_with(b"{") {
        let Ok(event) = serde_json::from_slice::<Value>(input) else { return };
        for endpoint in 0..ENDPOINTS.len() {
            service.check(endpoint, &event, 1);
        }
    } else {
        let sending = Sending::of(input);
        service.check(sending.endpoint, &sending.event, sending.times);
    }
}

/// An event of few lines.
struct Sending {
    endpoint: usize,
    /// `r` in the first line: twelve times.
    times: usize,
    event: Value,
}

impl Sending {
    fn of(input: &[u8]) -> Self {
        let mut lines = input.splitn(6, |&byte| byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        let how = line();
        let header = |line: &[u8]| if line.is_empty() { Value::Null } else { text(line).into() };
        let (authorization, content_type) = (header(line()), header(line()));
        let (source_ip, query, mut body) = (text(line()), text(line()), line().to_vec());
        if how.contains(&b'l') {
            // Beyond 16 KiB.
            body.resize(body.len() + 16_000, b' ');
        }
        // `b`: in base64; `B`: said to be.
        let (body, is_base64) = if how.contains(&b'b') {
            (STANDARD.encode(body), true)
        } else {
            (text(&body), how.contains(&b'B'))
        };
        let event = json!({
            "rawQueryString": query,
            "headers": { "authorization": authorization, "content-type": content_type },
            "requestContext": {
                "requestId": "fuzz",
                "http": { "method": "GET", "sourceIp": if source_ip.is_empty() { SOURCE_IP.to_owned() } else { source_ip } },
            },
            "body": body,
            "isBase64Encoded": is_base64,
        });
        let endpoint = usize::from(how.first().copied().unwrap_or_default());
        let times = if how.contains(&b'r') { LIMIT + 2 } else { 1 };
        Self { endpoint: endpoint % ENDPOINTS.len(), times, event }
    }
}

/// What a function hands to Lambda.
struct Response(Value);

impl Response {
    fn status(&self) -> u16 {
        self.0["statusCode"].as_u64().and_then(|status| status.try_into().ok()).expect("a status")
    }

    /// The headers. A REST API's answer has a list of values for each.
    fn headers(&self) -> Vec<(&str, &str)> {
        let members =
            ["headers", "multiValueHeaders"].into_iter().filter_map(|name| self.0[name].as_object());
        members
            .flatten()
            .flat_map(|(name, value)| {
                let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                values.iter().map(move |value| (name.as_str(), value.as_str().expect("a text")))
            })
            .collect()
    }

    fn body(&self) -> &str {
        self.0["body"].as_str().expect("a text")
    }
}

/// A local system, and the functions on its table.
struct Service {
    runtime: Runtime,
    apps: Vec<(Endpoint, Arc<App>)>,
    clock: ManualClock,
    signing_key: SigningKey,
    created: usize,
    _system: LocalSystem,
}

impl Service {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (clock, hand) = Clock::manual(START);
        // The one whose tokens are in `events`.
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/demo-key");
        let signing_key = SigningKey::kept_in(&directory).expect("it is there");
        let (system, apps) = runtime.block_on(async {
            let system = LocalSystem::start(Options { clock: clock.clone(), ..Options::default() }).await;
            let system = system.expect("a local system");
            let keys = StoredSigningKeys { jwks: signing_key.jwks(), fetched_at: START };
            system.table.put_signing_keys(&keys).await.expect("the table takes keys");
            let app = |endpoint: Endpoint| {
                let config =
                    AppSettings::read(endpoint.takes_token(), setting).expect("the settings are right");
                (endpoint, Arc::new(App::new(config, Table::clone(&system.table), clock.clone())))
            };
            let apps = ENDPOINTS.map(app).into();
            (system, apps)
        });
        Self { runtime, apps, clock: hand, signing_key, created: 0, _system: system }
    }

    /// Sends an event and checks the answers.
    fn check(&mut self, endpoint: usize, event: &Value, times: usize) {
        let mut event = event.clone();
        self.sign_claims(&mut event);
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let request_id = text("/requestContext/requestId").unwrap_or_default();
        // A header cannot hold every text; `invoke` has an id of its own.
        let fits = |id: &str| !id.is_empty() && !id.chars().any(|c| c.is_ascii_control() && c != '\t');
        let request_id = if fits(request_id) { request_id } else { "local" };
        let is_http_api = event.pointer("/requestContext/http").is_some_and(Value::is_object);
        let source_ip = if is_http_api { "http" } else { "identity" };
        let source_ip = text(&format!("/requestContext/{source_ip}/sourceIp")).unwrap_or_default();
        let endpoint_name = self.apps[endpoint].0.name;
        let limited = endpoint_name == "check-user-exists";
        let is_address = source_ip.parse::<IpAddr>().is_ok();
        let mut first = None;
        for time in 0..times {
            let Some(response) = self.respond(endpoint, &event) else { return };
            let status = response.status();
            let body = check_form(&response, request_id);
            if limited && !is_address {
                // API Gateway gives the address: this is no request of any caller's.
                assert_eq!(status, 500);
                continue;
            }
            let allowed = statuses(&self.apps[endpoint].0);
            assert!(allowed.contains(&status), "{endpoint_name}: {status} {body}");
            assert_eq!(limited && time >= LIMIT, status == 429, "{time}");
            assert_eq!(limited, header(&response, "RateLimit").is_some());
            assert_eq!(limited, header(&response, "RateLimit-Policy").is_some());
            if status < 300 {
                let schema = schema_of_success(&self.apps[endpoint].0, status);
                assert!(schema.is_valid(&body), "{endpoint_name}: {body}");
            } else {
                check_problem(&response, &body, request_id);
            }
            // What was created is answered as it stands.
            if status == 201 {
                self.created += 1;
                assert_eq!(self.respond(endpoint, &event).map(|again| again.status()), Some(200));
            }
            let settled = if status == 201 { 200 } else { status };
            if status != 429 {
                let first = first.get_or_insert_with(|| (settled, body.clone()));
                assert_eq!((first.0, &first.1), (settled, &body), "the same again");
            }
        }
    }

    /// The answer; `None` where this is no HTTP request.
    fn respond(&self, endpoint: usize, event: &Value) -> Option<Response> {
        let (endpoint, app) = &self.apps[endpoint];
        let answer = self.runtime.block_on(invoke(*endpoint, app, event, Duration::from_mins(1)));
        if answer == json!({ "message": "Not an HTTP request: nothing was done." }) {
            return None;
        }
        Some(Response(answer))
    }

    fn sign_claims(&self, event: &mut Value) {
        let Some(authorization) = event.pointer_mut("/headers/authorization") else { return };
        let Some((scheme, claims)) = authorization.as_str().and_then(|text| text.split_once(' ')) else {
            return;
        };
        let Ok(Value::Object(mut claims)) = serde_json::from_str(claims) else { return };
        let expires = self.clock.now().seconds() + 3600;
        for (name, value) in [("iss", json!(ISSUER)), ("aud", json!(AUDIENCE)), ("exp", json!(expires))] {
            claims.entry(name).or_insert(value);
        }
        *authorization = format!("{scheme} {}", self.signing_key.sign(&claims.into())).into();
    }
}

fn setting(name: &str) -> Option<String> {
    let value = match name {
        "TABLE_NAME" => users::local::TABLE_NAME,
        "TOKEN_ISSUER" => ISSUER,
        "TOKEN_AUDIENCE" => AUDIENCE,
        // The cheapest there is.
        "PASSWORD_HASH_MEMORY_KIB" => "8",
        "PASSWORD_HASH_ITERATIONS" => "1",
        _ => return None,
    };
    Some(value.to_owned())
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let mut values = response.headers().into_iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let value = values.next().map(|(_, value)| value);
    assert!(values.next().is_none(), "{name} is there twice");
    value
}

/// Checks what every answer has, as API Gateway takes it, and returns its body.
fn check_form(response: &Response, request_id: &str) -> Value {
    let Response(answer) = response;
    for member in answer.as_object().expect("an object").keys() {
        let known = ["body", "cookies", "headers", "isBase64Encoded", "multiValueHeaders", "statusCode"];
        assert!(known.contains(&member.as_str()), "{member}");
    }
    assert_eq!(answer["isBase64Encoded"], false);
    for (name, value) in response.headers() {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        // The request's id is API Gateway's.
        let visible = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        assert!(visible || name == "x-request-id", "{name}: {value:?}");
    }
    let problem = response.status() >= 400;
    let content_type = if problem { "application/problem+json" } else { "application/json" };
    assert_eq!(header(response, "Content-Type"), Some(content_type));
    assert_eq!(header(response, "Cache-Control"), Some("no-store"));
    assert_eq!(header(response, "X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(header(response, "X-Request-Id"), Some(request_id));
    serde_json::from_str(response.body()).expect("the body is JSON")
}

/// A problem document (RFC 9457) in the platform's shape.
fn check_problem(response: &Response, body: &Value, request_id: &str) {
    let (section, title) = match response.status() {
        400 => ("rfc9110#section-15.5.1", "One or more validation errors occurred"),
        401 => ("rfc9110#section-15.5.2", "Unauthorized"),
        403 => ("rfc9110#section-15.5.4", "Forbidden"),
        404 => ("rfc9110#section-15.5.5", "Not Found"),
        413 => ("rfc9110#section-15.5.14", "Content Too Large"),
        415 => ("rfc9110#section-15.5.16", "Unsupported Media Type"),
        429 => ("rfc6585#section-4", "Too Many Requests"),
        other => panic!("{other}"),
    };
    let status = response.status();
    let mut expected = json!({
        "type": format!("https://tools.ietf.org/html/{section}"),
        "title": title,
        "status": status,
        "traceId": request_id,
    });
    if let 401 | 404 | 413 | 415 | 429 | 431 = status {
        assert!(body["detail"].is_string(), "{body}");
        expected["detail"] = body["detail"].clone();
    }
    if status == 400 {
        expected["errors"] = body["errors"].clone();
        let errors = body["errors"].as_object().expect("the fields");
        assert!(!errors.is_empty());
        for (field, sentences) in errors {
            let sentences = sentences.as_array().expect("sentences");
            let known =
                ["FirstName", "LastName", "Email", "Password", "PhoneNumber", "UserId", "OrganizationId"];
            assert!(known.contains(&field.as_str()) || field == "$" || field == "Authorization", "{field}");
            assert!(!sentences.is_empty() && sentences.iter().all(Value::is_string), "{body}");
        }
    }
    assert_eq!(*body, expected);

    let challenge = header(response, "WWW-Authenticate");
    match status {
        401 => {
            assert!(matches!(challenge, Some("Bearer" | "Bearer error=\"invalid_token\"")), "{challenge:?}");
        }
        403 => assert_eq!(challenge, Some("Bearer error=\"insufficient_scope\"")),
        _ => assert_eq!(challenge, None),
    }
    let retry_after = header(response, "Retry-After").map(|seconds| seconds.parse::<u64>().expect("seconds"));
    assert_eq!(retry_after.is_some(), status == 429);
    assert!(retry_after.is_none_or(|seconds| (1..=60).contains(&seconds)), "{retry_after:?}");
}
