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
    /// When the next is admitted, where that is not now.
    free_at: Option<(u64, String)>,
}

impl Client {
    /// What the limiter would say of a client whose requests were admitted then, the newest first.
    fn at(
        now: Timestamp,
        limit: RateLimit,
        address: String,
        limit_name: String,
        admitted: &[Timestamp],
    ) -> Self {
        let counts = |time: &&Timestamp| **time > now - limit.window && **time <= now + limit.window;
        // The oldest of as many as are admitted in a window makes room when it leaves the window.
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

/// All clients that were counted and are not swept yet.
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

/// Rounded up, so that who waits that long has waited long enough.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
