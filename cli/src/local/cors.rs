//! Cross-origin resource sharing as in an HTTP API of API Gateway. The gateway answers preflight requests, so no
//! function sees one. It adds its headers to every other answer, errors included.

use std::sync::Arc;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue,
    ORIGIN, VARY,
};
use hyper::http::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::guard::ApiGuard;
use super::server::{Answer, empty};

/// The same as `x-amazon-apigateway-cors` of `template.yaml`; a test compares the two.
const ALLOW_METHODS: &str = "GET,POST";
const ALLOW_HEADERS: &str = "authorization,content-type";
const EXPOSE_HEADERS: &str = "retry-after,ratelimit,ratelimit-policy,www-authenticate,x-request-id";
const MAX_AGE: &str = "3600";

/// The answers to pages of other origins.
#[derive(Clone)]
pub(super) struct Cors(Arc<ApiGuard>);

impl Cors {
    /// For the pages that the guard admits.
    pub(super) fn new(guard: Arc<ApiGuard>) -> Self {
        Self(guard)
    }

    /// The answer to a preflight request; `None` for any other request.
    pub(super) fn preflight(&self, head: &Parts) -> Option<Answer> {
        let asks =
            head.headers.contains_key(ORIGIN) && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if head.method != Method::OPTIONS || !asks {
            return None;
        }
        let mut answer = empty(StatusCode::NO_CONTENT);
        if self.add_to(&head.headers, answer.headers_mut()) {
            for (name, value) in [
                (ACCESS_CONTROL_ALLOW_METHODS, ALLOW_METHODS),
                (ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS),
                (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            ] {
                answer.headers_mut().insert(name, HeaderValue::from_static(value));
            }
        }
        Some(answer)
    }

    /// Adds the headers that let the requesting page read the answer. Returns whether there is such a page.
    pub(super) fn add_to(&self, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
        answer.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = request.get(ORIGIN) else { return false };
        let parsed = origin.to_str().ok().and_then(|origin| origin.parse().ok());
        if !parsed.is_some_and(|origin| self.0.admits_origin(&origin)) {
            return false;
        }
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSE_HEADERS));
        true
    }
}
