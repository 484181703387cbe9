//! How calls grow with what there is, and what becomes of a list that no answer can hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use shared::Endpoint;
use users::local::invoke;

use crate::endpoints::requests::{app_on, scripted_table};
use crate::harness::{Invocation, JANE, World, app, endpoint};
use crate::security::log::{Watch, lines_of};
use crate::tooling::binaries::{RuntimeApi, event, log_of, start};

const ORGANIZATIONS: &str = "GET /api/users/organizations";
const ASSOCIATIONS: &str = "GET /api/users/customer-associations";

/// What Lambda takes of a function, in bytes, and not one more ("Lambda quotas", invocation payload,
/// synchronous; the figure is that of the error `Function.ResponseSizeTooLarge`).
const LAMBDA_LIMIT: usize = 6_291_556;
/// The items of a page of the test's table: some 120 kB. DynamoDB gives up to 1 MB.
const PAGE: usize = 1_000;
/// How many organizations and associations a user has.
const COUNTS: [usize; 4] = [1, 100, 1_000, 10_000];

/// How long the texts of the items are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    Usual,
    /// As long as may be, of `"`, each of which is four bytes of what Lambda gets.
    Longest,
}

/// An item of the table; `kind` is `ORG`, `MEMBERSHIP` or `CUSTOMER`.
fn item(kind: &str, n: usize, partition: &str, texts: Texts) -> Value {
    let quotes = |count| "\"".repeat(count);
    let (id, number, name) = match texts {
        Texts::Usual => (format!("{n:036}"), format!("C-{n:048}"), "A name of usual length".to_owned()),
        Texts::Longest => (format!("{n:05}{}", quotes(123)), quotes(128), quotes(100)),
    };
    match kind {
        "ORG" => json!({
            "PK": { "S": format!("ORG#{id}") }, "SK": { "S": "ORG" },
            "Name": { "S": name }, "Slug": { "S": "s".repeat(if texts == Texts::Usual { 10 } else { 63 }) },
        }),
        "MEMBERSHIP" => json!({
            "PK": { "S": partition }, "SK": { "S": format!("MEMBERSHIP#{id}") },
            "JoinedAt": { "S": "2026-01-01T00:00:00Z" }, "AddedBy": { "S": "kp_abc123def000" },
        }),
        _ => json!({
            "PK": { "S": partition }, "SK": { "S": format!("CUSTOMER#{id}") }, "CustomerNumber": { "S": number },
        }),
    }
}

fn profile(partition: &str) -> Value {
    json!({
        "PK": { "S": partition }, "SK": { "S": "PROFILE" }, "FirstName": { "S": "Some" },
        "LastName": { "S": "One" }, "Email": { "S": "many@example.com" },
    })
}

/// What a list endpoint answers about a user with the first `count` items, and the calls that it makes.
/// A table of the test's own holds them; without a count it never ends. The tests' time stands still, so that
/// no try is late on a machine that is slow.
async fn list(route: &str, count: Option<usize>, texts: Texts, id: &str) -> (Value, Vec<String>) {
    let _log = Watch::start();
    let kind = if route == ORGANIZATIONS { "MEMBERSHIP" } else { "CUSTOMER" };
    let endless = Mutex::new(None);
    let (address, asked) = scripted_table(move |operation, _, input| {
        if operation == "BatchGetItem" {
            let found = input["RequestItems"]["users"]["Keys"].as_array().unwrap().iter().map(|key| {
                let organization = key["PK"]["S"].as_str().unwrap().strip_prefix("ORG#");
                // The reader's own membership, which makes the user known, is its key alone.
                let number = organization.map(|id| id.trim_end_matches('"').parse().unwrap());
                number.map_or(key.clone(), |n| item("ORG", n, "", texts))
            });
            return (200, json!({ "Responses": { "users": found.collect::<Vec<_>>() } }));
        }
        assert_eq!(operation, "Query");
        let user = input["ExpressionAttributeValues"][":partition"]["S"].as_str().unwrap();
        let start = input["ExclusiveStartKey"]["SK"]["S"].as_str();
        let first: usize = start.map_or(0, |start| start.parse().unwrap());
        let next = json!({ "PK": { "S": user }, "SK": { "S": (first + PAGE).to_string() } });
        let Some(count) = count else {
            let all = || (0..PAGE).map(|n| item(kind, n, user, texts)).collect::<Vec<_>>();
            let page = endless.lock().unwrap().get_or_insert_with(all).clone();
            return (200, json!({ "Items": page, "LastEvaluatedKey": next }));
        };
        let last = count.min(first + PAGE);
        let mut items: Vec<_> = (first..last).map(|n| item(kind, n, user, texts)).collect();
        if last < count {
            return (200, json!({ "Items": items, "LastEvaluatedKey": next }));
        }
        items.push(profile(user));
        (200, json!({ "Items": items }))
    })
    .await;
    let (app, bearer) = app_on(address);
    let longest_user = format!("UserId={}", "%22".repeat(128));
    let event = json!({
        "rawQueryString": if texts == Texts::Usual { format!("UserId={JANE}") } else { longest_user },
        "headers": { "authorization": bearer },
        "requestContext": { "requestId": id, "http": { "sourceIp": "10.0.0.1" } },
    });
    let response = invoke(endpoint(route), &app, &event, Duration::from_mins(1)).await;
    let asked = asked.lock().unwrap().clone();
    (response, asked)
}

/// The items of a list's answer.
fn listed(body: &str) -> usize {
    body.matches("\"OrganizationId\":").count()
}

fn counted<'a>(operations: impl IntoIterator<Item = &'a String>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for operation in operations {
        *counts.entry(operation.as_str()).or_default() += 1;
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn a_list_costs_a_query_a_page_and_a_batch_per_hundred() {
    for n in COUNTS {
        let (answer, asked) = list(ORGANIZATIONS, Some(n), Texts::Usual, "r").await;
        assert_eq!((status(&answer), listed(body(&answer))), (200, n));
        let due = [("BatchGetItem", n.div_ceil(100)), ("Query", n.div_ceil(PAGE))];
        assert_eq!(counted(&asked), due.into(), "{n}");

        let (answer, asked) = list(ASSOCIATIONS, Some(n), Texts::Usual, "r").await;
        assert_eq!((status(&answer), listed(body(&answer))), (200, n));
        // The reader's own membership and association are asked for where the first page has neither.
        let due = [("BatchGetItem", 1), ("Query", n.div_ceil(PAGE))];
        assert_eq!(counted(&asked), due.into(), "{n}");
    }
}

/// The calls of look-ups by clients that were never there before: one of each for each, and a counter each.
async fn look_ups_cost_two_calls_each(counts: &[usize]) {
    let world = World::start().await;
    let calls = Arc::<Mutex<Vec<(String, Value)>>>::default();
    let log = calls.clone();
    let table = operator::table::observed(
        world.table(),
        Arc::new(move |operation, body| {
            log.lock().unwrap().push((operation.to_owned(), serde_json::from_slice(body).unwrap()));
        }),
    );
    let app = app(table, world.system.clock().clone(), &[]);
    let mut before = 0;
    for &n in counts {
        let look_up = |client: usize| {
            let exists = Invocation::of(endpoint("GET /api/users/exists")).query("Email=jane%40example.com");
            let exists = exists.at_address(&format!("10.{}.{}.1", client / 250, client % 250));
            async { exists.answer(&app).await.assert_ok(200) }
        };
        let answers = stream::iter(before..before + n).map(look_up).buffer_unordered(4);
        assert_eq!(answers.count().await, n);
        before += n;
        let calls = std::mem::take(&mut *calls.lock().unwrap());
        let operations = calls.iter().map(|(operation, _)| operation);
        assert_eq!(counted(operations), [("GetItem", n), ("UpdateItem", n)].into());
        let counters = calls.iter().filter(|(operation, _)| operation == "UpdateItem");
        let counters: BTreeSet<_> = counters.map(|(_, body)| body["Key"].to_string()).collect();
        assert_eq!(counters.len(), n);
    }
}

#[tokio::test]
async fn a_look_up_costs_two_calls_however_many_clients_there_are() {
    look_ups_cost_two_calls_each(&[1, 10, 200]).await;
}

#[ignore = "takes up to a minute"]
#[tokio::test]
async fn a_look_up_costs_two_calls_among_ten_thousand_clients() {
    look_ups_cost_two_calls_each(&[10_000]).await;
}

fn status(answer: &Value) -> u64 {
    answer["statusCode"].as_u64().unwrap()
}

fn body(answer: &Value) -> &str {
    answer["body"].as_str().unwrap()
}

#[track_caller]
fn assert_too_long(answer: &Value) {
    assert_eq!(status(answer), 500, "{:.300}", body(answer));
    assert_eq!(answer["headers"]["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(body(answer)).unwrap();
    assert_eq!(problem["title"], "An error occurred while processing your request");
    assert_eq!(problem["detail"], "The list is too long for one answer.");
}

async fn assert_whole_or_too_long(route: &str, id: &str) {
    let list = async |count| list(route, Some(count), Texts::Longest, id).await.0;
    let size = |answer: &Value| serde_json::to_vec(answer).unwrap().len();
    let (one, two) = (size(&list(1).await), size(&list(2).await));
    let fitting = 1 + (LAMBDA_LIMIT - one) / (two - one);
    let answer = list(fitting).await;
    assert_eq!((status(&answer), listed(body(&answer))), (200, fitting), "{route}");
    assert_eq!(size(&answer), one + (fitting - 1) * (two - one));

    assert_too_long(&list(fitting + 1).await);
    let lines = lines_of(id);
    let line: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(line["status"], 500);
    let cause = line["cause"].as_str().unwrap();
    assert!(cause.starts_with("a body of ") && cause.contains(" bytes, where Lambda takes "), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn one_organization_too_many_for_lambda_is_a_500() {
    assert_whole_or_too_long(ORGANIZATIONS, "secrets-too-many-organizations").await;
}

#[tokio::test(start_paused = true)]
async fn one_association_too_many_for_lambda_is_a_500() {
    assert_whole_or_too_long(ASSOCIATIONS, "secrets-too-many-associations").await;
}

#[tokio::test(start_paused = true)]
async fn what_no_answer_can_hold_is_not_read_to_its_end() {
    // 6 MB are some 35,000 ids of this length, or 15,000 associations, even where nothing is escaped.
    for (route, items) in [(ORGANIZATIONS, 36_000), (ASSOCIATIONS, 15_000)] {
        let (answer, asked) = list(route, None, Texts::Longest, "r").await;
        assert_too_long(&answer);
        let counts = counted(&asked);
        assert!(counts["Query"] <= 1 + items / PAGE, "{counts:?}");
        assert!(asked.len() - counts["Query"] <= 1, "{counts:?}");
    }
}

/// Prints what docs/operations.md says of time and memory: the binaries' own durations and peaks.
#[cfg(target_os = "linux")]
#[ignore = "measures, alone on the machine: -- --ignored --exact --nocapture"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_a_list_is_some_kb_an_item() {
    let world = World::start_now().await;
    let user = format!("USER#{JANE}");
    let bearer = world.bearer("Admin", JANE, &format!("{:036}", 0));
    let settings = [
        ("TABLE_NAME", world.table().name()),
        ("TOKEN_ISSUER", users::local::ISSUER),
        ("TOKEN_AUDIENCE", users::local::AUDIENCE),
        ("AWS_ENDPOINT_URL_DYNAMODB", &world.system.dynamodb_url),
    ];
    let (mut there, mut least) = (0, BTreeMap::new());
    for n in COUNTS {
        let kinds = ["ORG", "MEMBERSHIP", "CUSTOMER"];
        let items = (there..n).flat_map(|n| kinds.map(|kind| item(kind, n, &user, Texts::Usual)));
        for batch in items.collect::<Vec<_>>().chunks(25) {
            let puts: Vec<_> = batch.iter().map(|item| json!({ "PutRequest": { "Item": item } })).collect();
            let input = json!({ "RequestItems": { world.table().name(): puts } });
            assert_eq!(world.dynamodb("BatchWriteItem", &input).await["UnprocessedItems"], json!({}));
        }
        there = n;
        for route in [ORGANIZATIONS, ASSOCIATIONS] {
            let Endpoint { name, path, .. } = endpoint(route);
            let mut runtime_api = RuntimeApi::start().await;
            let mut process = start(name, &runtime_api, &settings);
            for _ in 0..7 {
                let request = event("GET", path, &format!("UserId={JANE}"), &bearer, None);
                let answer = runtime_api.invoke(request).await;
                // And the two of the demo data.
                assert_eq!(listed(answer["body"].as_str().unwrap()), n + 2);
            }
            let status = std::fs::read_to_string(format!("/proc/{}/status", process.id().unwrap())).unwrap();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
            let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
            process.kill().await.unwrap();
            let log = log_of(&mut process).await;
            let mut durations: Vec<_> = log.iter().filter_map(|line| line["duration_ms"].as_f64()).collect();
            durations.sort_by(f64::total_cmp);
            println!("{name}, {n} items: peak {peak} kB, {durations:.1?} ms");
            let least = *least.entry(name).or_insert(peak);
            assert!(peak - least.min(peak) <= 2_000 + 5 * n, "{name}, {n} items: {peak} kB, {least} for one");
        }
    }
}
