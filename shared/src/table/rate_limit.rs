//! Rate limits: an exact sliding window with one write per admitted request.
//!
//! The item of a client holds the times of the last admitted requests, the newest first: `T1`, `T2` … up to the limit,
//! for example 10. One update shifts them and puts the current time first, on the condition that the oldest is absent
//! or has left the window.
//!
//! This is exact in whatever order the writes arrive: of any 11 admitted requests two are a multiple of 10 writes
//! apart, so their times are at least a window apart. If clocks differ by up to 2 s, for example, at most 10 are in any
//! window that is shorter by as much (58 s of 60). docs/architecture.md has the proof and its limits; the acceptance
//! tests of `rate_limit` try to break it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemInput};
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, ThrottlingReason,
};

use super::storage::{Item, Key, KeyKind, TTL_ATTRIBUTE, Table};
use crate::aws::from_sdk_error;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, UNAVAILABLE_RETRY_AFTER};
use crate::model::{ClientAddress, Quota, RateLimit};

/// How many refused clients an instance remembers.
const MAX_REMEMBERED: usize = 10_000;
/// How long an item is kept after its last time has left the window. The sweeper's clock may be ahead, and the last
/// write's time need not be the latest. If clocks differ by up to 20 s, no time is lost that still counts.
const SWEEP_MARGIN: Duration = Duration::from_mins(1);

/// Admits at most a fixed number of requests per client in any window of time.
pub struct RateLimiter {
    table: Table,
    rate_limit: RateLimit,
    clock: Clock,
    update: String,
    condition: String,
    /// Clients that are known to be refused, and until when: refused from memory, without a write.
    refused: Mutex<HashMap<ClientAddress, Timestamp>>,
}

/// The outcome of counting a request.
enum Count {
    /// The request is admitted. Holds the times of the last admitted requests, newest first, this one included.
    Admitted(Vec<Timestamp>),
    /// The request is not admitted, and none will be before this time.
    Refused { until: Timestamp },
}

/// Whether the table throttles one key. The client's own flood causes this, and it slows down nobody else (DynamoDB API
/// Reference, `ThrottlingReason`).
fn is_of_one_key(reasons: &[ThrottlingReason]) -> bool {
    let limit = "KeyRangeThroughputExceeded";
    reasons.iter().any(|reason| reason.reason().is_some_and(|reason| reason.ends_with(limit)))
}

impl RateLimiter {
    /// A limiter that keeps its counts in `table`.
    #[must_use]
    pub fn new(table: Table, rate_limit: RateLimit, clock: Clock) -> Self {
        let oldest = rate_limit.limit;
        let shifts = (2..=oldest).rev().map(|n| format!("T{n} = if_not_exists(T{}, :never), ", n - 1));
        let update = format!("SET {}T1 = :now, {TTL_ATTRIBUTE} = :expires", shifts.collect::<String>());
        // A wrong clock wrote a time far in the future: it must not lock the client out.
        let condition =
            format!("attribute_not_exists(T{oldest}) OR T{oldest} <= :cutoff OR T{oldest} > :impossible");
        Self { table, rate_limit, clock, update, condition, refused: Mutex::default() }
    }

    /// Counts a request. Returns what is left of the client's quota.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimited`] if the window is full. If the count cannot be made, the quota is zero.
    pub async fn admit(&self, client: ClientAddress) -> (Quota, Result<(), Error>) {
        let now = self.clock.now();
        if let Some(until) = self.remembered(client, now) {
            return self.refusal(until.since(now));
        }
        match self.count(client, now).await {
            Ok(Count::Admitted(times)) => (self.what_is_left(&times, now), Ok(())),
            Ok(Count::Refused { until }) => {
                self.remember(client, until);
                self.refusal(until.since(now))
            }
            Err(error) => (self.not_counted(), Err(error)),
        }
    }

    /// The quota of a client whose request was not counted: none.
    #[must_use]
    pub fn not_counted(&self) -> Quota {
        self.quota(0, UNAVAILABLE_RETRY_AFTER)
    }

    async fn count(&self, client: ClientAddress, now: Timestamp) -> Result<Count, Error> {
        let window = self.rate_limit.window;
        let number = |number: i64| AttributeValue::N(number.to_string());
        let mut update = UpdateItemInput::builder()
            .table_name(self.table.name())
            .set_key(Some(Key::rate_limit(self.rate_limit.name, client).into_attributes()))
            .update_expression(&self.update)
            .condition_expression(&self.condition)
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":cutoff", number((now - window).millis()))
            .expression_attribute_values(":impossible", number((now + window).millis()))
            .expression_attribute_values(":expires", number((now + window + SWEEP_MARGIN).seconds() + 1))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        // A limit of one shifts nothing, and the table refuses a value that no expression uses.
        if self.rate_limit.limit > 1 {
            update = update.expression_attribute_values(":never", number(0));
        }
        let error = match self.table.client().call(update.build()).await {
            Ok(output) => return self.times(output.attributes.unwrap_or_default()).map(Count::Admitted),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                let times = self.times(failure.item.clone().unwrap_or_default())?;
                let oldest = times.last().ok_or_else(|| Error::defect("a refusal came without its item"))?;
                Ok(Count::Refused { until: *oldest + window })
            }
            Some(UpdateItemError::ProvisionedThroughputExceededException(throttled))
                if is_of_one_key(throttled.throttling_reasons()) =>
            {
                Ok(Count::Refused { until: now + UNAVAILABLE_RETRY_AFTER })
            }
            Some(UpdateItemError::ThrottlingException(throttled))
                if is_of_one_key(throttled.throttling_reasons()) =>
            {
                Ok(Count::Refused { until: now + UNAVAILABLE_RETRY_AFTER })
            }
            _ => Err(from_sdk_error("UpdateItem", &error)),
        }
    }

    /// The times of an item, the newest first.
    fn times(&self, attributes: HashMap<String, AttributeValue>) -> Result<Vec<Timestamp>, Error> {
        times(&Item::new(KeyKind::RateLimit, attributes), self.rate_limit.limit)
    }

    /// The next requests take the places of the oldest writes. If clocks differ, these need not have the earliest
    /// times: the first one that still counts blocks the rest.
    fn what_is_left(&self, admitted: &[Timestamp], now: Timestamp) -> Quota {
        let window = self.rate_limit.window;
        let counts = |time: &Timestamp| *time > now - window && *time <= now + window;
        let mut oldest_first = admitted.iter().rev().copied();
        let free = oldest_first.clone().take_while(|time| !counts(time)).count();
        let in_the_way = oldest_first.find(counts).unwrap_or(now);
        self.quota(u16::try_from(free).unwrap_or(u16::MAX), (in_the_way + window).since(now))
    }

    fn quota(&self, remaining: u16, reset: Duration) -> Quota {
        Quota { rate_limit: self.rate_limit, remaining, reset }
    }

    fn refusal(&self, retry_after: Duration) -> (Quota, Result<(), Error>) {
        (self.quota(0, retry_after), Err(ErrorKind::RateLimited { retry_after }.into()))
    }

    /// Until when a client is known to be refused. Forgets an expired refusal, because the client may be admitted next.
    fn remembered(&self, client: ClientAddress, now: Timestamp) -> Option<Timestamp> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let until = *refused.get(&client)?;
        if !self.is_ahead(until, now) {
            refused.remove(&client);
            return None;
        }
        Some(until)
    }

    /// Remembers a refusal. A full memory is emptied, not closed: otherwise an attacker could fill it and then flood
    /// the table with writes.
    fn remember(&self, client: ClientAddress, until: Timestamp) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MAX_REMEMBERED {
            refused.clear();
        }
        refused.insert(client, until);
    }

    /// Whether a refusal still applies. One that is too far ahead comes from a wrong clock.
    fn is_ahead(&self, until: Timestamp, now: Timestamp) -> bool {
        until > now && until <= now + self.rate_limit.window * 2
    }
}

/// Reads the times of the last admitted requests, the newest first.
pub fn times(item: &Item, limit: u16) -> Result<Vec<Timestamp>, Error> {
    let times = (1..=limit).filter_map(|n| item.number(&format!("T{n}")).transpose());
    times.map(|time| time.map(Timestamp::from_millis)).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::endpoint::Params;
    use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

    use super::super::storage::http_client;
    use super::*;
    use crate::aws::{Client, ClientSettings, Service};
    use crate::http_client::{Proxies, TrustedRoots};

    /// A table that every call fails to reach.
    fn unreachable_table() -> Table {
        let client = Client::new(ClientSettings {
            service: Service::DynamoDb,
            endpoint: Params::builder().endpoint("http://127.0.0.1:1"),
            region: None,
            credentials: SharedCredentialsProvider::new(Credentials::new("none", "none", None, None, "none")),
            http_client: http_client(TrustedRoots::mozilla(), Proxies::none()),
        });
        Table::new(client, "none")
    }

    #[test]
    fn few_refused_clients_are_remembered_and_the_last_always_is() {
        let (clock, _) = Clock::manual(Timestamp::from_millis(1_767_323_045_000));
        let rate_limit = RateLimit { name: "exists", limit: 10, window: Duration::from_mins(1) };
        let limiter = RateLimiter::new(unreachable_table(), rate_limit, clock.clone());
        let until = clock.now() + Duration::from_secs(50);
        let clients = [1, 2].map(|client: u32| ClientAddress::V4(client.into()));
        for client in clients {
            limiter.remember(client, until);
        }
        assert_eq!(clients.map(|client| limiter.remembered(client, clock.now())), [Some(until); 2]);
        for client in 0..100_000_u32 {
            let client = ClientAddress::V4(client.into());
            limiter.remember(client, until);
            assert_eq!(limiter.remembered(client, clock.now()), Some(until));
            assert!(limiter.refused.lock().unwrap().len() <= MAX_REMEMBERED);
        }
    }
}
