//! An HTTP server in API Gateway's place: each request becomes a payload-2.0 event for the handler
//! of its route, and the handler's answer becomes the HTTP answer. The console answers beside it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use shared::function;
use shared::http::Event;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Function;
use super::console::Console;

/// The largest body that API Gateway takes ("Quotas for HTTP APIs").
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// How long a client may take to send the head of a request, and again its body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The time-out of the functions in `template.yaml`.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `stopped` turns true, then until every request in flight has its answer.
pub(super) async fn serve(
    listener: TcpListener,
    functions: Arc<[Function]>,
    console: Arc<Console>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(READ_TIMEOUT);
    let connections = GracefulShutdown::new();
    let stop = async move {
        let _ = stopped.wait_for(|&stopped| stopped).await;
    };
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // Out of file handles, say: what frees one is a connection that ends.
                Err(error) => {
                    tracing::warn!("a connection was not accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let (functions, console) = (functions.clone(), console.clone());
        let answer = service_fn(move |request| {
            let (functions, console) = (functions.clone(), console.clone());
            async move { Ok::<_, Infallible>(answer(&functions, &console, peer.ip(), request).await) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), answer);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            // A client that went away is its own affair.
            let _ = connection.await;
        });
    }
    drop(listener);
    connections.shutdown().await;
}

async fn answer(
    functions: &[Function],
    console: &Console,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    match console.answer(&head, peer).await {
        Some(answer) => answer,
        None => console.requests.watch(&head, answer_of_the_api(functions, peer, &head, body)).await,
    }
}

async fn answer_of_the_api(
    functions: &[Function],
    peer: IpAddr,
    head: &Parts,
    body: Incoming,
) -> Response<Full<Bytes>> {
    let route = functions.iter().find(|Function { endpoint, .. }| {
        endpoint.path == head.uri.path() && endpoint.method == head.method.as_str()
    });
    let Some(Function { endpoint, app }) = route else {
        return gateway_message(StatusCode::NOT_FOUND, "Not Found");
    };

    let body = match tokio::time::timeout(READ_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return gateway_message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }
        _ => return gateway_message(StatusCode::BAD_REQUEST, "Bad Request"),
    };
    let event = event(head, &body, peer, &format!("{} {}", endpoint.method, endpoint.path));
    let Ok(event) = serde_json::from_value::<Event>(event) else {
        return gateway_message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    };
    into_http(&function::respond(*endpoint, app, event.into(), FUNCTION_TIMEOUT).await)
}

fn into_http(answer: &shared::http::Response) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(*name, value);
    }
    response
        .body(Full::from(answer.body().to_owned()))
        .unwrap_or_else(|_| gateway_message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
}

/// An answer of API Gateway's own.
fn gateway_message(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The event of a request, in full (API Gateway Developer Guide, "Create AWS Lambda proxy
/// integrations for HTTP APIs", payload format 2.0).
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

/// The media types whose bodies API Gateway hands over as they are.
fn is_text(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    media_type.starts_with("text/") || media_type == "application/json" || media_type.ends_with("+json")
}

/// An id in the form of API Gateway's.
fn request_id() -> String {
    let random: [u8; 11] =
        ring::rand::generate(&ring::rand::SystemRandom::new()).map_or([0; 11], ring::rand::Random::expose);
    BASE64.encode(random)
}
