//! An answer, as API Gateway takes it.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct, Serializer};

use crate::error::Error;
use crate::model::{Quota, RateLimit};

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
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
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
