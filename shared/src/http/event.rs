//! API Gateway's event, payload format 2.0.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// What an endpoint needs of an HTTP API event, payload format 2.0
/// (API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs").
///
/// Read by a type of our own: the one in `lambda_http` builds a URI from what the caller sent and
/// panics where that is none, and it copies headers and parameters that nobody reads.
/// `queryStringParameters` is left out on purpose: API Gateway joins repeated parameters with
/// commas there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[serde(default)]
    pub(super) raw_query_string: String,
    #[serde(default)]
    pub(super) headers: Headers,
    pub(super) request_context: RequestContext,
    pub(super) body: Option<Zeroizing<String>>,
    #[serde(default)]
    pub(super) is_base64_encoded: bool,
}

/// The headers that are read. API Gateway sends their names in lower case and joins repeated headers with
/// commas; `sam local start-api` sends the names as the client spelled them.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) authorization: Option<String>,
    pub(super) content_type: Option<String>,
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let header = if name.eq_ignore_ascii_case("authorization") {
                &mut headers.authorization
            } else if name.eq_ignore_ascii_case("content-type") {
                &mut headers.content_type
            } else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            // Two values of one header: nobody can say which one the client meant.
            if header.is_some() {
                return Err(A::Error::custom(format_args!("duplicate header {name}")));
            }
            *header = map.next_value()?;
        }
        Ok(headers)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestContext {
    pub(super) request_id: String,
    pub(super) http: Http,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Http {
    pub(super) source_ip: String,
}
