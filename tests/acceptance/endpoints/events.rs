//! `events/`: what each function is invoked with by hand, `sam local invoke` or the Lambda Runtime
//! Interface Emulator, and what it answers.
//!
//! `cargo accept events` writes anew what is no longer so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use shared::App;
use users::local::SigningKey;

use crate::endpoints::rows;
use crate::harness::{ACME, ENDPOINTS, JANE, World, respond_in_json, updates};

/// What is left of an invocation's time.
const TIME_LEFT: Duration = Duration::from_secs(10);
/// 2099-12-31: an event must not expire with its token.
const EXPIRES: i64 = 4_102_358_400;

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

/// An event: its file, what sends it, its function, its token, its query and its body.
struct Case {
    file: &'static str,
    sender: Sender,
    function: &'static str,
    token: Token,
    query: &'static str,
    body: Option<Value>,
}

/// What a function can be called by.
#[derive(Clone, Copy)]
enum Sender {
    HttpApi,
    FunctionUrl,
    RestApi,
}

enum Token {
    None,
    Of { role: &'static str, user: &'static str, expires: i64 },
}

const NO_TOKEN: Token = Token::None;

const fn of(role: &'static str, user: &'static str) -> Token {
    Token::Of { role, user, expires: EXPIRES }
}

fn cases() -> Vec<Case> {
    let admin = || of("Admin", JANE);
    let customer = || of("Customer", JANE);
    let expired = |role| Token::Of { role, user: JANE, expires: 1_767_225_600 };
    let sent_by =
        |sender, file, function, token, query| Case { file, sender, function, token, query, body: None };
    let get = |file, function, token, query| sent_by(Sender::HttpApi, file, function, token, query);
    let post = |file, token, body: Value| Case { body: Some(body), ..get(file, "create-user", token, "") };
    let new = json!({
        "FirstName": "Grace", "LastName": "Hopper", "Email": "grace@example.com", "Password": "SecurePass123!",
        "PhoneNumber": "561-555-1212",
    });
    let registered = json!({ "FirstName": "J.", "LastName": "S.", "Email": "Jane@Example.com" });
    let invalid =
        json!({ "FirstName": " ", "Email": "jane", "Password": "12345678", "PhoneNumber": "call me" });
    // The right request of each endpoint, but that of `create-user` creates.
    let right = rows().iter().filter(|row| row.endpoint().name != "create-user").map(|row| {
        let (name, token) = (row.endpoint().name, row.role.map_or(NO_TOKEN, |role| of(role, JANE)));
        let body = (!row.body.is_empty()).then(|| serde_json::from_str(row.body).unwrap());
        Case { file: name, sender: Sender::HttpApi, function: name, token, query: row.query, body }
    });
    let others = [
        post("create-user", admin(), new.clone()),
        post("create-user-registered", admin(), registered),
        post("create-user-invalid", admin(), invalid),
        post("create-user-no-token", NO_TOKEN, new.clone()),
        post("create-user-expired", expired("Admin"), new.clone()),
        post("create-user-wrong-role", customer(), new),
        get("get-profile-no-such-user", "get-profile", of("Customer", "kp_nobody"), ""),
        get("get-profile-no-token", "get-profile", NO_TOKEN, ""),
        get("get-profile-expired", "get-profile", expired("Customer"), ""),
        get("get-profile-wrong-role", "get-profile", admin(), ""),
        get("check-user-exists-unknown", "check-user-exists", NO_TOKEN, "Email=nobody%40example.com"),
        get("check-user-exists-missing", "check-user-exists", NO_TOKEN, ""),
        get("check-user-exists-invalid", "check-user-exists", NO_TOKEN, "Email=nobody"),
        get("list-organizations-no-such-user", "list-organizations", of("Admin", "kp_nobody"), ""),
        get("list-organizations-wrong-role", "list-organizations", customer(), ""),
        get("get-customer-association-none", "get-customer-association", admin(), "UserId=kp_nobody"),
        get("get-customer-association-missing", "get-customer-association", admin(), ""),
        get(
            "get-customer-association-wrong-role",
            "get-customer-association",
            customer(),
            "UserId=kp_nobody",
        ),
        get("list-customer-associations-none", "list-customer-associations", admin(), "UserId=kp_nobody"),
        get("list-customer-associations-twice", "list-customer-associations", admin(), "UserId=a&UserId=b"),
        get("list-customer-associations-no-token", "list-customer-associations", NO_TOKEN, "UserId=a"),
        sent_by(Sender::FunctionUrl, "get-profile-function-url", "get-profile", of("Customer", JANE), ""),
        sent_by(Sender::RestApi, "get-profile-rest-api", "get-profile", of("Customer", JANE), ""),
        sent_by(Sender::FunctionUrl, "check-user-exists-function-url", "check-user-exists", NO_TOKEN, JOHN),
        sent_by(Sender::RestApi, "check-user-exists-rest-api", "check-user-exists", NO_TOKEN, JOHN),
    ];
    right.chain(others).collect()
}

const JOHN: &str = "Email=john%40example.com";

impl Case {
    /// The event as its sender sends it, in full.
    fn event(&self, key: &SigningKey) -> Value {
        let event = self.http_api_event(key);
        match self.sender {
            Sender::HttpApi => event,
            Sender::FunctionUrl => function_url_event(event),
            Sender::RestApi => rest_api_event(&event),
        }
    }

    fn http_api_event(&self, key: &SigningKey) -> Value {
        let endpoint = ENDPOINTS.into_iter().find(|endpoint| endpoint.name == self.function).unwrap();
        let route_key = format!("{} {}", endpoint.method, endpoint.path);
        let mut headers = json!({
            "accept": "*/*",
            "host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "user-agent": "curl/8.10.1",
            "x-amzn-trace-id": "Root=1-69573b00-0123456789abcdef01234567",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        });
        if let Token::Of { role, user, expires } = self.token {
            let payload = json!({
                "iss": users::local::ISSUER, "aud": users::local::AUDIENCE, "sub": user, "OrganizationId": ACME,
                "role": role, "iat": 1_767_139_200, "exp": expires,
            });
            headers["authorization"] = format!("Bearer {}", key.sign(&payload)).into();
        }
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": format!("/dev{}", endpoint.path),
            "rawQueryString": self.query,
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdefghij",
                "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
                "domainPrefix": "abcdefghij",
                "http": {
                    "method": endpoint.method,
                    "path": format!("/dev{}", endpoint.path),
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7",
                    "userAgent": "curl/8.10.1",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": route_key,
                "stage": "dev",
                "time": "02/Jan/2026:03:04:05 +0000",
                "timeEpoch": 1_767_323_045_000_i64,
            },
            "isBase64Encoded": false,
        });
        if let Some(body) = &self.body {
            event["headers"]["content-type"] = "application/json".into();
            event["headers"]["content-length"] = body.to_string().len().to_string().into();
            event["body"] = body.to_string().into();
        }
        event
    }
}

/// The same request at a function's URL (AWS Lambda Developer Guide, "Invoking Lambda function URLs").
fn function_url_event(mut event: Value) -> Value {
    let host = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws";
    let path = event["rawPath"].as_str().unwrap().trim_start_matches("/dev").to_owned();
    event["headers"]["host"] = host.into();
    event["rawPath"] = path.clone().into();
    event["routeKey"] = "$default".into();
    let context = &mut event["requestContext"];
    context["accountId"] = "anonymous".into();
    context["apiId"] = "abcdefghijklmnopqrstuvwxyz012345".into();
    context["domainPrefix"] = context["apiId"].clone();
    context["domainName"] = host.into();
    context["http"]["path"] = path.into();
    context["requestId"] = "5b8b9a3c-1d2e-4f60-8a7b-0c1d2e3f4a5b".into();
    context["routeKey"] = "$default".into();
    context["stage"] = "$default".into();
    event
}

/// The same request at a REST API with a Lambda proxy integration (API Gateway Developer Guide, "Set up Lambda proxy
/// integrations in API Gateway").
fn rest_api_event(event: &Value) -> Value {
    let http = &event["requestContext"]["http"];
    let stage_path = http["path"].as_str().unwrap();
    let path = stage_path.trim_start_matches("/dev");
    let mut headers = event["headers"].as_object().unwrap().clone();
    // A REST API gives the names as the client spells them.
    for (name, spelled) in
        [("authorization", "Authorization"), ("host", "Host"), ("user-agent", "User-Agent")]
    {
        if let Some(value) = headers.remove(name) {
            headers.insert(spelled.to_owned(), value);
        }
    }
    let query = event["rawQueryString"].as_str().unwrap();
    // The parameters, decoded.
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let decoded = |text| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let one: Map<_, _> = pairs.map(|(name, value)| (name.to_owned(), decoded(value).into())).collect();
    let listed = |one: &Map<String, Value>| -> Map<String, Value> {
        one.iter().map(|(name, value)| (name.clone(), json!([value]))).collect()
    };
    let or_null = |map: Map<String, Value>| if map.is_empty() { Value::Null } else { map.into() };
    json!({
        "resource": path, "path": path, "httpMethod": http["method"],
        "multiValueHeaders": listed(&headers), "headers": headers,
        "multiValueQueryStringParameters": or_null(listed(&one)), "queryStringParameters": or_null(one),
        "pathParameters": null, "stageVariables": null, "body": null, "isBase64Encoded": false,
        "requestContext": {
            "resourceId": "abc123", "resourcePath": path, "httpMethod": http["method"], "path": stage_path,
            "extendedRequestId": "JKJaXmPLvHcESHA=", "requestId": "0c1d2e3f-4a5b-4c6d-8e7f-5b8b9a3c1d2e",
            "requestTime": "02/Jan/2026:03:04:05 +0000", "requestTimeEpoch": 1_767_323_045_000_i64,
            "accountId": "123456789012", "apiId": "abcdefghij", "protocol": "HTTP/1.1", "stage": "dev",
            "domainPrefix": "abcdefghij", "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "identity": {
                "sourceIp": http["sourceIp"], "userAgent": http["userAgent"], "accessKey": null, "accountId": null,
                "caller": null, "cognitoAuthenticationProvider": null, "cognitoAuthenticationType": null,
                "cognitoIdentityId": null, "cognitoIdentityPoolId": null, "principalOrgId": null, "user": null,
                "userArn": null,
            },
        },
    })
}

/// The settings under which the events' tokens count.
fn app(world: &World, key: &SigningKey) -> Arc<App> {
    world.app(&[("SIGNING_KEYS", &key.jwks())])
}

pub fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|_| panic!("{} is missing: cargo accept events", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// All of an event but the signature of its token, which no two times is the same.
fn unsigned(event: &Value) -> Value {
    let mut event = event.clone();
    for pointer in ["/headers/authorization", "/headers/Authorization", "/multiValueHeaders/Authorization/0"]
    {
        if let Some(token) = event.pointer_mut(pointer) {
            *token = token.as_str().unwrap().rsplit_once('.').unwrap().0.into();
        }
    }
    event
}

fn write(path: &Path, value: &Value) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("{value:#}\n")).unwrap();
}

#[tokio::test]
async fn each_event_is_answered_as_recorded() {
    let world = World::start().await;
    let key = SigningKey::kept_in(&directory().join("demo-key")).unwrap();
    let app = app(&world, &key);
    let update = updates();
    let mut files = Vec::new();
    for case in cases() {
        let event_file = directory().join(format!("{}.json", case.file));
        let answer_file = directory().join("answers").join(format!("{}.json", case.file));
        let due = case.event(&key);
        if update && (!event_file.exists() || unsigned(&read(&event_file)) != unsigned(&due)) {
            write(&event_file, &due);
        }
        let event = read(&event_file);
        assert_eq!(unsigned(&event), unsigned(&due), "{} is old", case.file);
        let endpoint = ENDPOINTS.into_iter().find(|endpoint| endpoint.name == case.function).unwrap();
        let answer = match case.sender {
            Sender::HttpApi => respond_in_json(endpoint, &app, event, TIME_LEFT).await,
            _ => users::local::invoke(endpoint, &app, &event, TIME_LEFT).await,
        };
        if update {
            write(&answer_file, &answer);
        }
        assert_eq!(answer, read(&answer_file), "{}", case.file);
        files.push(format!("{}.json", case.file));
    }
    files.push("refresh-signing-keys.json".to_owned());
    // Nothing lies there that no case knows.
    for entry in std::fs::read_dir(directory().join("answers")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(files.contains(&name), "{name} is nobody's");
    }
    // `sam local` and `cargo lambda` are given the same settings.
    let settings = json!({
        "TABLE_NAME": users::local::TABLE_NAME,
        "TOKEN_ISSUER": users::local::ISSUER,
        "TOKEN_AUDIENCE": users::local::AUDIENCE,
        "SIGNING_KEYS": key.jwks(),
        "AWS_ENDPOINT_URL_DYNAMODB": "http://host.docker.internal:8000",
    });
    let parameters = json!({ "Parameters": settings });
    let lines = environment_lines(&settings);
    let (json_file, lines_file) = (directory().join("environment.json"), directory().join("environment.env"));
    if update {
        write(&json_file, &parameters);
        std::fs::write(&lines_file, &lines).unwrap();
    }
    assert_eq!(read(&json_file), parameters);
    assert_eq!(std::fs::read_to_string(&lines_file).unwrap(), lines);
}

/// The settings as `NAME='value'` lines, for a process of this machine; SAM gives a container credentials and a region.
fn environment_lines(settings: &Value) -> String {
    let mut settings = settings.clone();
    settings["AWS_ENDPOINT_URL_DYNAMODB"] = "http://127.0.0.1:8000".into();
    settings["AWS_REGION"] = "us-east-1".into();
    settings["AWS_ACCESS_KEY_ID"] = "local".into();
    settings["AWS_SECRET_ACCESS_KEY"] = "local".into();
    let settings = settings.as_object().unwrap().iter();
    settings.fold(String::new(), |lines, (name, value)| lines + name + "='" + value.as_str().unwrap() + "'\n")
}

/// The answer of the scheduled function needs its network: `.ci/events` and `.ci/sam-local` compare it.
#[test]
fn the_scheduled_event_names_the_function_that_it_starts() {
    let event = read(&directory().join("refresh-signing-keys.json"));
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    assert_eq!((text("/source"), text("/detail-type")), ("aws.events", "Scheduled Event"));
    assert!(text("/resources/0").contains(":rule/users-dev-RefreshSigningKeysFunctionSchedule-"));
    let answer = read(&directory().join("answers/refresh-signing-keys.json"));
    let host = users::local::ISSUER.strip_prefix("https://").unwrap();
    assert_eq!(answer, json!({ "errorMessage": format!("{host} could not be reached over HTTPS") }));
}
