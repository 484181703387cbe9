//! The console: a reference in which one can try the API, and pages about the table. Only the local system has it. It
//! answers only this machine, and changes nothing.

mod answer;
mod layout;
mod message;
mod organizations;
mod rate_limits;
mod reading;
mod reference;
mod requests;
mod search;
mod users;

use std::net::IpAddr;
use std::sync::Arc;

use hyper::Method;
use hyper::http::request::Parts;
use operator::table::OperatorTable;
use shared::clock::{Clock, Timestamp};
use shared::model::RateLimit;
use shared::table::timestamp_to_text;

pub(super) use requests::{RequestLog, note_call};

use super::SigningKey;
use super::guard;
use answer::{HttpAnswer, Refusal};

/// The console of a local system.
pub(super) struct Console {
    pub(super) table: OperatorTable,
    pub(super) signing_key: Arc<SigningKey>,
    pub(super) clock: Clock,
    /// The limit of the public endpoint.
    pub(super) exists_limit: RateLimit,
    /// The last requests to the API.
    pub(super) requests: RequestLog,
}

/// The parameters of a page.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(head: &Parts) -> Self {
        let pairs = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// A parameter that is given and not empty.
    fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// An optional parameter that must be valid.
    fn parsed<T: std::str::FromStr<Err = shared::model::Invalid>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Refusal> {
        let parsed = self.text(name).map(str::parse).transpose();
        parsed.map_err(|why| Refusal::Invalid(format!("`{name}` {why}.")))
    }

    /// A required parameter.
    fn required<T: std::str::FromStr<Err = shared::model::Invalid>>(
        &self,
        name: &'static str,
    ) -> Result<T, Refusal> {
        self.parsed(name)?.ok_or_else(|| Refusal::Invalid(format!("`{name}` is missing.")))
    }
}

impl Console {
    /// Answers a request for the console. `None` if it is for something else.
    pub(super) async fn answer(&self, head: &Parts, peer: IpAddr) -> Option<HttpAnswer> {
        let path = head.uri.path();
        if head.method != Method::GET || !(path == "/" || path.starts_with("/console/")) {
            return None;
        }
        if let Err(refused) = guard::check_private(head, peer) {
            return Some(answer::forbidden(refused.message()));
        }
        if let Some(asset) = answer::asset(path) {
            return Some(asset);
        }
        let query = Query::of(head);
        let page = match path {
            "/" => reference::page(self, head),
            layout::ORGANIZATIONS => organizations::list(self, &query).await,
            layout::ORGANIZATION => organizations::one(self, &query).await,
            layout::USERS => users::list(self, &query).await,
            layout::USER => users::one(self, &query).await,
            layout::RATE_LIMITS => rate_limits::list(self, &query).await,
            layout::REQUESTS => self.requests.page(),
            layout::SEARCH => search::find(self, &query).await,
            _ => Err(Refusal::NotFound("There is no such page.".to_owned())),
        };
        Some(page.unwrap_or_else(message::page))
    }
}

/// A time as people read it, in UTC.
fn utc(time: Timestamp) -> String {
    let second = Timestamp::from_millis(time.seconds() * 1000);
    timestamp_to_text(second).unwrap_or_default().replace('T', " ").replace('Z', " UTC")
}
