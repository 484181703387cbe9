//! API Gateway's event, payload format 2.0.

use serde::Deserialize;
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

/// API Gateway gives header names in lower case and joins repeated headers with commas.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Headers {
    pub(super) authorization: Option<String>,
    pub(super) content_type: Option<String>,
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
