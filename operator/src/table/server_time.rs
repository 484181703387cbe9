//! The clock of the table's server, read from the `Date` of its answers (RFC 9110, section 6.6.1).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::operation::describe_table::DescribeTableInput;
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use shared::aws::CallObserver;
use shared::clock::{Clock, Timestamp};

use super::OperatorTable;

/// How far a clock is from the server's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockSkew {
    /// At least this far.
    pub at_least: Duration,
    /// Whether it is the clock here that is ahead.
    pub ahead: bool,
}

impl ClockSkew {
    /// Compares an answer's `Date` with the times at which this clock sent the request and received the answer. The
    /// server rounds its time down to a whole second.
    fn of(sent: Timestamp, received: Timestamp, server: Timestamp) -> Self {
        let latest = server + Duration::from_secs(1);
        if sent > latest {
            Self { at_least: sent.since(latest), ahead: true }
        } else {
            Self { at_least: server.since(received), ahead: false }
        }
    }
}

impl OperatorTable {
    /// How far this clock is from that of the table's server. Any answer will do: DynamoDB refuses every request if the
    /// clock is too far off. `None` if there is no answer, or none with a `Date`.
    pub async fn clock_skew(&self, clock: &Clock) -> Option<ClockSkew> {
        let seen = Arc::<Mutex<Seen>>::default();
        let observer = ReadDate { clock: clock.clone(), seen: seen.clone() };
        let client = self.client().clone().with_observer(Arc::new(observer));
        // Only its date is of interest.
        let _ = client.call(DescribeTableInput::builder().table_name(self.name()).build()).await;
        let seen = *seen.lock().unwrap_or_else(PoisonError::into_inner);
        Some(ClockSkew::of(seen.sent?, seen.received?, seen.server?))
    }
}

/// The times of the last try of a call.
#[derive(Clone, Copy, Default)]
struct Seen {
    sent: Option<Timestamp>,
    received: Option<Timestamp>,
    server: Option<Timestamp>,
}

struct ReadDate {
    clock: Clock,
    seen: Arc<Mutex<Seen>>,
}

impl CallObserver for ReadDate {
    fn sending(&self, _: &str, _: &[u8]) {
        let sent = Some(self.clock.now());
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { sent, ..Seen::default() };
    }

    fn answered(&self, headers: &http::HeaderMap) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.received = Some(self.clock.now());
        let date = headers.get("date").and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        seen.server = date.and_then(|date| date.to_millis().ok()).map(Timestamp::from_millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_is_what_no_time_on_the_way_and_no_rounding_explains() {
        let of = |sent, received, server| {
            let [sent, received, server] = [sent, received, server].map(Timestamp::from_millis);
            let skew = ClockSkew::of(sent, received, server);
            (skew.at_least.as_millis(), skew.ahead)
        };
        assert_eq!(of(10_200, 10_300, 10_000), (0, false));
        assert_eq!(of(10_900, 11_100, 10_000), (0, false));
        assert_eq!(of(9_900, 13_000, 12_000), (0, false));
        assert_eq!(of(20_000, 20_100, 10_000), (9_000, true));
        assert_eq!(of(10_000, 10_100, 70_000), (59_900, false));
    }
}
