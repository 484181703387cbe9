//! `GET /api/users/exists`

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::{CLAIM, Row};
use crate::endpoints::document::{example_request, example_response};
use crate::harness::{Answer, Invocation, World, endpoint, user};

const ROUTE: &str = "GET /api/users/exists";
const JOHN: &str = "/api/users/exists?Email=john%40example.com";

pub const ROW: Row = Row {
    route: "GET /api/users/exists",
    way: "check-user-exists",
    role: None,
    reads: &[],
    query: "Email=john%40example.com",
    body: "",
    status: 200,
    // What is refused is not looked up, so the one depends on the other.
    waves: &[&[("UpdateItem", "RATE#")], &[CLAIM]],
    shows: &[],
    about: None,
};

/// What the answers to look-ups of one client say: status and, as they are, the two numbers of
/// `RateLimit`.
#[track_caller]
fn quota(answer: &Answer) -> (u16, String) {
    answer.assert_well_formed();
    assert_eq!(answer.header("ratelimit-policy"), Some("\"exists\";q=10;w=60"));
    let rate_limit = answer.header("ratelimit").unwrap();
    let numbers = rate_limit.strip_prefix("\"exists\";").unwrap();
    (answer.status, numbers.to_owned())
}

async fn look_up(world: &World) -> Answer {
    world.get(JOHN).send().await
}

async fn look_up_times(world: &World, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(look_up(world).await.status);
    }
    statuses
}

#[tokio::test]
async fn the_documents_example_gets_the_documents_answer() {
    let world = World::start().await;
    let answer = example_request(&world, ROUTE, "", "").send().await;
    assert_eq!(answer.assert_ok(200), example_response(ROUTE, ""));
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn says_false_for_an_address_without_an_account() {
    let world = World::start().await;
    let answer = world.get("/api/users/exists?Email=nobody%40example.com").send().await;
    answer.assert_ok(200);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn is_public_whatever_the_authorization_header_says() {
    let world = World::start().await;
    for authorization in ["Bearer nonsense", "Basic eDp5", &world.bearer("SalesRep", "x", "y")] {
        let answer = world.get(JOHN).bearer(authorization).send().await;
        assert_eq!(answer.assert_ok(200), json!({ "UserExists": true }));
    }
    let answer = world.get(JOHN).send().await;
    assert_eq!(answer.assert_ok(200), json!({ "UserExists": true }));
}

#[tokio::test]
async fn finds_an_account_of_any_organization_by_any_spelling() {
    let world = World::start().await;
    world.put_user(user("kp_spelled", "Zo\u{eb}@B\u{fc}cher.example"), &[crate::harness::GLOBEX]).await;
    for (spelling, exists) in [
        ("zo%C3%AB@b%C3%BCcher.example", true),
        ("ZO%C3%8B@XN--BCHER-KVA.EXAMPLE", true),
        ("zoe%CC%88@xn--bcher-kva.example", true),
        ("%20zo%C3%AB@b%C3%BCcher.example%0A", true),
        ("zoe@b%C3%BCcher.example", false),
        ("zo%C3%AB@bucher.example", false),
        ("zo%C3%AB+tag@b%C3%BCcher.example", false),
    ] {
        let answer = world.get(&format!("/api/users/exists?Email={spelling}")).send().await;
        assert_eq!(answer.assert_ok(200), json!({ "UserExists": exists }), "{spelling}");
    }
}

#[tokio::test]
async fn is_400_where_the_email_is_missing() {
    let world = World::start().await;
    let missing = world.get("/api/users/exists").send().await;
    missing.assert_invalid(&["Email"]);
    insta::assert_json_snapshot!(missing.stable_json());
    for query in ["", "&&", "email=john%40example.com", "Other=x"] {
        let answer = world.get(&format!("/api/users/exists?{query}")).send().await;
        assert_eq!(answer.stable_json(), missing.stable_json(), "{query}");
    }
}

#[tokio::test]
async fn is_400_where_the_email_is_not_of_a_valid_format() {
    let world = World::start().await;
    let spaced = world.get("/api/users/exists?Email=john%20doe%40example.com").send().await;
    spaced.assert_invalid(&["Email"]);
    insta::assert_json_snapshot!(spaced.stable_json());
    let app = world.app(&[]);
    for email in [
        "",
        "john",
        "john%40",
        "%40example.com",
        "john%40example",
        "john%40%40example.com",
        "John+Doe+%3Cjohn@example.com%3E",
        "a%40x.com,b%40x.com",
        &format!("{}%40example.com", "x".repeat(250)),
    ] {
        let answer = Invocation::of(endpoint(ROUTE)).query(&format!("Email={email}")).answer(&app).await;
        answer.assert_invalid(&["Email"]);
    }
}

#[tokio::test]
async fn is_400_where_the_email_is_given_twice() {
    let world = World::start().await;
    let answer =
        world.get("/api/users/exists?Email=john%40example.com&Email=john%40example.com").send().await;
    answer.assert_invalid(&["Email"]);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn ten_look_ups_a_minute_are_admitted_and_counted_down() {
    let world = World::start().await;
    let mut seen = Vec::new();
    for _ in 0..10 {
        seen.push(quota(&look_up(&world).await));
        world.clock.advance(Duration::from_secs(1));
    }
    let admitted: Vec<_> = (0..10).map(|n| (200, format!("r={};t={}", 9 - n, 60 - n))).collect();
    assert_eq!(seen, admitted);

    let refused = look_up(&world).await;
    refused.assert_problem(429);
    assert_eq!(quota(&refused), (429, "r=0;t=50".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("50"));
    insta::assert_json_snapshot!(refused.stable_json());
}

#[tokio::test]
async fn what_is_left_of_a_second_is_rounded_up() {
    let world = World::start().await;
    look_up_times(&world, 10).await;
    world.clock.advance(Duration::from_millis(59_001));
    let refused = look_up(&world).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(quota(&refused), (429, "r=0;t=1".to_owned()));
}

#[tokio::test]
async fn the_eleventh_look_up_is_refused_at_59_s_and_admitted_at_60_s() {
    let world = World::start().await;
    assert_eq!(look_up_times(&world, 10).await, [200; 10]);
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(look_up(&world).await.status, 429);
    world.clock.advance(Duration::from_millis(999));
    assert_eq!(look_up(&world).await.status, 429);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(look_up(&world).await.status, 200);
}

#[tokio::test]
async fn a_refused_look_up_does_not_extend_the_wait() {
    let world = World::start().await;
    look_up_times(&world, 10).await;
    for _ in 0..59 {
        world.clock.advance(Duration::from_secs(1));
        // The second instance knows nothing of the first one's refusals but what the table tells.
        let app = world.app(&[]);
        let elsewhere = Invocation::of(endpoint(ROUTE))
            .at_address("127.0.0.1")
            .query("Email=john@example.com")
            .answer(&app)
            .await;
        assert_eq!((look_up(&world).await.status, elsewhere.status), (429, 429));
    }
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(look_up_times(&world, 11).await, [vec![200; 10], vec![429]].concat());
}

#[tokio::test]
async fn the_window_slides_and_is_no_calendar_minute() {
    let world = World::start().await;
    // START is at second 5 of a minute: five look-ups at its second 35, five at second 55.
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(look_up_times(&world, 5).await, [200; 5]);
    world.clock.advance(Duration::from_secs(20));
    assert_eq!(look_up_times(&world, 6).await, [200, 200, 200, 200, 200, 429]);
    // A new calendar minute: nothing is forgotten.
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(look_up(&world).await.status, 429);
    // The first five have left the window, the second five have not.
    world.clock.advance(Duration::from_secs(30));
    let first = look_up(&world).await;
    assert_eq!(quota(&first), (200, "r=4;t=20".to_owned()));
    assert_eq!(look_up_times(&world, 5).await, [200, 200, 200, 200, 429]);
}

#[tokio::test]
async fn every_request_counts_valid_or_not() {
    let world = World::start().await;
    let requests = [
        "/api/users/exists",
        "/api/users/exists?Email=nonsense",
        "/api/users/exists?Email=%zz",
        "/api/users/exists?Email=a@x.com&Email=a@x.com",
        "/api/users/exists?Email=nobody@example.com",
    ];
    for (n, path) in requests.iter().cycle().take(10).enumerate() {
        let answer = world.get(path).send().await;
        let expected = if path.ends_with("nobody@example.com") { 200 } else { 400 };
        assert_eq!(quota(&answer), (expected, format!("r={};t=60", 9 - n)), "{path}");
    }
    for path in requests {
        assert_eq!(quota(&world.get(path).send().await), (429, "r=0;t=60".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn of_sixty_look_ups_at_once_exactly_ten_are_admitted() {
    let world = World::start().await;
    let answers = join_all((0..60).map(|_| look_up(&world))).await;
    let of_status = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of_status(200), of_status(429)), (10, 50));
    let mut left: Vec<_> =
        answers.iter().map(quota).filter(|(status, _)| *status == 200).map(|(_, left)| left).collect();
    left.sort();
    let expected: Vec<_> = (0..10).map(|n| format!("r={n};t=60")).collect();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn instances_of_the_function_count_together() {
    let world = World::start().await;
    let instances = [world.app(&[]), world.app(&[]), world.app(&[])];
    let look_ups = instances
        .iter()
        .cycle()
        .take(60)
        .map(|app| Invocation::of(endpoint(ROUTE)).query("Email=john@example.com").answer(app));
    let answers = join_all(look_ups).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 50);
}

#[tokio::test]
async fn no_header_that_the_caller_writes_changes_who_is_counted() {
    let world = World::start().await;
    let mut statuses = Vec::new();
    for n in 0..11 {
        let address = format!("198.51.100.{n}");
        let call = world
            .get(JOHN)
            .header("x-forwarded-for", &address)
            .header("forwarded", format!("for={address}"))
            .header("x-real-ip", &address)
            .header("true-client-ip", &address)
            .header("cf-connecting-ip", &address);
        statuses.push(call.send().await.status);
    }
    assert_eq!(statuses, [vec![200; 10], vec![429]].concat());
}

#[tokio::test]
async fn each_ipv4_address_and_each_ipv6_64_prefix_has_its_own_ten() {
    let world = World::start().await;
    let app = world.app(&[]);
    let left = async |address: &str| {
        let answer = Invocation::of(endpoint(ROUTE))
            .at_address(address)
            .query("Email=john@example.com")
            .answer(&app)
            .await;
        quota(&answer).1
    };
    // Another address, another count.
    assert_eq!(left("203.0.113.7").await, "r=9;t=60");
    assert_eq!(left("203.0.113.8").await, "r=9;t=60");
    // An IPv4-mapped IPv6 address is its IPv4 address.
    assert_eq!(left("::ffff:203.0.113.7").await, "r=8;t=60");
    assert_eq!(left("::ffff:cb00:7107").await, "r=7;t=60");
    // The addresses of one /64 are one client, those of the next are another.
    assert_eq!(left("2001:db8:1:2::1").await, "r=9;t=60");
    assert_eq!(left("2001:db8:1:2:ffff:ffff:ffff:ffff").await, "r=8;t=60");
    assert_eq!(left("2001:0DB8:0001:0002:0000::9").await, "r=7;t=60");
    assert_eq!(left("2001:db8:1:3::1").await, "r=9;t=60");
}

#[tokio::test]
async fn the_limit_and_the_window_are_settings() {
    let world = World::start().await;
    let app = world.app(&[("EXISTS_LIMIT_REQUESTS", "2"), ("EXISTS_LIMIT_WINDOW_SECONDS", "5")]);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let answer = Invocation::of(endpoint(ROUTE)).query("Email=john@example.com").answer(&app).await;
        assert_eq!(answer.header("ratelimit-policy"), Some("\"exists\";q=2;w=5"));
        seen.push((
            answer.status,
            answer.header("ratelimit").unwrap().to_owned(),
            answer.header("retry-after").map(str::to_owned),
        ));
    }
    insta::assert_json_snapshot!(seen);
}

#[tokio::test]
async fn the_smallest_limit_and_the_largest_admit_so_many_and_no_more() {
    let world = World::start().await;
    for limit in [1, 50] {
        let app = world.app(&[("EXISTS_LIMIT_REQUESTS", &limit.to_string())]);
        for number in 0..=limit {
            let look_up = Invocation::of(endpoint(ROUTE)).query("Email=john@example.com");
            let answer = look_up.at_address(&format!("10.0.0.{limit}")).answer(&app).await;
            assert_eq!(
                answer.status,
                if number < limit { 200 } else { 429 },
                "{number} of {limit}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_clock_that_was_wrong_locks_nobody_out() {
    let world = World::start().await;
    world.clock.advance(Duration::from_hours(24));
    look_up_times(&world, 11).await;
    world.clock.set(crate::harness::START);
    assert_eq!(look_up(&world).await.status, 200);
}

#[tokio::test]
async fn a_counter_that_is_broken_is_a_500_whose_log_names_it() {
    let world = World::start().await;
    let text = json!({ "S": "soon" });
    let time = json!({ "N": world.clock.now().millis().to_string() });
    for (client, broken) in [("198.51.100.1", "T10"), ("198.51.100.2", "T1"), ("198.51.100.3", "T2")] {
        let mut counter = json!({ "PK": { "S": format!("RATE#exists#{client}") }, "SK": { "S": "RATE" } });
        for n in 1..=10 {
            counter[format!("T{n}")] = time.clone();
        }
        counter[broken] = text.clone();
        world.put_item(&counter).await;
        let before = world.items().await;
        let app = world.app(&[]);
        let look_up = Invocation::of(endpoint(ROUTE)).query("Email=john%40example.com").at_address(client);
        look_up.answer(&app).await.assert_problem(500);
        assert_eq!(world.items().await, before);
        let (_, admitted) = app.exists_limiter.admit(client.parse().unwrap()).await;
        let log = admitted.unwrap_err().log().map(str::to_owned);
        assert_eq!(log, Some(format!("the table holds a broken RateLimit item: {broken}")));
    }
}
