//! Log lines, as the functions write them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use shared::error::Error;
use shared::table::Table;
use shared::{Access, App, Endpoint};
use users::local::ENDPOINTS;

use crate::endpoints::refresh_signing_keys::{refresh_and_fail, refresh_once};
use crate::endpoints::row;
use crate::harness::{ACME, JANE, World, app};
use crate::security::log::lines_of;

/// What a request came to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    Answered,
    Defect,
    Unavailable,
    OrphanedClaim,
    RateLimited,
}

/// The lines that functions wrote.
pub struct Lines {
    outcomes: BTreeMap<(&'static str, Outcome), Value>,
    /// Of a function that reads the signing keys.
    pub keys_read: Value,
    pub refreshed: Value,
    pub refresh_failed: Value,
}

impl Lines {
    /// Runs each function until it has written each of its lines.
    pub async fn record() -> Self {
        let world = World::start().await;
        let gone = operator::table::local_table(world.table().name(), "http://127.0.0.1:1");
        let mut outcomes = BTreeMap::new();
        let mut keys_read = None;
        for endpoint in ENDPOINTS {
            let name = endpoint.name;
            let (right, mut lines) = invoke(&world, endpoint, &world.app(&[])).await;
            outcomes.insert((name, Outcome::Answered), right);
            keys_read = keys_read.or(lines.pop());
            let (defect, _) = invoke(&world, defective(endpoint), &world.app(&[])).await;
            outcomes.insert((name, Outcome::Defect), defect);
            let app = app(Table::clone(&gone), world.system.clock().clone(), &[]);
            let (unavailable, _) = invoke(&world, endpoint, &app).await;
            outcomes.insert((name, Outcome::Unavailable), unavailable);
        }
        let endpoint = row("check-user-exists").endpoint();
        let (limited, _) = invoke(&world, endpoint, &world.app(&[("EXISTS_LIMIT_REQUESTS", "1")])).await;
        outcomes.insert((endpoint.name, Outcome::RateLimited), limited);
        world.delete_item(&format!("USER#{JANE}"), "PROFILE").await;
        let endpoint = row("create-user").endpoint();
        let body = json!({ "FirstName": "J", "LastName": "S", "Email": "jane@example.com" }).to_string();
        let (orphaned, _) = send(&world, endpoint, &world.app(&[]), &body).await;
        outcomes.insert((endpoint.name, Outcome::OrphanedClaim), orphaned);
        let refreshed = of_scheduled(Box::pin(refresh_once(&world, world.functions_table()))).await;
        let refresh_failed = of_scheduled(Box::pin(refresh_and_fail(&world))).await;
        let lines = Self { outcomes, keys_read: keys_read.unwrap(), refreshed, refresh_failed };
        lines.assert_statuses();
        lines
    }

    fn assert_statuses(&self) {
        for ((function, outcome), line) in &self.outcomes {
            let status = match outcome {
                Outcome::Answered => row(function).status,
                Outcome::Defect | Outcome::OrphanedClaim => 500,
                Outcome::Unavailable => 503,
                Outcome::RateLimited => 429,
            };
            assert_eq!(line["status"], status, "{function} {outcome:?}: {line}");
        }
    }

    pub fn outcome(&self, function: &str, outcome: Outcome) -> &Value {
        let mut all = self.outcomes.iter();
        let found = all.find(|((name, of), _)| *name == function && *of == outcome);
        found.unwrap_or_else(|| panic!("{function} has no line of {outcome:?}")).1
    }

    /// The bytes of all lines of a usual request, the mean of all functions.
    pub fn bytes_of_a_request(&self) -> usize {
        let answered = self.outcomes.iter().filter(|((_, outcome), _)| *outcome == Outcome::Answered);
        let bytes = answered.map(|(_, line)| {
            // What differs from run to run has a usual length.
            let mut line = line.clone();
            line["duration_ms"] = 7.123_456.into();
            line["request_id"] = "JKJaXmPLvHcESHA=".into();
            line.to_string().len() + 1
        });
        let bytes: Vec<_> = bytes.collect();
        bytes.iter().sum::<usize>() / bytes.len()
    }
}

/// The right request of an endpoint. Returns its outcome line, and the lines before it.
async fn invoke(world: &World, endpoint: Endpoint, app: &Arc<App>) -> (Value, Vec<Value>) {
    send(world, endpoint, app, row(endpoint.name).body).await
}

async fn send(world: &World, endpoint: Endpoint, app: &Arc<App>, body: &str) -> (Value, Vec<Value>) {
    let (id, row) = (new_id(), row(endpoint.name));
    let bearer = row.role.map(|role| world.bearer(role, JANE, ACME)).unwrap_or_default();
    let event = json!({
        "version": "2.0",
        "rawPath": endpoint.path,
        "rawQueryString": row.query,
        "headers": { "authorization": bearer, "content-type": "application/json" },
        "requestContext": {
            "requestId": id,
            "http": { "method": endpoint.method, "path": endpoint.path, "sourceIp": "203.0.113.7" },
        },
        "body": body,
        "isBase64Encoded": false,
    });
    users::local::invoke(endpoint, app, &event, Duration::from_secs(10)).await;
    let mut lines = lines_of_id(&id);
    (lines.pop().unwrap(), lines)
}

/// An endpoint whose handler has a defect.
fn defective(endpoint: Endpoint) -> Endpoint {
    let access = match endpoint.access {
        Access::Public(_) => Access::Public(|_, _| Box::pin(async { Err(Error::defect("a bug")) })),
        Access::RateLimited(_) => Access::RateLimited(|_, _| Box::pin(async { Err(Error::defect("a bug")) })),
        Access::Role(policy, _) => {
            Access::Role(policy, |_, _, _| Box::pin(async { Err(Error::defect("a bug")) }))
        }
    };
    Endpoint { access, ..endpoint }
}

/// The last line of work that no request asked for.
async fn of_scheduled(work: impl Future<Output = ()>) -> Value {
    let id = new_id();
    shared::telemetry::of_request(&id, work).await;
    lines_of_id(&id).pop().unwrap()
}

/// The log keeps lines with such an id.
fn new_id() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("secrets-monitoring-{}-", NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn lines_of_id(id: &str) -> Vec<Value> {
    lines_of(id).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}
