//! Who created and added whom, when, by which request: what the log and the table say, and what `users doctor --user`
//! makes of it.

use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::endpoints::row;
use crate::harness::{ACME, GLOBEX, Invocation, World};
use crate::security::log::lines_of;
use crate::tooling::doctor::run;

const FIRST: &str = "kp_first_admin";
const SECOND: &str = "kp_second_admin";
/// A user whom an Admin of one organization created and an Admin of another added, and the log.
struct Audited {
    world: World,
    user: String,
    /// Of the creation, the joining and a refusal.
    request_ids: [String; 3],
    lines: Vec<String>,
}

impl Audited {
    async fn start() -> Self {
        // The log of all tests keeps lines with such ids.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let request_ids =
            ["creation", "joining", "refusal"].map(|request| format!("secrets-audit-{number}-{request}"));
        let world = World::start_now().await;
        let [creation, joining, refusal] = &request_ids;
        post(&world, creation, "Admin", FIRST, ACME).await;
        post(&world, joining, "Admin", SECOND, GLOBEX).await;
        post(&world, refusal, "Customer", FIRST, ACME).await;
        let user = world.user_id_of("new@example.com").await.unwrap();
        let lines = request_ids.iter().flat_map(|id| lines_of(id)).collect();
        Self { world, user, request_ids, lines }
    }

    async fn doctor(&self, arguments: &[&str], stdin: &str) -> Output {
        let table = ["--endpoint-url", &self.world.system.dynamodb_url, "--table", self.world.table().name()];
        run(&[&["doctor"], arguments, &table].concat(), stdin).await
    }

    /// The steps of a user's trail, each as text without its time.
    async fn trail(&self, user: &str, log: &str) -> Vec<String> {
        let output = self.doctor(&["--user", user, "--log-file", "-", "--json"], log).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let steps: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let times: Vec<_> = steps.iter().map(|step| step["At"].as_str().unwrap().to_owned()).collect();
        assert!(times.is_sorted(), "{times:?}");
        let text = |step: &Value, name: &str| step[name].as_str().unwrap_or("-").to_owned();
        let names = ["Source", "Event", "UserId", "By", "OrganizationId", "RequestId"];
        let mut steps: Vec<_> =
            steps.iter().map(|step| names.map(|name| text(step, name)).join(" ")).collect();
        steps.sort();
        steps
    }
}

async fn post(world: &World, request_id: &str, role: &str, admin: &str, organization: &str) {
    let endpoint = row("create-user").endpoint();
    let http = json!({ "method": "POST", "path": endpoint.path, "sourceIp": "203.0.113.7" });
    let body = json!({ "FirstName": "N", "LastName": "W", "Email": "new@example.com" });
    Invocation::of(endpoint)
        .part("requestContext", json!({ "requestId": request_id, "http": http }))
        .bearer(&world.bearer(role, admin, organization))
        .body(&body.to_string())
        .answer(&world.app(&[]))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_says_who_created_and_added_a_user_by_which_request() {
    let audited = Audited::start().await;
    let (user, [creation, joining, _]) = (&audited.user, &audited.request_ids);
    let due = [
        format!("item added {user} {FIRST} {ACME} -"),
        format!("item added {user} {SECOND} {GLOBEX} -"),
        format!("item created {user} {FIRST} - -"),
        format!("log added {user} {SECOND} {GLOBEX} {joining}"),
        format!("log created {user} {FIRST} {ACME} {creation}"),
    ];
    let json_lines = audited.lines.concat();
    // As `aws logs tail` prints them, as `filter-log-events`, and as `get-query-results`.
    let tail: Vec<_> =
        audited.lines.iter().map(|line| format!("2026-11-27T09:00:00 2026/11/27/[41]ab {line}")).collect();
    let events: Vec<_> =
        audited.lines.iter().map(|line| json!({ "timestamp": 1, "message": line })).collect();
    let events = json!({ "events": events, "searchedLogStreams": [] }).to_string();
    let results: Vec<_> =
        audited.lines.iter().map(|line| json!([{ "field": "@message", "value": line }])).collect();
    let results = json!({ "status": "Complete", "results": results }).to_string();
    for log in [&json_lines, &json_lines.repeat(2), &tail.concat(), &events, &results] {
        assert_eq!(audited.trail(user, log).await, due, "{log}");
    }
    // Of an Admin without an account: whom the Admin created.
    assert_eq!(audited.trail(FIRST, &json_lines).await, due[4..]);

    let screen = audited.doctor(&["--user", user], "").await;
    let screen = String::from_utf8(screen.stdout).unwrap();
    let lines: Vec<_> = screen.lines().collect();
    assert!(lines.len() == 4 && lines[0].starts_with("At "), "{screen}");
    assert!(lines[1..].iter().all(|line| line.contains(user) && line.ends_with("item")), "{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_still_knows_a_deleted_user_and_the_table_does_not() {
    let audited = Audited::start().await;
    let id = audited.user.parse().unwrap();
    audited.world.table().delete_personal_data(&id, None).await.unwrap();
    let of_log = audited.trail(&audited.user, &audited.lines.concat()).await;
    assert_eq!(of_log.len(), 2, "{of_log:?}");
    assert!(of_log.iter().all(|step| step.starts_with("log ")), "{of_log:?}");
    for (arguments, log, status, said) in [
        (&["--user", &audited.user][..], "", 1, "nothing is known about this user"),
        (&["--user", &audited.user, "--log-file", "-"], "no JSON", 1, "- has no lines of a log"),
        (&["--user", &audited.user, "--scan"], "", 2, "--scan"),
        (&["--log-file", "-"], "", 2, "--user"),
    ] {
        let output = audited.doctor(arguments, log).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_request_that_created_or_added_names_whom() {
    let audited = Audited::start().await;
    let lines: Vec<Value> = audited.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in lines.iter().filter(|line| line["message"] == "answered") {
        let names = line["affected_user_id"].as_str();
        let is_refused = line["status"] == 403;
        assert_eq!(names, (!is_refused).then_some(audited.user.as_str()), "{line}");
    }
}
