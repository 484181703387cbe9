//! An answer, as API Gateway takes it.

use std::fmt;
use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct, Serializer};

use crate::error::{Error, ErrorKind};
use crate::model::{ByteBudget, Quota, RateLimit};

/// The largest answer, in bytes of the JSON that a function hands to Lambda ("Lambda quotas", invocation
/// payload, synchronous: 6 MB; the exact figure is that of Lambda's `Function.ResponseSizeTooLarge`).
const MAX_ANSWER_BYTES: usize = 6_291_556;
/// The least that a list's item takes of an answer besides its texts: names and punctuation.
const MIN_JSON_OVERHEAD_BYTES: usize = 50;

/// What the list of an answer may take. A longer one fits no answer.
pub const LIST_BUDGET: ByteBudget =
    ByteBudget { bytes: MAX_ANSWER_BYTES, bytes_per_item: MIN_JSON_OVERHEAD_BYTES };

/// An answer in payload format 2.0. Serializes as API Gateway takes it.
pub struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    /// 200 with a JSON body.
    pub fn ok(body: &impl Serialize) -> Result<Self, Error> {
        Self::json(200, body)
    }

    /// 201 with a JSON body.
    pub fn created(body: &impl Serialize) -> Result<Self, Error> {
        Self::json(201, body)
    }

    fn json(status: u16, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_string(body);
        let body = body.map_err(|error| Error::defect(format!("an answer did not serialize: {error}")))?;
        Ok(Self::new(status, "application/json", body))
    }

    pub(super) fn new(status: u16, content_type: &str, body: String) -> Self {
        let headers = vec![
            ("Content-Type", content_type.to_owned()),
            ("Cache-Control", "no-store".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
        ];
        Self { status, headers, body }
    }

    /// The answer to one request: that request's id added.
    pub(crate) fn for_request(mut self, id: &str) -> Self {
        self.set_header("X-Request-Id", id.to_owned());
        self
    }

    /// The answer, if Lambda takes one of its size; of a larger one it would make a failure of its own.
    pub(crate) fn if_it_fits(self) -> Result<Self, Error> {
        // An escape makes at most six bytes of one. The headers have far less than the rest.
        if self.body.len() < MAX_ANSWER_BYTES / 7 {
            return Ok(self);
        }
        let mut size = ByteCount(0);
        let counted = serde_json::to_writer(&mut size, &self);
        counted.map_err(|error| Error::defect(format!("an answer did not serialize: {error}")))?;
        let ByteCount(size) = size;
        if size > MAX_ANSWER_BYTES {
            let log = format!("an answer of {size} bytes, where Lambda takes {MAX_ANSWER_BYTES}");
            return Err(Error::from(ErrorKind::AnswerTooLarge).logging(log));
        }
        Ok(self)
    }

    pub(super) fn set_header(&mut self, name: &'static str, value: String) {
        self.headers.push((name, value));
    }

    /// Adds what is left of the client's quota
    /// (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4).
    #[must_use]
    pub fn with_quota(mut self, quota: &Quota) -> Self {
        let RateLimit { name, limit, window } = quota.rate_limit;
        let (remaining, reset) = (quota.remaining, whole_seconds(quota.reset));
        self.set_header("RateLimit-Policy", format!("\"{name}\";q={limit};w={}", window.as_secs()));
        self.set_header("RateLimit", format!("\"{name}\";r={remaining};t={reset}"));
        self
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The header fields.
    #[must_use]
    #[allow(dead_code, reason = "the local gateway answers with them")]
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The body.
    #[must_use]
    #[allow(dead_code, reason = "the local gateway answers with it")]
    pub fn body(&self) -> &str {
        &self.body
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
        write!(f, "Response({})", self.status)
    }
}

/// Seconds as headers give them: rounded up, so that who waits that long has waited long enough.
pub(super) fn whole_seconds(duration: std::time::Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_struct("Response", 4)?;
        answer.serialize_field("statusCode", &self.status)?;
        answer.serialize_field("headers", &HeaderMap(&self.headers))?;
        answer.serialize_field("body", &self.body)?;
        answer.serialize_field("isBase64Encoded", &false)?;
        answer.end()
    }
}

struct HeaderMap<'a>(&'a [(&'static str, String)]);

impl Serialize for HeaderMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

    use super::*;

    #[test]
    fn an_answer_is_as_large_as_lambda_takes_it_to_the_byte_and_no_larger() {
        // A quotation mark of a text is two bytes of the body and four of what Lambda gets.
        for text in ["x", "\"", "ä", "\u{1}"] {
            let answer = |count: usize, rest: usize| {
                let body = text.repeat(count) + &"x".repeat(rest);
                Response::ok(&body).unwrap().for_request("r")
            };
            let size = |answer: &Response| serde_json::to_vec(answer).unwrap().len();
            let (none, one) = (size(&answer(0, 0)), size(&answer(1, 0)));
            let room = MAX_ANSWER_BYTES - none;
            let (count, rest) = (room / (one - none), room % (one - none));
            let largest = answer(count, rest);
            assert_eq!(size(&largest), MAX_ANSWER_BYTES);
            assert!(largest.if_it_fits().is_ok());
            let error = answer(count, rest + 1).if_it_fits().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::AnswerTooLarge));
            assert_eq!(error.log(), Some("an answer of 6291557 bytes, where Lambda takes 6291556"));
        }
    }
}
