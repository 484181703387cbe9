//! An answer, as `lambda_http` takes it.

use std::fmt;
use std::future::ready;
use std::io;
use std::pin::Pin;

use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use lambda_http::http::{self, StatusCode};
use lambda_http::{Body, IntoResponse};
use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::model::{ByteBudget, Quota, RateLimit, UserId};

/// The largest answer, in bytes of the JSON that a function hands to Lambda ("Lambda quotas", invocation
/// payload, synchronous: 6 MB; the exact figure is that of Lambda's `Function.ResponseSizeTooLarge`).
const MAX_ANSWER_BYTES: usize = 6_291_556;
/// The least that a list's item takes of an answer besides its texts: names and punctuation.
const MIN_JSON_OVERHEAD_BYTES: usize = 50;

/// What the list of an answer may take. A longer one fits no answer.
pub const LIST_BUDGET: ByteBudget =
    ByteBudget { bytes: MAX_ANSWER_BYTES, bytes_per_item: MIN_JSON_OVERHEAD_BYTES };

const X_CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What the names of an answer's members take at most, in bytes of JSON.
const MAX_MEMBER_NAMES_BYTES: usize = 128;
/// What JSON takes at most beside a header's name and value: quotation marks, brackets, colon and comma.
const JSON_BYTES_PER_HEADER: usize = 8;

/// An answer.
pub struct Response {
    status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    affected_user_id: Option<UserId>,
}

impl Response {
    /// 200 with a JSON body.
    pub fn ok(body: &impl Serialize) -> Result<Self, Error> {
        Self::json(StatusCode::OK, body)
    }

    /// 201 with a JSON body.
    pub fn created(body: &impl Serialize) -> Result<Self, Error> {
        Self::json(StatusCode::CREATED, body)
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_string(body);
        let body = body.map_err(|error| Error::defect(format!("an answer did not serialize: {error}")))?;
        Ok(Self::new(status, "application/json", body))
    }

    pub(super) fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Self { status, headers, body, affected_user_id: None }
    }

    /// The answer to one request: that request's id added.
    pub(crate) fn for_request(mut self, id: &str) -> Self {
        self.set_header(X_REQUEST_ID, id);
        self
    }

    /// The answer, if Lambda takes an answer of its size. Lambda replaces a larger one with its own error.
    pub(crate) fn check_size(self) -> Result<Self, Error> {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + JSON_BYTES_PER_HEADER);
        let max_body_bytes = MAX_ANSWER_BYTES - MAX_MEMBER_NAMES_BYTES - headers.sum::<usize>();
        // Escaping makes at most six bytes of one.
        if self.body.len() <= max_body_bytes / 6 {
            return Ok(self);
        }
        let mut size = ByteCount(0);
        let counted = serde_json::to_writer(&mut size, &self.body);
        counted.map_err(|error| Error::defect(format!("an answer did not serialize: {error}")))?;
        let ByteCount(size) = size;
        if size > max_body_bytes {
            let log = format!("a body of {size} bytes, where Lambda takes {max_body_bytes}");
            return Err(Error::from(ErrorKind::AnswerTooLarge).logging(log));
        }
        Ok(self)
    }

    /// Sets a header. A value that no header can hold is left out.
    pub(super) fn set_header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// Adds what is left of the client's quota
    /// (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4).
    #[must_use]
    pub fn with_quota(mut self, quota: &Quota) -> Self {
        let RateLimit { name, limit, window } = quota.rate_limit;
        let (remaining, reset) = (quota.remaining, whole_seconds(quota.reset));
        self.set_header(RATE_LIMIT_POLICY, &format!("\"{name}\";q={limit};w={}", window.as_secs()));
        self.set_header(RATE_LIMIT, &format!("\"{name}\";r={remaining};t={reset}"));
        self
    }

    /// Names the user whom the request created, or added to an organization. Only the log says it.
    #[must_use]
    pub fn affecting(self, user: &UserId) -> Self {
        Self { affected_user_id: Some(user.clone()), ..self }
    }

    /// The user whom the request created or added.
    pub(crate) fn affected_user_id(&self) -> Option<&UserId> {
        self.affected_user_id.as_ref()
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }
}

/// Counts what is written to it.
struct ByteCount(usize);

impl io::Write for ByteCount {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body may be a user's, so it is not shown.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status())
    }
}

/// Seconds as headers give them: rounded up, so that a client that waits that long has waited long enough.
pub(super) fn whole_seconds(duration: std::time::Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// The body is text already. `lambda_http`'s own conversion of a response would decode and copy it.
impl IntoResponse for Response {
    fn into_response(self) -> Pin<Box<dyn Future<Output = http::Response<Body>> + Send>> {
        let mut response = http::Response::new(Body::Text(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Box::pin(ready(response))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

    use std::time::Duration;

    use super::*;

    /// What Lambda gets of an answer with all headers that an answer can have.
    fn size(response: Response, origin: &str) -> usize {
        serde_json::to_vec(&crate::door::tests::answer(response, origin)).unwrap().len()
    }

    #[test]
    fn the_largest_answer_is_one_that_lambda_takes() {
        let rate_limit = RateLimit { name: "exists", limit: 10, window: Duration::from_mins(1) };
        let quota = Quota { rate_limit, remaining: 9, reset: Duration::from_mins(1) };
        for text in ["x", "\"", "ä", "\u{1}"] {
            let answer = |count: usize, rest: usize| {
                let body = text.repeat(count) + &"x".repeat(rest);
                Response::ok(&body).unwrap().for_request("r").with_quota(&quota)
            };
            let escaped = |answer: &Response| serde_json::to_vec(&answer.body).unwrap().len();
            let (none, one) = (escaped(&answer(0, 0)), escaped(&answer(1, 0)));
            let fits = |bytes: usize| {
                let room = bytes - none;
                answer(room / (one - none), room % (one - none)).check_size()
            };
            let too_large = fits(MAX_ANSWER_BYTES).unwrap_err();
            let taken: usize = too_large.log().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
            for origin in ["2.0", "1.0"] {
                let size = size(fits(taken).unwrap(), origin);
                assert!((MAX_ANSWER_BYTES - 200..=MAX_ANSWER_BYTES).contains(&size), "{size}");
            }
            assert!(matches!(fits(taken + 1).unwrap_err().kind(), ErrorKind::AnswerTooLarge));
        }
    }
}
