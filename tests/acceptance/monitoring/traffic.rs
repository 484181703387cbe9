//! A stack's traffic, minute by minute, with a fault in it.

use serde_json::Value;

use super::lines::{Lines, Outcome};
use super::metrics::{Filters, Metric, Metrics};
use super::random::Random;
use super::template::Template;

/// A warm request without a fault, in milliseconds.
const USUAL_MS: f64 = 15.0;
/// One request in a thousand waits for a second try of a call to the table (1.5 s), and its answer is right.
const ONE_RETRY_IN: f64 = 1000.0;
const RETRIED_MS: f64 = 1600.0;
const SECONDS_A_MINUTE: u32 = 60;

/// What is wrong with the stack.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fault {
    None,
    /// Each answer is a 500.
    Defects,
    /// Each invocation ends without an answer.
    Crashes,
    /// Each request takes so many milliseconds.
    Slow(f64),
    /// The table does not answer: each answer is a 503.
    TableAway,
    /// Lambda starts no instance.
    Throttled,
    /// `DynamoDB` refuses each call once; the second try succeeds.
    TableThrottled,
    /// One request, at the fault's beginning, meets an orphaned claim.
    OrphanedClaim,
    /// The identity provider is down.
    ProviderDown,
    /// The schedule does not run.
    NoRefresh,
    /// Each run of refresh-signing-keys crashes.
    RefreshCrashes,
}

/// What a template makes of traffic.
pub struct Plan {
    filters: Filters,
    lines: Lines,
    /// `users-prod-`
    prefix: String,
    stage: String,
    table: String,
    refresh_every_minutes: u32,
}

impl Plan {
    /// Records the functions' lines.
    pub async fn new(template: &Template) -> Self {
        let lines = Box::pin(Lines::record()).await;
        let text = |resource, property| template.property(resource, property).as_str().unwrap().to_owned();
        let events = template.property("RefreshSigningKeysFunction", "Events");
        let rate = events["Schedule"]["Properties"]["Schedule"].as_str().unwrap();
        let minutes = rate.strip_prefix("rate(").and_then(|rate| rate.split(' ').next()).unwrap();
        Self {
            filters: Filters::of(template),
            lines,
            prefix: format!("{}-", text("Dashboard", "DashboardName")),
            stage: text("Api", "StageName"),
            table: text("Table", "TableName"),
            refresh_every_minutes: minutes.parse().unwrap(),
        }
    }

    /// The bytes that a usual request writes to its function's log.
    pub fn log_bytes_of_a_request(&self) -> usize {
        self.lines.bytes_of_a_request()
    }

    fn physical(&self, function: &str) -> String {
        format!("{}{function}", self.prefix)
    }
}

/// A stack of which one function gets all the traffic. That is the least that any alarm on all functions sees.
pub struct Stack<'a> {
    plan: &'a Plan,
    function: &'a str,
    requests_a_minute: f64,
    random: Random,
    pub metrics: Metrics,
    keys_fetched_at: u32,
    keys_read_at: Option<u32>,
}

impl<'a> Stack<'a> {
    pub fn new(plan: &'a Plan, function: &'a str, requests_a_minute: f64, seed: u64) -> Self {
        Self {
            plan,
            function,
            requests_a_minute,
            random: Random::new(seed),
            metrics: Metrics::default(),
            keys_fetched_at: 0,
            keys_read_at: None,
        }
    }

    /// Requests that come in a minute, if so many are to be expected.
    pub fn arrivals(&mut self, expected: f64) -> u32 {
        self.random.poisson(expected)
    }

    /// Lets a minute pass.
    pub fn pass(&mut self, minute: u32, fault: Fault, begins: bool) {
        let requests = self.random.poisson(self.requests_a_minute);
        if minute.is_multiple_of(self.plan.refresh_every_minutes) {
            self.refresh(minute, fault);
        }
        if begins && fault == Fault::OrphanedClaim {
            self.answer(minute, 1, Outcome::OrphanedClaim, USUAL_MS);
        }
        match fault {
            Fault::Defects => self.answer(minute, requests, Outcome::Defect, USUAL_MS),
            Fault::Crashes => self.crash(minute, requests),
            Fault::Slow(milliseconds) => self.answer(minute, requests, Outcome::Answered, milliseconds),
            Fault::TableAway => self.answer(minute, requests, Outcome::Unavailable, USUAL_MS),
            Fault::Throttled => self.throttle(minute, requests),
            _ => {
                let retried = self.random.poisson(f64::from(requests) / ONE_RETRY_IN).min(requests);
                self.answer(minute, requests - retried, Outcome::Answered, USUAL_MS);
                self.answer(minute, retried, Outcome::Answered, RETRIED_MS);
                if requests > 0 && !matches!(fault, Fault::TableThrottled) {
                    self.read_keys(minute);
                }
            }
        }
        if fault == Fault::TableThrottled {
            let metric =
                Metric::new("AWS/DynamoDB", "ReadThrottleEvents", &[("TableName", &self.plan.table)]);
            self.metrics.add(metric, minute, 1.0, requests);
        }
    }

    /// Invocations of the function that answer. Some of a canary's come in one minute with others, so it may be called
    /// more than once a minute.
    pub fn answer(&mut self, minute: u32, requests: u32, outcome: Outcome, milliseconds: f64) {
        self.lambda(minute, requests, "Errors", 0.0);
        self.lambda(minute, requests, "Duration", milliseconds);
        let line = self.plan.lines.outcome(self.function, outcome).clone();
        self.log(self.function, minute, requests, &line);
        self.gateway(minute, requests, line["status"].as_u64().unwrap());
    }

    /// Invocations that end without an answer.
    pub fn crash(&mut self, minute: u32, requests: u32) {
        self.lambda(minute, requests, "Errors", 1.0);
        self.lambda(minute, requests, "Duration", USUAL_MS);
        self.gateway(minute, requests, 500);
    }

    fn throttle(&mut self, minute: u32, requests: u32) {
        self.lambda(minute, requests, "Throttles", 1.0);
        self.gateway(minute, requests, 503);
    }

    fn lambda(&mut self, minute: u32, requests: u32, name: &str, value: f64) {
        let function = self.plan.physical(self.function);
        let alias = format!("{function}:live");
        let of_function = [("FunctionName", function.as_str())];
        let of_alias = [("FunctionName", function.as_str()), ("Resource", alias.as_str())];
        for dimensions in [&of_function[..], &of_alias[..]] {
            self.metrics.add(Metric::new("AWS/Lambda", name, dimensions), minute, value, requests);
        }
    }

    fn gateway(&mut self, minute: u32, requests: u32, status: u64) {
        let dimensions = [("ApiId", "Api"), ("Stage", self.plan.stage.as_str())];
        for (name, counts) in [("Count", true), ("4xx", status / 100 == 4), ("5xx", status / 100 == 5)] {
            let value = f64::from(u8::from(counts));
            self.metrics.add(Metric::new("AWS/ApiGateway", name, &dimensions), minute, value, requests);
        }
    }

    /// The function reads the keys again if its copy is five minutes old.
    fn read_keys(&mut self, minute: u32) {
        if self.keys_read_at.is_none_or(|read_at| minute - read_at >= 5) {
            self.keys_read_at = Some(minute);
            let line = self.aged(&self.plan.lines.keys_read, minute);
            self.log(self.function, minute, 1, &line);
        }
    }

    fn refresh(&mut self, minute: u32, fault: Fault) {
        let function = "refresh-signing-keys";
        let dimensions = self.plan.physical(function);
        let errors = Metric::new("AWS/Lambda", "Errors", &[("FunctionName", &dimensions)]);
        let line = match fault {
            Fault::NoRefresh => return,
            Fault::RefreshCrashes => return self.metrics.add(errors, minute, 1.0, 1),
            Fault::ProviderDown => self.aged(&self.plan.lines.refresh_failed, minute),
            _ => {
                self.keys_fetched_at = minute;
                self.aged(&self.plan.lines.refreshed, minute)
            }
        };
        // A run that reports a failure ends with an error.
        self.metrics.add(errors, minute, f64::from(u8::from(fault == Fault::ProviderDown)), 1);
        self.log(function, minute, 1, &line);
    }

    /// A line with the age that the keys have now.
    fn aged(&self, line: &Value, minute: u32) -> Value {
        assert!(line["signing_keys_age_seconds"].is_u64(), "{line}");
        let mut line = line.clone();
        line["signing_keys_age_seconds"] = ((minute - self.keys_fetched_at) * SECONDS_A_MINUTE).into();
        line
    }

    fn log(&mut self, function: &str, minute: u32, times: u32, line: &Value) {
        let log_group = format!("/aws/lambda/{}", self.plan.physical(function));
        for (metric, value) in self.plan.filters.count(&log_group, line) {
            self.metrics.add(metric, minute, value, times);
        }
    }
}

/// The middle of some numbers.
pub fn median(mut numbers: Vec<u32>) -> Option<u32> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}
