//! An HTTP server in API Gateway's place. Each request becomes a payload-2.0 event for the handler of its route, and
//! the handler's answer becomes the HTTP answer. It also serves the console and the documents.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use shared::telemetry::Answering;
use tokio::sync::watch;

use super::console::Console;
use super::cors::Cors;
use super::documents::Documents;
use super::guard::ApiGuard;
use super::server::{self, Answer, Listeners, read_body};
use super::{Function, invoke};

/// The largest body that API Gateway accepts ("Quotas for HTTP APIs").
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// How long a client may take to send the head of its next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The time-out of the functions in `template.yaml`.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that answers at the API's address.
pub(super) struct Gateway {
    pub(super) guard: Arc<ApiGuard>,
    /// `None` to answer as an HTTP API without CORS does.
    pub(super) cors: Option<Cors>,
    pub(super) functions: Arc<[Function]>,
    pub(super) console: Console,
    pub(super) documents: Documents,
}

impl Gateway {
    /// Serves until `stopped` becomes true, then until every request in flight has its answer.
    pub(super) async fn serve(self, listeners: Listeners, stopped: watch::Receiver<bool>) {
        let gateway = Arc::new(self);
        let service = move |peer, request| {
            let gateway = gateway.clone();
            async move { gateway.answer(peer, request).await }
        };
        listeners.serve(Arc::new(service), HEAD_TIMEOUT, stopped).await;
    }

    async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let _answering = Answering::begin();
        if let Some(answer) = self.console.answer(&head, peer).await {
            return answer;
        }
        if let Err(refused) = self.guard.check(&head, peer) {
            return gateway_message(StatusCode::FORBIDDEN, refused.message());
        }
        if let Some(preflight) = self.cors.as_ref().and_then(|cors| cors.preflight(&head)) {
            return preflight;
        }
        let mut answer = match self.documents.answer(&head).await {
            Some(answer) => answer,
            None => {
                self.console.requests.watch(&head, call_function(&self.functions, peer, &head, body)).await
            }
        };
        if let Some(cors) = &self.cors {
            cors.add_to(&head.headers, answer.headers_mut());
        }
        answer
    }
}

async fn call_function(functions: &[Function], peer: IpAddr, head: &Parts, body: Incoming) -> Answer {
    let route = functions.iter().find(|Function { endpoint, .. }| {
        endpoint.path == head.uri.path() && endpoint.method == head.method.as_str()
    });
    let Some(Function { endpoint, app }) = route else {
        return gateway_message(StatusCode::NOT_FOUND, "Not Found");
    };

    let body = match read_body(body, MAX_BODY_BYTES).await {
        Ok(body) => body,
        Err(StatusCode::PAYLOAD_TOO_LARGE) => {
            return gateway_message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }
        Err(status) => return gateway_message(status, "Bad Request"),
    };
    let event = event(head, &body, peer, &format!("{} {}", endpoint.method, endpoint.path));
    into_http(&invoke(*endpoint, app, &event, FUNCTION_TIMEOUT).await)
}

/// The HTTP answer that API Gateway makes of a function's.
fn into_http(answer: &Value) -> Answer {
    let status =
        answer.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let mut response = Response::builder().status(status.unwrap_or(500));
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    response
        .body(Full::from(body.to_owned()))
        .unwrap_or_else(|_| gateway_message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
}

/// An answer of API Gateway's own.
fn gateway_message(status: StatusCode, message: &str) -> Answer {
    server::answer(status, "application/json", json!({ "message": message }).to_string())
}

/// The complete event of a request (API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs",
/// payload format 2.0).
fn event(head: &Parts, body: &Bytes, source_ip: IpAddr, route_key: &str) -> Value {
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or(""));
    let mut headers = BTreeMap::<&str, String>::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    let text = is_text(headers.get("content-type").map_or("", String::as_str));
    let (body, is_base64_encoded) = match std::str::from_utf8(body) {
        _ if body.is_empty() => (Value::Null, false),
        Ok(body) if text => (json!(body), false),
        _ => (json!(BASE64.encode(body)), true),
    };
    json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "local",
            "domainPrefix": "local",
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip.to_string(),
                "userAgent": headers.get("user-agent"),
            },
            "requestId": request_id(),
            "routeKey": route_key,
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}

/// The media types whose bodies API Gateway does not encode in base64.
fn is_text(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    media_type.starts_with("text/") || media_type == "application/json" || media_type.ends_with("+json")
}

/// An id in the form that API Gateway uses.
fn request_id() -> String {
    let random: [u8; 11] =
        ring::rand::generate(&ring::rand::SystemRandom::new()).map_or([0; 11], ring::rand::Random::expose);
    BASE64.encode(random)
}
