//! What holds for every endpoint: how requests are read, what every answer carries, and what
//! happens where the service or something it stands on fails.

use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::Method;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use operator::table::OperatorTable;
use serde_json::{Value, json};
use shared::app::AppSettings;
use shared::clock::Clock;
use shared::endpoint::PublicHandler;
use shared::error::ErrorKind;
use shared::table::{JoinOutcome, NewMembership};
use shared::{Access, App, Endpoint};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;
use users::local::{ENDPOINTS, SigningKey, TokenClaims};

use crate::endpoints::rows;
use crate::harness::{ACME, Answer, Call, Invocation, JANE, REQUEST_ID, START, World, app, endpoint};

const PATH: &str = "/api/users";
const MAX_BODY_BYTES: usize = 16 * 1024;

fn body(email: &str) -> String {
    json!({ "FirstName": "A", "LastName": "B", "Email": email }).to_string()
}

fn post(world: &World, body: impl Into<Bytes>) -> Call {
    world.post(PATH, body).bearer(world.admin(ACME))
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_400() {
    let world = World::start().await;
    for bad in [
        "",
        " ",
        "{",
        "nonsense",
        "{\"FirstName\":\"A\",}",
        "{'FirstName':'A'}",
        "{}{}",
        "{\"FirstName\":\"\\ud800\"}",
        "{\"FirstName\":\"a\u{1}b\"}",
        "FirstName=A&LastName=B",
        &format!("{{\"FirstName\":{}1{}}}", "[".repeat(5000), "]".repeat(5000)),
        &format!("\u{feff}\u{feff}{}", body("bom@example.com")),
    ] {
        let answer = post(&world, bad.to_owned()).send().await;
        answer.assert_invalid(&["$"]);
        insta::allow_duplicates! { insta::assert_json_snapshot!(answer.stable_json()) }
    }
}

#[tokio::test]
async fn a_byte_order_mark_before_a_body_is_ignored() {
    let world = World::start().await;
    let marked = format!("\u{feff}{}", body("bom@example.com"));
    post(&world, marked).send().await.assert_ok(201);
}

#[tokio::test]
async fn a_body_that_is_not_utf_8_is_a_400() {
    let world = World::start().await;
    let mut bytes = body("latin@example.com").into_bytes();
    let at = bytes.iter().position(|&b| b == b'A').unwrap();
    bytes[at] = 0xe4;
    post(&world, bytes).send().await.assert_invalid(&["$"]);
}

#[tokio::test]
async fn a_body_that_is_not_an_object_is_a_400() {
    let world = World::start().await;
    let array = format!("[{}]", body("new@example.com"));
    let fields = "[\"A\",\"B\",\"new@example.com\",null,null]";
    for bad in [&array, fields, "[]", "null", "true", "7", "\"text\""] {
        let answer = post(&world, bad.to_owned()).send().await;
        answer.assert_invalid(&["$"]);
        insta::allow_duplicates! { insta::assert_json_snapshot!(answer.stable_json()) }
    }
}

#[tokio::test]
async fn a_member_given_twice_is_a_400() {
    let world = World::start().await;
    let twice = body("one@example.com").replacen('{', "{\"Email\":\"two@example.com\",", 1);
    let answer = post(&world, twice).send().await;
    answer.assert_invalid(&["$"]);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn a_body_over_16_kib_is_a_413_and_one_of_16_kib_is_read() {
    let world = World::start().await;
    let mut padded = body("large@example.com");
    padded += &" ".repeat(MAX_BODY_BYTES + 1 - padded.len());
    let answer = post(&world, padded.clone()).send().await;
    answer.assert_problem(413);
    insta::assert_json_snapshot!(answer.stable_json());
    padded.pop();
    post(&world, padded).send().await.assert_ok(201);
    post(&world, "x".repeat(1_000_000)).send().await.assert_problem(413);
}

#[tokio::test]
async fn a_body_of_another_content_type_is_a_415() {
    let world = World::start().await;
    let body = body("typed@example.com");
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "text/json",
        "application/octet-stream",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "",
    ] {
        let answer = post(&world, body.clone()).header("content-type", content_type).send().await;
        answer.assert_problem(415);
        insta::allow_duplicates! { insta::assert_json_snapshot!(answer.stable_json()) }
    }
    let without = post(&world, body.clone()).without("content-type");
    without.send().await.assert_problem(415);
    assert!(world.user_id_of("typed@example.com").await.is_none());

    for (content_type, status) in [
        ("application/json; charset=utf-8", 201),
        ("Application/JSON;charset=\"UTF-8\"", 200),
        ("application/json; charset=utf8", 200),
        ("application/json; charset='utf_8'", 200),
        ("application/json; charset=us-ascii", 200),
        ("application/vnd.users+json", 200),
    ] {
        let answer = post(&world, body.clone()).header("content-type", content_type);
        answer.send().await.assert_ok(status);
    }
}

/// `sam local start-api` sends them as the client spelled them, API Gateway in lower case.
#[tokio::test]
async fn header_names_are_read_in_any_case() {
    let world = World::start().await;
    let app = world.app(&[]);
    for (authorization, content_type, status) in [
        ("Authorization", "Content-Type", 201),
        ("AUTHORIZATION", "CONTENT-TYPE", 200),
        ("authorization", "content-type", 200),
    ] {
        let call = Invocation::of(endpoint("POST /api/users")).part("body", body("case@example.com").into());
        let call = call.header(authorization, &world.admin(ACME)).header(content_type, "application/json");
        call.answer(&app).await.assert_ok(status);
    }
}

#[tokio::test]
async fn a_base64_body_is_decoded_and_bounded_as_any_other() {
    let world = World::start().await;
    let app = world.app(&[]);
    let send = |text: String| {
        Invocation::of(endpoint("POST /api/users")).bearer(&world.admin(ACME)).base64_body(&text).answer(&app)
    };
    send(BASE64.encode(body("base64@example.com"))).await.assert_ok(201);
    assert!(world.user_id_of("base64@example.com").await.is_some());
    send(body("plain@example.com")).await.assert_invalid(&["$"]);
    send(BASE64.encode(b"{\"Email\":\"\xff\"}")).await.assert_invalid(&["$"]);
    let mut padded = body("full@example.com");
    padded += &" ".repeat(MAX_BODY_BYTES - padded.len());
    send(BASE64.encode(&padded)).await.assert_ok(201);
    send(BASE64.encode(padded + " ")).await.assert_problem(413);
}

#[tokio::test]
async fn unknown_members_of_a_body_are_ignored() {
    let world = World::start().await;
    let body = json!({
        "FirstName": "A", "LastName": "B", "Email": "unknown@example.com",
        "firstName": 1, "email": "other@example.com", "UserId": JANE, "Id": "x", "Role": "Admin",
        "OrganizationId": "org_nowhere", "PreferredEmail": "p@example.com", "Nested": { "a": [1, null] },
        "CreatedBy": "me", "PK": "x",
    });
    let created = world.create(ACME, &body).await.assert_ok(201);
    assert_eq!(
        created,
        json!({ "FirstName": "A", "LastName": "B", "Email": "unknown@example.com", "PhoneNumber": null })
    );
    let id = world.user_id_of("unknown@example.com").await.unwrap();
    assert_eq!(world.organizations_of(&id).await, [ACME]);
    let items = Value::from(world.partition(&format!("USER#{id}")).await).to_string();
    assert!(!items.contains("p@example.com") && !items.contains("Nested"), "{items}");
}

#[tokio::test]
async fn names_of_members_and_parameters_are_case_sensitive() {
    let world = World::start().await;
    let answer = world.create(ACME, &json!({ "firstName": "A", "LASTNAME": "B", "email": "a@x.com" })).await;
    answer.assert_invalid(&["FirstName", "LastName", "Email"]);
    for (path, name) in [
        ("/api/users/exists?email=a@x.com", "Email"),
        ("/api/users/customer-association?userId=x", "UserId"),
        ("/api/users/customer-associations?USERID=x", "UserId"),
    ] {
        let answer = world.get(path).bearer(world.admin(ACME)).send().await;
        answer.assert_invalid(&[name]);
    }
}

#[tokio::test]
async fn a_parameter_that_is_not_percent_encoded_utf_8_is_a_400() {
    let world = World::start().await;
    let admin = world.admin(ACME);
    for (path, name) in [
        ("/api/users/customer-association", "UserId"),
        ("/api/users/customer-associations", "UserId"),
        ("/api/users/exists", "Email"),
    ] {
        for bad in ["%", "%4", "%zz", "%ff", "%ED%A0%80"] {
            let answer = world.get(&format!("{path}?{name}={bad}")).bearer(&admin).send().await;
            answer.assert_invalid(&[name]);
            if name == "UserId" {
                insta::allow_duplicates! { insta::assert_json_snapshot!(answer.stable_json()) }
            }
        }
    }
}

#[tokio::test]
async fn a_parameter_that_nobody_reads_is_ignored_however_it_is_encoded() {
    let world = World::start().await;
    for row in rows() {
        let bearer = world.bearer(row.role.unwrap_or("Admin"), JANE, ACME);
        for other in ["%", "x=%4", "x=%zz&x=%ff", "%C3=1", "userid=%", "x=%ED%A0%80&&=", "Email%=x"] {
            let invocation = row.invocation().query(&format!("{other}&{}", row.query)).bearer(&bearer);
            invocation.answer(&world.app(&[])).await.assert_ok(row.status);
        }
    }
}

#[tokio::test]
async fn names_and_values_are_percent_decoded_and_a_plus_is_a_plus() {
    let world = World::start().await;
    world
        .create(ACME, &json!({ "FirstName": "A", "LastName": "B", "Email": "a+b@x.com" }))
        .await
        .assert_ok(201);
    for query in ["Email=a+b@x.com", "Email=a%2Bb%40x.com", "%45mail=%61%2bb@x.com", "x=1&&Email=a+b@x.com&y"]
    {
        let answer = world.get(&format!("/api/users/exists?{query}")).send().await;
        assert_eq!(answer.assert_ok(200), json!({ "UserExists": true }), "{query}");
    }
    let doubly = world.get("/api/users/exists?Email=a%252Bb@x.com").send().await;
    assert_eq!(doubly.assert_ok(200), json!({ "UserExists": false }));
}

#[tokio::test]
async fn a_parameter_given_twice_is_a_400_that_names_it() {
    let world = World::start().await;
    for (path, name) in [
        ("/api/users/exists?Email=john@example.com&Email=john@example.com", "Email"),
        ("/api/users/customer-association?UserId=kp_abc123def456&x=1&UserId=kp_abc123def456", "UserId"),
        ("/api/users/customer-associations?UserId=kp_abc123def456&Us%65rId=x", "UserId"),
    ] {
        let answer = world.get(path).bearer(world.admin(ACME)).send().await;
        answer.assert_invalid(&[name]);
        assert_eq!(answer.json()["errors"][name], json!([format!("{name} must be given once.")]));
    }
}

#[tokio::test]
async fn a_bad_request_writes_nothing() {
    let world = World::start().await;
    let before = world.items().await;
    let admin = world.admin(ACME);
    let good = body("new@example.com");
    let calls = [
        post(&world, "{"),
        post(&world, format!("[{good}]")),
        post(&world, "{}"),
        post(&world, body("nonsense")),
        post(&world, format!("{good}{}", " ".repeat(MAX_BODY_BYTES))),
        post(&world, good.clone()).header("content-type", "text/plain"),
        post(&world, good.clone()).without("authorization"),
        post(&world, good.clone()).bearer(world.bearer("Customer", JANE, ACME)),
        post(&world, good.clone()).bearer(world.wrongly_signed("Admin")),
        post(&world, good.clone()).bearer(world.admin("org_nowhere")),
        world.get("/api/users/organizations?%zz").bearer(&admin),
        world.get("/api/users/customer-association").bearer(&admin),
        world.get("/api/users/customer-associations?UserId=%20").bearer(&admin),
        world.call(Method::PUT, PATH).bearer(&admin),
    ];
    for call in calls {
        let answer = call.send().await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    assert_eq!(world.items().await, before);
}

#[tokio::test]
async fn unknown_routes_and_methods_get_the_404_of_api_gateway() {
    let world = World::start().await;
    let admin = world.admin(ACME);
    let paths = [
        // `/` is the console's.
        "/console",
        "/api",
        "/api/users/",
        "/api/users/unknown",
        "/api/users/Profile",
        "/API/users",
        "/api/users/profile/x",
        "//api/users/profile",
        "/api/users/%70rofile",
    ];
    let calls = paths.into_iter().map(|path| (Method::GET, path)).chain([
        (Method::GET, "/api/users"),
        (Method::PUT, "/api/users"),
        (Method::DELETE, "/api/users/profile"),
        (Method::POST, "/api/users/exists?Email=john@example.com"),
        (Method::OPTIONS, "/api/users"),
    ]);
    for (method, path) in calls {
        let answer = world.call(method.clone(), path).bearer(&admin).send().await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.body, "{\"message\":\"Not Found\"}", "{method} {path}");
    }
    let head = world.call(Method::HEAD, "/api/users/profile").bearer(&admin);
    let head = head.send().await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
}

#[tokio::test]
async fn every_answer_has_the_common_headers_and_its_request_id() {
    let world = World::start().await;
    let admin = world.admin(ACME);
    let mut ids = Vec::new();
    for (call, status) in [
        (post(&world, body("one@example.com")), 201),
        (post(&world, body("one@example.com")), 200),
        (post(&world, "{}"), 400),
        (world.get("/api/users/organizations"), 401),
        (world.get("/api/users/profile").bearer(&admin), 403),
        (world.get("/api/users/customer-association?UserId=x").bearer(&admin), 404),
        (post(&world, "x".repeat(MAX_BODY_BYTES + 1)), 413),
        (post(&world, "{}").header("content-type", "text/plain"), 415),
        (world.get("/api/users/exists?Email=john@example.com"), 200),
        (world.get("/api/users/exists"), 400),
    ] {
        // A caller cannot choose the id.
        let answer = call.header("x-request-id", "chosen").send().await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer.assert_well_formed();
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    for _ in 0..8 {
        world.get("/api/users/exists").send().await.assert_problem(400);
    }
    world.get("/api/users/exists").send().await.assert_problem(429);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert!(!ids.contains(&"chosen".to_owned()));

    // The id is the one of API Gateway's event.
    let app = world.app(&[]);
    let answer = Invocation::of(endpoint("GET /api/users/profile")).answer(&app).await;
    answer.assert_problem(401);
    assert_eq!(answer.json()["traceId"], REQUEST_ID);
}

/// An endpoint of the test's own.
pub fn endpoint_of(handler: PublicHandler) -> Endpoint {
    Endpoint { name: "test", method: "GET", path: "/test", access: Access::Public(handler) }
}

/// Functions on a table that is not asked.
fn app_without_table() -> Arc<App> {
    let (clock, _) = Clock::manual(START);
    app(operator::table::local_table("users", "http://127.0.0.1:1"), clock, &[])
}

#[tokio::test]
async fn a_panic_is_a_500_problem_and_the_process_lives_on() {
    let world = World::start().await;
    let app = world.app(&[]);
    let panics = endpoint_of(|_, request| {
        Box::pin(async move {
            tokio::task::yield_now().await;
            panic!("a secret of {:?}", request.authorization())
        })
    });
    for _ in 0..2 {
        let answer = Invocation::of(panics).bearer("Bearer x").answer(&app).await;
        answer.assert_problem(500);
        assert_eq!(answer.json()["traceId"], REQUEST_ID);
        insta::allow_duplicates! { insta::assert_json_snapshot!(answer.stable_json()) }
    }
    Invocation::of(endpoint("GET /api/users/exists"))
        .query("Email=john@example.com")
        .answer(&app)
        .await
        .assert_ok(200);
}

#[tokio::test]
async fn a_panic_before_the_first_await_is_a_500_problem_too() {
    let answer = Invocation::of(endpoint_of(|_, _| panic!("at once"))).answer(&app_without_table()).await;
    answer.assert_problem(500);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_is_a_503_before_the_deadline() {
    let app = app_without_table();
    let never = endpoint_of(|_, _| Box::pin(std::future::pending()));
    for seconds in [1, 10] {
        let (started, time_left) = (Instant::now(), Duration::from_secs(seconds));
        let answer = Invocation::of(never).time_left(time_left).answer(&app).await;
        answer.assert_problem(503);
        assert!(started.elapsed() < time_left, "{:?}", started.elapsed());
        // It had nearly all of that time.
        assert!(started.elapsed() > time_left.mul_f64(0.7), "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_time_is_left_no_handler_is_called() {
    let app = app_without_table();
    let called = endpoint_of(|_, _| panic!("it was called"));
    let started = Instant::now();
    for millis in [0, 1, 250] {
        let answer = Invocation::of(called).time_left(Duration::from_millis(millis)).answer(&app).await;
        answer.assert_problem(503);
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
}

/// Functions on a table at an address, with keys of their own; and a token for all endpoints.
pub fn app_on(address: SocketAddr) -> (Arc<App>, String) {
    let key = SigningKey::generate().unwrap();
    let (clock, _) = Clock::manual(START);
    let table = operator::table::local_table("users", &format!("http://{address}"));
    let token = key.token(
        &TokenClaims {
            user_id: JANE.into(),
            organization_id: ACME.into(),
            roles: vec!["Admin".into(), "Customer".into()],
            ..TokenClaims::default()
        },
        START,
    );
    (app(table, clock, &[("SIGNING_KEYS", &key.jwks())]), format!("Bearer {token}"))
}

#[tokio::test]
async fn a_start_opens_the_connection_whatever_the_function_reads() {
    let (address, asked) = scripted_table(|_, _, _| (200, json!({}))).await;
    // Keys that are a setting.
    app_on(address).0.warm_up().await;
    // A function that takes no tokens.
    let settings = AppSettings::read(false, |name| (name == "TABLE_NAME").then(|| "users".to_owned()));
    let table = operator::table::local_table("users", &format!("http://{address}"));
    App::new(settings.unwrap(), table, Clock::system()).warm_up().await;
    assert_eq!(*asked.lock().unwrap(), ["GetItem", "GetItem"]);
}

/// A right request of each endpoint, with a token for those that take one.
async fn answers_of_every_endpoint(
    app: &Arc<App>,
    bearer: &str,
    time_left: Duration,
) -> Vec<(Endpoint, Answer)> {
    let calls = ENDPOINTS.into_iter().map(|endpoint| async move {
        let invocation = Invocation::of(endpoint)
            .bearer(bearer)
            .query("UserId=kp_abc123def456&Email=john@example.com")
            .body(&body("john@example.com"))
            .time_left(time_left);
        (endpoint, invocation.answer(app).await)
    });
    join_all(calls).await
}

#[track_caller]
fn assert_unavailable(endpoint: Endpoint, answer: &Answer) {
    answer.assert_problem(503);
    assert_eq!(answer.header("retry-after"), Some("1"), "{}", endpoint.name);
    let quota = ["ratelimit-policy", "ratelimit"].map(|name| answer.header(name));
    let expected = match endpoint.path {
        "/api/users/exists" => [Some("\"exists\";q=10;w=60"), Some("\"exists\";r=0;t=1")],
        _ => [None, None],
    };
    assert_eq!(quota, expected, "{}", endpoint.name);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_table_is_a_503_with_retry_after() {
    // Bound and never listening: a connection is refused, and nobody else gets the port.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (app, bearer) = app_on(socket.local_addr().unwrap());
    for (endpoint, answer) in answers_of_every_endpoint(&app, &bearer, Duration::from_mins(1)).await {
        assert_unavailable(endpoint, &answer);
        insta::allow_duplicates! { insta::assert_json_snapshot!(answer.stable_json()) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_table_is_a_503_before_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (app, bearer) = app_on(listener.local_addr().unwrap());
    for seconds in [1, 10] {
        let (started, time_left) = (Instant::now(), Duration::from_secs(seconds));
        for (endpoint, answer) in answers_of_every_endpoint(&app, &bearer, time_left).await {
            assert_unavailable(endpoint, &answer);
        }
        assert!(started.elapsed() < time_left, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_1500_ms_in_a_request_and_30_s_in_a_command() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let table = operator::table::local_table("users", &format!("http://{}", listener.local_addr().unwrap()));
    let operators_table = OperatorTable::new(&table);
    for (table, a_try) in
        [(&table, Duration::from_millis(1500)), (&*operators_table, Duration::from_secs(30))]
    {
        let started = Instant::now();
        let error = table.signing_keys().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unavailable), "{error:?}");
        let pauses = started.elapsed().saturating_sub(3 * a_try);
        assert!((1..1000).contains(&pauses.as_millis()), "{pauses:?}");
    }
}

#[tokio::test]
async fn a_request_whose_token_is_wrong_needs_no_table() {
    let (app, _) = app_on("127.0.0.1:1".parse().unwrap());
    for endpoint in ENDPOINTS {
        if endpoint.takes_token() {
            Invocation::of(endpoint).answer(&app).await.assert_problem(401);
        }
    }
}

/// What a DynamoDB API of the test's own answers: status and body by the operation, how often that was
/// asked for before, and the input.
pub type Script = dyn Fn(&str, usize, &Value) -> (u16, Value) + Send + Sync;

/// A DynamoDB API of the test's own: its address, and the operations that it was asked for.
pub async fn scripted_table(
    script: impl Fn(&str, usize, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (script, log): (Arc<Script>, _) = (Arc::new(script), asked.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (script, log) = (script.clone(), log.clone());
            let answer = service_fn(move |request: hyper::Request<Incoming>| {
                let (script, log) = (script.clone(), log.clone());
                async move {
                    let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
                    let (_, operation) = target.split_once('.').unwrap();
                    let input = request.into_body().collect().await.unwrap().to_bytes();
                    let before = {
                        let mut log = log.lock().unwrap();
                        log.push(operation.to_owned());
                        log.iter().filter(|known| *known == operation).count() - 1
                    };
                    let (status, body) = script(operation, before, &serde_json::from_slice(&input).unwrap());
                    hyper::Response::builder()
                        .status(status)
                        .header("content-type", "application/x-amz-json-1.0")
                        .body(Full::<Bytes>::from(body.to_string()))
                }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    (address, asked)
}

pub fn exception(code: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}") })
}

/// A cancelled transaction, with the reason of each of its parts.
pub fn cancelled(reasons: &[Value]) -> (u16, Value) {
    let mut body = exception("TransactionCanceledException");
    body["CancellationReasons"] = reasons.into();
    (400, body)
}

#[tokio::test(start_paused = true)]
async fn a_throttling_table_is_a_503_with_retry_after() {
    for (status, code) in [
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (400, "RequestLimitExceeded"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
    ] {
        let (address, asked) = scripted_table(move |_, _, _| (status, exception(code))).await;
        let (app, bearer) = app_on(address);
        for (endpoint, answer) in answers_of_every_endpoint(&app, &bearer, Duration::from_mins(1)).await {
            assert_unavailable(endpoint, &answer);
        }
        assert!(asked.lock().unwrap().len() >= ENDPOINTS.len(), "{code}");
    }
}

#[tokio::test]
async fn a_client_whose_flood_throttles_its_own_key_is_refused() {
    let codes = ["ThrottlingException", "ProvisionedThroughputExceededException"];
    for (code, member) in codes.into_iter().zip(["throttlingReasons", "ThrottlingReasons"]) {
        let (address, asked) = scripted_table(move |_, _, _| {
            let mut exception = exception(code);
            exception[member] = json!([{ "reason": "TableWriteKeyRangeThroughputExceeded" }]);
            (400, exception)
        })
        .await;
        let (app, _) = app_on(address);
        for _ in 0..3 {
            let exists = Invocation::of(endpoint("GET /api/users/exists")).query("Email=a@example.com");
            let answer = exists.answer(&app).await;
            answer.assert_problem(429);
            assert_eq!(answer.header("retry-after"), Some("1"), "{code}");
        }
        // The client's attempts for the first request. The others are refused from memory.
        assert_eq!(*asked.lock().unwrap(), ["UpdateItem"; 3], "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn successes_pay_for_retries() {
    let failures = Arc::new(AtomicUsize::new(0));
    let left = failures.clone();
    let (address, asked) = scripted_table(move |_, _, _| {
        let fails = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if fails { (500, exception("InternalServerError")) } else { (200, json!({})) }
    })
    .await;
    let table = operator::table::local_table("users", &format!("http://{address}"));
    let email = "a@example.com".parse().unwrap();
    // The attempts that are made if so many fail.
    let attempts = async |fails: usize| {
        let before = asked.lock().unwrap().len();
        failures.store(fails, Relaxed);
        let _ = table.user_id_of(&email).await;
        failures.store(0, Relaxed);
        asked.lock().unwrap().len() - before
    };
    for _ in 0..10 {
        assert_eq!(attempts(3).await, 3);
    }
    assert_eq!(attempts(1).await, 1, "the budget is used up");
    for _ in 0..5 {
        assert_eq!(attempts(0).await, 1);
    }
    for _ in 0..3 {
        assert_eq!(
            attempts(1).await,
            2,
            "five successes pay for a retry, and one that succeeds is paid back"
        );
    }
    assert_eq!((attempts(3).await, attempts(1).await), (2, 1), "one that fails is not");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_rejects_our_request_is_a_500() {
    let (address, _) = scripted_table(|_, _, _| (400, exception("ValidationException"))).await;
    let (app, bearer) = app_on(address);
    for (_, answer) in answers_of_every_endpoint(&app, &bearer, Duration::from_mins(1)).await {
        answer.assert_problem(500);
    }
}

#[tokio::test(start_paused = true)]
async fn unprocessed_keys_are_asked_for_again_and_then_a_503() {
    let profile = async |rounds: usize| {
        let script = move |operation: &str, before: usize, input: &Value| {
            assert_eq!(operation, "BatchGetItem");
            let keys = input["RequestItems"]["users"]["Keys"].as_array().unwrap();
            // One key a round, and none before its round has come.
            let (mut found, mut left) = (Vec::new(), keys.clone());
            if before + 1 >= rounds {
                let mut item = left.remove(0);
                for name in ["FirstName", "LastName"] {
                    item[name] = json!({ "S": name });
                }
                item["Email"] = json!({ "S": "a@example.com" });
                found.push(item);
            }
            let unprocessed = if left.is_empty() { json!({}) } else { json!({ "users": { "Keys": left } }) };
            (200, json!({ "Responses": { "users": found }, "UnprocessedKeys": unprocessed }))
        };
        let (address, asked) = scripted_table(script).await;
        let (app, bearer) = app_on(address);
        let profile = endpoint("GET /api/users/profile");
        let answer = Invocation::of(profile).bearer(&bearer).answer(&app).await;
        let asked = asked.lock().unwrap().len();
        (answer, asked)
    };
    for rounds in [1, 2, 4] {
        let (answer, asked) = profile(rounds).await;
        assert_eq!(answer.assert_ok(200)["FirstName"], "FirstName");
        assert_eq!(asked, rounds + 1);
    }
    let (answer, asked) = profile(1000).await;
    answer.assert_problem(503);
    assert_eq!(asked, 5);
}

/// `POST /api/users` on a table of the test's own, which has the organization and no such e-mail
/// address: the answer and the operations.
async fn created_on(
    script: impl Fn(&str, usize, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> (Answer, Vec<String>) {
    let organization = json!({ "PK": { "S": format!("ORG#{ACME}") }, "SK": { "S": "ORG" } });
    let (address, asked) = scripted_table(move |operation, before, input| match operation {
        "BatchGetItem" => (200, json!({ "Responses": { "users": [organization] } })),
        _ => script(operation, before, input),
    })
    .await;
    let (app, bearer) = app_on(address);
    let create = Invocation::of(endpoint("POST /api/users")).bearer(&bearer).body(&body("a@example.com"));
    let answer = create.answer(&app).await;
    let asked = asked.lock().unwrap().clone();
    (answer, asked)
}

#[tokio::test(start_paused = true)]
async fn a_conflicting_transaction_is_retried_and_then_a_503() {
    for (conflicts, status, tries) in [(0, 201, 1), (3, 201, 4), (7, 201, 8), (1000, 503, 8)] {
        let (answer, asked) = created_on(move |operation, before, _| match operation {
            "TransactWriteItems" if before < conflicts => {
                cancelled(&[json!({ "Code": "TransactionConflict" }), json!({ "Code": "None" })])
            }
            _ => (200, json!({})),
        })
        .await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer.assert_well_formed();
        assert_eq!(asked.iter().filter(|asked| *asked == "TransactWriteItems").count(), tries);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_another_transaction_has_used_is_replaced() {
    let (answer, asked) = created_on(|operation, before, _| match (operation, before) {
        ("TransactWriteItems", 0) => (400, exception("IdempotentParameterMismatchException")),
        _ => (200, json!({})),
    })
    .await;
    answer.assert_ok(201);
    assert_eq!(asked, ["BatchGetItem", "TransactWriteItems", "TransactWriteItems"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_deleted_meanwhile_is_looked_up_again() {
    let script = |operation: &str, before: usize, _: &Value| match (operation, before) {
        ("TransactWriteItems", 0) => cancelled(&[
            json!({ "Code": "ConditionalCheckFailed", "Item": { "UserId": { "S": "kp_deleted" } } }),
            json!({ "Code": "None" }),
        ]),
        _ => (200, json!({})),
    };
    let (answer, asked) = created_on(script).await;
    answer.assert_ok(201);
    assert_eq!(asked.iter().filter(|asked| *asked == "TransactWriteItems").count(), 2, "{asked:?}");

    // An account that was not found by an address cannot be looked up again.
    let (address, _) = scripted_table(|_, _, _| (200, json!({}))).await;
    let membership = NewMembership {
        organization_id: ACME.parse().unwrap(),
        joined_at: START,
        added_by: JANE.parse().unwrap(),
    };
    let joined = app_on(address).0.table.join(&"kp_deleted".parse().unwrap(), None, &membership).await;
    assert!(matches!(joined, Ok(JoinOutcome::UserMissing)));
}

#[tokio::test(start_paused = true)]
async fn an_email_that_is_claimed_meanwhile_is_reused() {
    let (answer, asked) = created_on(|operation, before, _| match (operation, before) {
        ("TransactWriteItems", 1) => (200, json!({})),
        ("TransactWriteItems", 0) => cancelled(&[
            json!({ "Code": "ConditionalCheckFailed", "Item": { "UserId": { "S": "kp_winner" } } }),
            json!({ "Code": "None" }),
            json!({ "Code": "None" }),
            json!({ "Code": "None" }),
        ]),
        ("GetItem", 0) => {
            let [first, last, email] = ["Winner", "Takes", "A@Example.com"].map(|text| json!({ "S": text }));
            (200, json!({ "Item": { "FirstName": first, "LastName": last, "Email": email } }))
        }
        _ => panic!("{operation}"),
    })
    .await;
    let expected =
        json!({ "FirstName": "Winner", "LastName": "Takes", "Email": "A@Example.com", "PhoneNumber": null });
    assert_eq!(answer.assert_ok(200), expected);
    assert_eq!(asked.len(), 4, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_transaction_is_read_reason_by_reason() {
    let none = || json!({ "Code": "None" });
    for (reasons, status) in [
        // An organization that is not there, alone and beside another transaction in the way.
        (vec![none(), none(), none(), json!({ "Code": "ConditionalCheckFailed" })], 400),
        (
            vec![
                json!({ "Code": "TransactionConflict" }),
                none(),
                none(),
                json!({ "Code": "ConditionalCheckFailed" }),
            ],
            400,
        ),
        (vec![none(), json!({ "Code": "ConditionalCheckFailed" }), none(), none()], 500),
        (vec![json!({ "Code": "ProvisionedThroughputExceeded" }), none(), none(), none()], 503),
        (vec![none(), none(), json!({ "Code": "ThrottlingError" }), none()], 503),
        (vec![none(), json!({ "Code": "ValidationError" }), none(), none()], 500),
        (vec![none(), none(), none(), none()], 500),
    ] {
        let shown = format!("{reasons:?}");
        let (answer, _) = created_on(move |operation, _, _| match operation {
            "TransactWriteItems" => cancelled(&reasons),
            _ => (200, json!({})),
        })
        .await;
        assert_eq!(answer.status, status, "{shown} {answer:?}");
        answer.assert_well_formed();
    }
}

#[tokio::test]
async fn each_answer_of_the_limited_endpoint_says_what_is_left() {
    let world = World::start().await;
    let broken = json!({ "PK": { "S": "EMAIL#broken@example.com" }, "SK": { "S": "EMAIL" } });
    world.put_item(&broken).await;
    let answer = world.get("/api/users/exists?Email=broken@example.com").send().await;
    answer.assert_problem(500);
    assert_eq!(answer.header("ratelimit-policy"), Some("\"exists\";q=10;w=60"));
    assert_eq!(answer.header("ratelimit"), Some("\"exists\";r=9;t=60"));

    let panics = Endpoint {
        access: Access::RateLimited(|_, _| panic!("after the limiter")),
        ..endpoint_of(|_, _| panic!())
    };
    let answer = Invocation::of(panics).answer(&app_without_table()).await;
    answer.assert_problem(503);
    assert_eq!(answer.header("ratelimit"), Some("\"exists\";r=0;t=1"));
    let answer = Invocation::of(panics).at_address("192.0.2.9").answer(&world.app(&[])).await;
    answer.assert_problem(500);
    assert_eq!(answer.header("ratelimit"), Some("\"exists\";r=9;t=60"));
}
