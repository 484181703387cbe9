//! The door before `lambda_http`: whatever a caller can write, and every kind of event.

use std::time::Duration;

use serde_json::{Value, json};

use crate::endpoints::rows;
use crate::harness::{ACME, Answer, Invocation, JANE, REQUEST_ID, World, endpoint, respond};

const TIME_LEFT: Duration = Duration::from_secs(10);
const EXISTS: &str = "GET /api/users/exists";

/// What `lambda_http` panics on without the door.
#[tokio::test]
async fn odd_queries_hosts_and_paths_reach_the_endpoint() {
    let world = World::start().await;
    let long = format!("{}&Email=john@example.com", "x".repeat(70_000));
    let queries =
        ["Email=john@example.com&a=<b>", "Email=john@example.com&\"{}|^`\\", "a b&Email=john@example.com"];
    for query in
        [queries.as_slice(), &[&long, "Email=john@example.com&#", "Email=john@example.com&ä"]].concat()
    {
        let answer = Invocation::of(endpoint(EXISTS)).query(query).answer(&world.app(&[])).await;
        assert!([200, 429].contains(&answer.status), "{query:.80}: {answer:?}");
    }
    let odd = ["", " ", "a b", "[", "x:y:z", "http://", "\u{fc}", "a/b?c#d", "@", "%", "localhost:999999"];
    for (number, text) in odd.into_iter().enumerate() {
        for name in ["host", "Host", "x-forwarded-proto", "X-Forwarded-Proto"] {
            let ask = Invocation::of(endpoint(EXISTS)).query("Email=john@example.com").header(name, text);
            let ask = ask.at_address(&format!("192.0.2.{number}"));
            ask.answer(&world.app(&[])).await.assert_ok(200);
        }
        for path in [text.to_owned(), format!("/{text}"), format!("/{}", "x".repeat(70_000))] {
            let ask = Invocation::of(endpoint(EXISTS)).query("Email=john@example.com");
            let ask = ask.at_address(&format!("198.51.100.{number}")).part("rawPath", path.into());
            ask.answer(&world.app(&[])).await.assert_ok(200);
        }
        for (_, mut event) in
            events(EXISTS, "Email=john@example.com", None, "", &format!("203.0.113.{number}"))
        {
            event["requestContext"]["stage"] = text.into();
            let answer = users::local::invoke(endpoint(EXISTS), &world.app(&[]), &event, TIME_LEFT).await;
            Answer::of(&answer).assert_ok(200);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_base64_is_a_400_after_authorization() {
    let world = World::start().await;
    let ask = || Invocation::of(endpoint("POST /api/users")).base64_body("{}");
    ask().answer(&world.app(&[])).await.assert_problem(401);
    let answer = ask().bearer(&world.admin(ACME)).answer(&world.app(&[])).await;
    answer.assert_invalid(&["$"]);
    assert_eq!(answer.json()["errors"]["$"], json!(["The body is not valid base64."]));
    let long = Invocation::of(endpoint("POST /api/users")).base64_body(&"!".repeat(40_000));
    long.bearer(&world.admin(ACME)).answer(&world.app(&[])).await.assert_problem(413);
}

#[tokio::test]
async fn a_header_that_no_request_can_hold_is_the_callers_mistake() {
    let world = World::start().await;
    let ask = |name: &str, value: &str| {
        let ask = Invocation::of(endpoint("GET /api/users/profile"));
        ask.bearer(&world.bearer("Customer", JANE, ACME)).header(name, value)
    };
    let app = world.app(&[]);
    ask("x-odd", "a\u{0}b").answer(&app).await.assert_ok(200);
    ask("an odd name", "x").answer(&app).await.assert_ok(200);
    let answer = ask("authorization", "Bearer a\nb").answer(&app).await;
    answer.assert_problem(401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

#[tokio::test]
async fn a_member_that_is_null_is_absent() {
    let world = World::start().await;
    let bearer = world.bearer("Admin", JANE, ACME);
    let members = [
        "rawPath",
        "rawQueryString",
        "headers",
        "body",
        "isBase64Encoded",
        "cookies",
        "pathParameters",
        "stageVariables",
        "queryStringParameters",
        "routeKey",
        "version",
    ];
    for member in members {
        let ask = || Invocation::of(endpoint("GET /api/users/organizations")).bearer(&bearer);
        let answer = ask().part(member, Value::Null).answer(&world.app(&[])).await;
        let status = if member == "headers" { 401 } else { 200 };
        assert_eq!(answer.status, status, "{member}: {answer:?}");
        answer.assert_well_formed();
    }
    let headers = json!({ "authorization": bearer, "x-none": null });
    let ask = Invocation::of(endpoint("GET /api/users/organizations")).part("headers", headers);
    ask.answer(&world.app(&[])).await.assert_ok(200);
}

/// The event of a row's request, of each kind.
pub fn events(
    route: &str,
    query: &str,
    bearer: Option<&str>,
    body: &str,
    client: &str,
) -> [(&'static str, Value); 4] {
    let (method, path) = route.split_once(' ').unwrap();
    let mut headers = json!({ "Host": "abcdefghij.example.com", "X-Forwarded-Proto": "https" });
    if let Some(bearer) = bearer {
        headers["AUTHORIZATION"] = bearer.into();
    }
    let (body, content_type) =
        if body.is_empty() { (Value::Null, Value::Null) } else { (body.into(), "application/json".into()) };
    if !content_type.is_null() {
        headers["Content-Type"] = content_type;
    }
    let http_api = json!({
        "version": "2.0", "routeKey": route, "rawPath": format!("/dev{path}"), "rawQueryString": query,
        "headers": headers, "body": body, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdefghij", "domainName": "abcdefghij.example.com",
            "domainPrefix": "abcdefghij", "requestId": REQUEST_ID, "routeKey": route, "stage": "dev",
            "time": "02/Jan/2026:03:04:05 +0000", "timeEpoch": 1_767_323_045_000_i64,
            "http": {
                "method": method, "path": format!("/dev{path}"), "protocol": "HTTP/1.1", "sourceIp": client,
                "userAgent": "curl/8.10.1",
            },
        },
    });
    let mut function_url = http_api.clone();
    function_url["rawPath"] = path.into();
    function_url["routeKey"] = "$default".into();
    function_url["requestContext"]["stage"] = "$default".into();
    function_url["requestContext"]["authentication"] = Value::Null;
    let pairs: Vec<_> =
        query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap()).collect();
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let (mut one, mut all) = (json!({}), json!({}));
    for (name, value) in pairs {
        one[name] = decoded(value).into();
        let values: Vec<_> = all[name].as_array().cloned().unwrap_or_default();
        all[name] = values.into_iter().chain([decoded(value).into()]).collect();
    }
    let none_if_empty = |map: Value| if map == json!({}) { Value::Null } else { map };
    let (one, all) = (none_if_empty(one), none_if_empty(all));
    let lists: serde_json::Map<_, _> =
        headers.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    let rest_api = json!({
        "resource": path, "path": path, "httpMethod": method, "headers": headers, "multiValueHeaders": lists,
        "queryStringParameters": one, "multiValueQueryStringParameters": all, "pathParameters": null,
        "stageVariables": null, "body": body, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdefghij", "resourceId": "123456", "resourcePath": path,
            "httpMethod": method, "path": format!("/dev{path}"), "protocol": "HTTP/1.1", "stage": "dev",
            "domainName": "abcdefghij.example.com", "domainPrefix": "abcdefghij", "requestId": REQUEST_ID,
            "requestTime": "02/Jan/2026:03:04:05 +0000", "requestTimeEpoch": 1_767_323_045_000_i64,
            "identity": { "sourceIp": client, "userAgent": "curl/8.10.1", "accessKey": null, "user": null },
        },
    });
    let mut old_rest_api = rest_api.clone();
    for member in ["multiValueHeaders", "multiValueQueryStringParameters"] {
        old_rest_api[member] = Value::Null;
    }
    [
        ("HTTP API", http_api),
        ("function URL", function_url),
        ("REST API", rest_api),
        ("REST API, single values", old_rest_api),
    ]
}

#[tokio::test]
async fn every_kind_of_event_is_answered_alike() {
    let world = World::start().await;
    for row in rows() {
        let bearer = row.role.map(|role| world.bearer(role, JANE, ACME));
        for (bearer, query, status) in [
            (bearer.as_deref(), row.query, row.status),
            (None, row.query, if row.role.is_some() { 401 } else { row.status }),
            (bearer.as_deref(), "UserId=a%20b&Email=a%20b", 0),
        ] {
            let mut answers = Vec::new();
            let usual = events(row.route, query, bearer, row.body, "192.0.2.1");
            // With a header that `lambda_http` refuses the whole event for.
            let odd = usual.clone().map(|(kind, mut event)| {
                event["headers"]["X-Odd"] = "a\0b".into();
                (kind, event)
            });
            for (number, (kind, mut event)) in usual.into_iter().chain(odd).enumerate() {
                let client = format!("192.0.2.{number}");
                for pointer in ["/requestContext/http/sourceIp", "/requestContext/identity/sourceIp"] {
                    if let Some(address) = event.pointer_mut(pointer) {
                        *address = client.clone().into();
                    }
                }
                let answer = users::local::invoke(row.endpoint(), &world.app(&[]), &event, TIME_LEFT).await;
                let answer = Answer::of(&answer);
                assert!(status == 0 || answer.status == status, "{} {kind}: {answer:?}", row.route);
                answer.assert_well_formed();
                let mut headers: Vec<_> =
                    answer.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                headers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
                answers.push((answer.status, answer.body, headers));
            }
            let (first, others) = answers.split_first().unwrap();
            for other in others {
                assert_eq!(first, other, "{}", row.route);
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_event_refuses_a_repeated_parameter_or_header() {
    let world = World::start().await;
    let route = "GET /api/users/customer-association";
    let bearer = world.bearer("Admin", JANE, ACME);
    for (kind, event) in &events(route, "UserId=a&UserId=b", Some(&bearer), "", "192.0.2.1")[..3] {
        let answer = users::local::invoke(endpoint(route), &world.app(&[]), event, TIME_LEFT).await;
        assert_eq!(
            Answer::of(&answer).json()["errors"]["UserId"],
            json!(["UserId must be given once."]),
            "{kind}"
        );
    }
    let [.., (_, mut event), _] = events(route, "UserId=a", Some(&bearer), "", "192.0.2.1");
    event["multiValueHeaders"]["AUTHORIZATION"] = json!([bearer, bearer]);
    Answer::of(&users::local::invoke(endpoint(route), &world.app(&[]), &event, TIME_LEFT).await)
        .assert_invalid(&["Authorization"]);
}

#[tokio::test]
async fn an_event_without_a_request_id_has_the_invocations() {
    let world = World::start().await;
    for id in [Value::Null, json!(""), json!("a\nb")] {
        let context = json!({ "requestId": id, "http": { "method": "GET", "sourceIp": "192.0.2.1" } });
        let mut event = events(EXISTS, "Email=john@example.com", None, "", "192.0.2.1")[0].1.clone();
        event["requestContext"] = context;
        let answer = respond(endpoint(EXISTS), &world.app(&[]), event, TIME_LEFT).await;
        answer.assert_ok(200);
        assert_eq!(answer.header("x-request-id"), Some("local"));
    }
}
