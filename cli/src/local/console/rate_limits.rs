//! What the rate limiter has counted.

use std::time::Duration;

use askama::Template;
use hyper::StatusCode;
use operator::table::Record;
use shared::clock::Timestamp;
use shared::model::RateLimit;

use super::answer::{self, HttpAnswer, Policy, Refusal};
use super::layout::{self, Layout};
use super::reading::{self, Scan};
use super::{Console, Query, utc};

#[derive(Template)]
#[template(path = "rate_limits.html")]
struct RateLimitsPage {
    layout: Layout<'static>,
    limit: u16,
    window_seconds: u64,
    clients: Vec<Client>,
    scan: Scan,
    rest: Option<String>,
}

struct Client {
    address: String,
    limit_name: String,
    /// How many requests of the window were admitted.
    admitted: usize,
    last_at: String,
    /// When the next request is admitted, if not now.
    free_at: Option<(u64, String)>,
}

impl Client {
    /// The limiter's state for a client whose requests were admitted at these times, newest first.
    fn at(
        now: Timestamp,
        limit: RateLimit,
        address: String,
        limit_name: String,
        admitted: &[Timestamp],
    ) -> Self {
        let counts = |time: &&Timestamp| **time > now - limit.window && **time <= now + limit.window;
        // When the oldest request of a full window leaves it, there is room for one more.
        let in_the_way = admitted.get(usize::from(limit.limit).saturating_sub(1)).filter(counts);
        let free_at = in_the_way.map(|time| *time + limit.window);
        Self {
            address,
            limit_name,
            admitted: admitted.iter().filter(counts).count(),
            last_at: admitted.first().map(|time| utc(*time)).unwrap_or_default(),
            free_at: free_at.map(|time| (whole_seconds(time.since(now)), utc(time))),
        }
    }
}

/// All clients that were counted and not deleted yet.
pub(super) async fn list(console: &Console, query: &Query) -> Result<HttpAnswer, Refusal> {
    let (now, limit) = (console.clock.now(), console.exists_limit);
    let reading = reading::read(&console.table, query.parsed("after")?, |rows, record| {
        if let Record::RateLimit { name, client, admitted } = record {
            rows.push(Client::at(now, limit, client, name, &admitted));
        }
    });
    let reading = reading.await?;
    let page = RateLimitsPage {
        layout: Layout::of(layout::RATE_LIMITS),
        limit: limit.limit,
        window_seconds: limit.window.as_secs(),
        clients: reading.rows,
        rest: reading.scan.rest(layout::RATE_LIMITS, &[]),
        scan: reading.scan,
    };
    answer::page(StatusCode::OK, Policy::Page, &page)
}

/// Rounded up, so that a client that waits this long is admitted.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
