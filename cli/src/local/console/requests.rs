//! The last requests to the API, and the calls to the table that each made.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use askama::Template;
use hyper::StatusCode;
use hyper::http::request::Parts;
use shared::clock::{Clock, Timestamp};

use super::answer::{self, HttpAnswer, Policy, Refusal};
use super::layout::{self, Layout};
use super::utc;

/// How many requests are remembered.
const MAX_REQUESTS: usize = 100;
/// How much of a path that is no route is remembered.
const MAX_PATH: usize = 80;

tokio::task_local! {
    /// The operations that the current request has called, each with its number of calls, in the order of the first
    /// call.
    static CALLS: RefCell<Vec<(String, usize)>>;
}

/// Counts a call to the table for the request that this task answers, if it answers one.
pub(in crate::local) fn note_call(operation: &str) {
    let _ = CALLS.try_with(|calls| {
        let mut calls = calls.borrow_mut();
        match calls.iter_mut().find(|(known, _)| known == operation) {
            Some((_, count)) => *count += 1,
            None => calls.push((operation.to_owned(), 1)),
        }
    });
}

/// The last requests to the API, the newest first.
pub(in crate::local) struct RequestLog {
    clock: Clock,
    requests: Mutex<VecDeque<Request>>,
}

/// A request, without its query, its body and its token.
#[derive(Clone)]
struct Request {
    at: Timestamp,
    method: String,
    path: String,
    status: u16,
    duration: Duration,
    calls: Vec<(String, usize)>,
}

impl Request {
    fn at(&self) -> String {
        utc(self.at)
    }

    fn duration(&self) -> String {
        format!("{:.1} ms", self.duration.as_secs_f64() * 1000.0)
    }

    fn calls(&self) -> String {
        let calls: Vec<_> =
            self.calls.iter().map(|(operation, count)| format!("{operation}\u{a0}×\u{a0}{count}")).collect();
        calls.join(", ")
    }

    /// The first digit of the status.
    fn class(&self) -> u16 {
        self.status / 100
    }
}

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage {
    layout: Layout<'static>,
    requests: Vec<Request>,
}

impl RequestLog {
    /// An empty list that uses this clock.
    pub(in crate::local) fn new(clock: Clock) -> Self {
        Self { clock, requests: Mutex::default() }
    }

    /// Waits for the answer to a request, and remembers both.
    pub(in crate::local) async fn watch(
        &self,
        head: &Parts,
        answer: impl Future<Output = HttpAnswer>,
    ) -> HttpAnswer {
        let (at, started) = (self.clock.now(), Instant::now());
        let (method, path) = (head.method.to_string(), head.uri.path().chars().take(MAX_PATH).collect());
        let answered = async { (answer.await, CALLS.with(RefCell::take)) };
        let (answer, calls) = CALLS.scope(RefCell::default(), answered).await;
        let request = Request {
            at,
            method,
            path,
            status: answer.status().as_u16(),
            duration: started.elapsed(),
            calls,
        };
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.truncate(MAX_REQUESTS - 1);
        requests.push_front(request);
        answer
    }

    /// The page that shows them.
    pub(super) fn page(&self) -> Result<HttpAnswer, Refusal> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let page = RequestsPage { layout: Layout::of(layout::REQUESTS), requests };
        answer::page(StatusCode::OK, Policy::Page, &page)
    }
}
