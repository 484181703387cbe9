//! Events straight to a function: no HTTP, no API Gateway, any client address.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use shared::{App, Endpoint};
use users::local::ENDPOINTS;

use super::Answer;
use crate::endpoints::contract::{Sent, assert_kept};
use crate::security::log::Watch;

/// The endpoint of a method and a path, such as `GET /api/users/exists`.
pub fn endpoint(route: &str) -> Endpoint {
    let mut endpoints = ENDPOINTS.into_iter();
    endpoints
        .find(|endpoint| format!("{} {}", endpoint.method, endpoint.path) == route)
        .unwrap_or_else(|| panic!("there is no {route}"))
}

/// A function's invocation in the making: no HTTP, no API Gateway, any client address.
#[must_use]
pub struct Invocation {
    endpoint: Endpoint,
    event: Value,
    time_left: Duration,
}

/// The request id of every [`Invocation`].
pub const REQUEST_ID: &str = "acceptance-1";

impl Invocation {
    pub fn of(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            event: json!({
                "version": "2.0",
                "rawQueryString": "",
                "headers": {},
                "rawPath": endpoint.path,
                "requestContext": {
                    "requestId": REQUEST_ID,
                    "http": { "method": endpoint.method, "path": endpoint.path, "sourceIp": "203.0.113.7" },
                },
                "isBase64Encoded": false,
            }),
            time_left: Duration::from_secs(10),
        }
    }

    pub fn at_address(mut self, source_ip: &str) -> Self {
        self.event["requestContext"]["http"]["sourceIp"] = source_ip.into();
        self
    }

    pub fn query(mut self, raw: &str) -> Self {
        self.event["rawQueryString"] = raw.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.event["headers"][name] = value.into();
        self
    }

    pub fn bearer(self, authorization: &str) -> Self {
        self.header("authorization", authorization)
    }

    /// A JSON body.
    pub fn body(mut self, body: &str) -> Self {
        self.event["body"] = body.into();
        self.header("content-type", "application/json")
    }

    pub fn base64_body(mut self, body: &str) -> Self {
        self.event["isBase64Encoded"] = true.into();
        self.body(body)
    }

    /// Any part of the event.
    pub fn part(mut self, name: &str, value: Value) -> Self {
        self.event[name] = value;
        self
    }

    pub fn time_left(mut self, time_left: Duration) -> Self {
        self.time_left = time_left;
        self
    }

    pub async fn answer(self, app: &Arc<App>) -> Answer {
        respond(self.endpoint, app, self.event, self.time_left).await
    }
}

/// What a function answers to an event, held against the contract.
pub async fn respond(endpoint: Endpoint, app: &Arc<App>, event: Value, time_left: Duration) -> Answer {
    Answer::of(&respond_in_json(endpoint, app, event, time_left).await)
}

/// The same, as Lambda gets it.
pub async fn respond_in_json(endpoint: Endpoint, app: &Arc<App>, event: Value, time_left: Duration) -> Value {
    let _log = Watch::start();
    let response = answer_to(endpoint, app, &event, time_left).await;
    let body = event["body"].as_str().unwrap_or_default();
    let body = match event["isBase64Encoded"].as_bool() {
        Some(true) => BASE64.decode(body).unwrap_or_default(),
        _ => body.into(),
    };
    let headers = event["headers"].as_object();
    let header = |name: &str| {
        let (_, value) = headers?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        value.as_str()
    };
    let sent = Sent {
        query: event["rawQueryString"].as_str().unwrap_or_default(),
        authorization: header("authorization"),
        content_type: header("content-type"),
        body: &body,
    };
    assert_kept(endpoint.method, endpoint.path, &sent, &Answer::of(&response));
    response
}

async fn answer_to(endpoint: Endpoint, app: &Arc<App>, event: &Value, time_left: Duration) -> Value {
    #[cfg(feature = "older")]
    if let Some(answer) = super::older::answer(endpoint, app, event, time_left).await {
        return answer;
    }
    users::local::invoke(endpoint, app, event, time_left).await
}
