//! What stands before `lambda_http`: reads an event, and makes harmless what `lambda_http` would panic on.
//!
//! `lambda_http` builds a URI from the query, the path, `Host` and `X-Forwarded-Proto`, and decodes a base64
//! body. A caller can write any of these, and it panics on a URI that is none or on bad base64. So the door
//! takes them out of the event, and puts the query and the body back once there is a request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use lambda_http::request::LambdaRequest;
use lambda_http::tower::ServiceExt as _;
use lambda_http::tower::util::BoxService;
use lambda_http::{Adapter, Body, LambdaEvent, Service};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::http::{NotBase64, RawQuery, Response};

/// The longest path that is kept. `lambda_http` panics if a URI has more than 65,534 bytes.
const MAX_PATH_BYTES: usize = 8 * 1024;

/// What Lambda hands to a function: an HTTP request of an HTTP API, a function URL or a REST API; or anything
/// else, such as a scheduled warm-up.
pub struct Event(Option<Box<LambdaRequest>>);

/// What a function hands to Lambda.
///
/// An event that is no HTTP request has an answer of one member, `message`.
pub struct Answer(Option<LambdaResponse>);

/// `lambda_http` does not export the type's name.
type LambdaResponse =
    <Adapter<'static, Response, BoxService<lambda_http::Request, Response, Infallible>> as Service<
        LambdaEvent<LambdaRequest>,
    >>::Response;

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(read(json).map(Box::new)))
    }
}

fn read(json: &str) -> Option<LambdaRequest> {
    if let Ok(event) = serde_json::from_str(json) {
        return Some(LambdaRequest::ApiGatewayV2(event));
    }
    if let Ok(event) = serde_json::from_str(json) {
        return Some(LambdaRequest::ApiGatewayV1(event));
    }
    read_leniently(serde_json::from_str(json).ok()?)
}

/// Reads the members that count, for an event that `lambda_http` refuses as a whole because of one member: a
/// `null`, say, or a header with a control character.
fn read_leniently(mut event: Value) -> Option<LambdaRequest> {
    let context = event.get_mut("requestContext")?.take();
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let body = match event.get_mut("body").map(Value::take) {
        Some(Value::String(body)) => Some(body),
        _ => None,
    };
    let is_base64_encoded = *member(&event, "isBase64Encoded") == true;
    let headers = headers(member(&event, "headers"));
    if let Some(http) = context.get("http").filter(|http| http.is_object()) {
        let mut request = ApiGatewayV2httpRequest::default();
        request.request_context.request_id = text(member(&context, "requestId"));
        request.request_context.http.source_ip = text(member(http, "sourceIp"));
        request.raw_query_string = text(member(&event, "rawQueryString"));
        request.headers = headers;
        request.body = body;
        request.is_base64_encoded = is_base64_encoded;
        return Some(LambdaRequest::ApiGatewayV2(request));
    }
    let identity = context.get("identity").filter(|identity| identity.is_object())?;
    event.get("httpMethod")?.as_str()?;
    let mut request = ApiGatewayProxyRequest::default();
    request.request_context.request_id = text(member(&context, "requestId"));
    request.request_context.identity.source_ip = text(member(identity, "sourceIp"));
    request.query_string_parameters = parameters(member(&event, "queryStringParameters"));
    request.multi_value_query_string_parameters =
        parameters(member(&event, "multiValueQueryStringParameters"));
    request.headers = headers;
    request.multi_value_headers = self::headers(member(&event, "multiValueHeaders"));
    request.body = body;
    request.is_base64_encoded = is_base64_encoded;
    Some(LambdaRequest::ApiGatewayV1(request))
}

/// A member of an object; `null` if there is none.
fn member<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// The texts of a member: one, or a list of them.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_str)
}

/// A character that no header can hold becomes a question mark: the header is there, and wrong.
fn headers(members: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in members.as_object().into_iter().flatten() {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        for text in texts(value) {
            let text = text.replace(|c: char| c.is_ascii_control() && c != '\t', "?");
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.append(&name, value);
            }
        }
    }
    headers
}

fn parameters(members: &Value) -> QueryMap {
    let mut parameters = HashMap::<String, Vec<String>>::new();
    for (name, value) in members.as_object().into_iter().flatten() {
        parameters.insert(name.clone(), texts(value).map(ToOwned::to_owned).collect());
    }
    parameters.into()
}

/// What the door keeps out of `lambda_http`'s sight.
struct Kept {
    query: String,
    body: Option<String>,
    is_base64_encoded: bool,
}

impl Kept {
    /// Takes out of an event what is not safe in `lambda_http`.
    fn take(event: &mut LambdaRequest) -> Self {
        match event {
            LambdaRequest::ApiGatewayV2(event) => {
                remove_host(&mut event.headers, &mut event.request_context.domain_name);
                remove_odd_path(&mut event.raw_path, &mut event.request_context.stage);
                Self {
                    query: event.raw_query_string.take().unwrap_or_default(),
                    body: event.body.take(),
                    is_base64_encoded: take(&mut event.is_base64_encoded),
                }
            }
            LambdaRequest::ApiGatewayV1(event) => {
                remove_host(&mut event.headers, &mut event.request_context.domain_name);
                remove_odd_path(&mut event.path, &mut event.request_context.stage);
                // `headers` has the last line alone of a header that was sent twice.
                if !event.multi_value_headers.is_empty() {
                    event.headers.clear();
                }
                let (one, all) = (
                    take(&mut event.query_string_parameters),
                    take(&mut event.multi_value_query_string_parameters),
                );
                Self {
                    query: encoded(if all.is_empty() { &one } else { &all }),
                    body: event.body.take(),
                    is_base64_encoded: take(&mut event.is_base64_encoded),
                }
            }
            _ => Self { query: String::new(), body: None, is_base64_encoded: false },
        }
    }

    /// Gives a request what its event had.
    fn put_into(self, request: &mut lambda_http::Request) {
        request.extensions_mut().insert(RawQuery(self.query));
        let Some(body) = self.body else { return };
        if !self.is_base64_encoded {
            *request.body_mut() = Body::Text(body);
            return;
        }
        let body = Zeroizing::new(body);
        match STANDARD.decode(body.as_str()) {
            Ok(bytes) => *request.body_mut() = Body::Binary(bytes),
            Err(_) => {
                request.extensions_mut().insert(NotBase64 { length: body.len() });
            }
        }
    }
}

/// Nobody here reads what makes the first half of the URI.
fn remove_host(headers: &mut HeaderMap, domain_name: &mut Option<String>) {
    headers.remove(HOST);
    headers.remove("x-forwarded-proto");
    *domain_name = None;
}

/// Nobody here reads the path and the stage before it: API Gateway has chosen the function by them.
fn remove_odd_path(path: &mut Option<String>, stage: &mut Option<String>) {
    let is_plain = |path: &str| {
        path.starts_with('/')
            && path.len() <= MAX_PATH_BYTES
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~$%".contains(&byte))
    };
    if !path.as_deref().is_some_and(is_plain) {
        *path = Some("/".to_owned());
    }
    *stage = None;
}

/// A REST API gives the parameters decoded.
fn encoded(parameters: &QueryMap) -> String {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The layer in front of `lambda_http`'s [`Adapter`]. The service behind it answers HTTP requests.
#[derive(Clone)]
pub struct Door<S> {
    service: S,
}

impl<S> Door<S> {
    /// The door to a service.
    pub fn new(service: S) -> Self {
        Self { service }
    }
}

impl<S> Service<LambdaEvent<Event>> for Door<S>
where
    S: Service<lambda_http::Request, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, event: LambdaEvent<Event>) -> Self::Future {
        let LambdaEvent { payload: Event(event), context } = event;
        let Some(mut event) = event else {
            tracing::info!(request_id = context.request_id, "not an HTTP request, ignored");
            return Box::pin(ready(Ok(Answer(None))));
        };
        let mut kept = Some(Kept::take(&mut event));
        let service = self.service.clone().map_request(move |mut request: lambda_http::Request| {
            if let Some(kept) = kept.take() {
                kept.put_into(&mut request);
            }
            request
        });
        let answer = Adapter::from(service).call(LambdaEvent::new(*event, context));
        Box::pin(async move { answer.await.map(|answer| Answer(Some(answer))) })
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self(Some(answer)) = self {
            return answer.serialize(serializer);
        }
        let mut ignored = serializer.serialize_map(Some(1))?;
        ignored.serialize_entry("message", "Not an HTTP request: nothing was done.")?;
        ignored.end()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt as _;
    use lambda_http::{Context, service_fn};

    use super::*;

    /// What a function hands to Lambda for a response, to an event of a payload format.
    pub(crate) fn answer(response: Response, format: &str) -> Answer {
        let event = match format {
            "2.0" => r#"{"requestContext":{"http":{"method":"GET"}}}"#,
            _ => r#"{"httpMethod":"GET","requestContext":{"httpMethod":"GET","identity":{}}}"#,
        };
        let response = std::sync::Arc::new(Mutex::new(Some(response)));
        let service = service_fn(move |_| {
            let response = response.lock().unwrap().take().unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        let event = LambdaEvent::new(serde_json::from_str(event).unwrap(), Context::default());
        Door::new(service).call(event).now_or_never().unwrap().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_base64_body_is_wiped_once_it_is_decoded() {
        let text = "a text that somebody sent, long enough to be seen in memory ".repeat(3);
        let body = STANDARD.encode(&text);
        let place = crate::memory::Place::of(&body);
        let mut request = lambda_http::Request::default();
        Kept { query: String::new(), body: Some(body), is_base64_encoded: true }.put_into(&mut request);
        assert_eq!(request.body().as_ref(), text.as_bytes());
        assert!(!place.is_left());
    }
}
