//! The work of the functions, written by hand for its one case: `lambda_http`, hyper, rustls and *ring*, a signing key
//! that is kept, one verification of a token and one log line a request. It leaves out what makes a service of it:
//! retries, time-outs, answers to wrong requests, other algorithms, other claims, other endpoints of AWS.
//!
//! `WORK` names the function.

mod table;
mod tokens;
mod work;

use std::io::Write as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, Request, RequestExt as _, Response, service_fn};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::table::{Attribute, Table};
use crate::tokens::Tokens;
use crate::work::{Answer, Work};

/// The key set that the table holds.
#[derive(Deserialize)]
struct SigningKeys<'a> {
    #[serde(borrow, rename = "Item")]
    item: SigningKeysItem<'a>,
}

#[derive(Deserialize)]
struct SigningKeysItem<'a> {
    #[serde(borrow, rename = "Jwks")]
    jwks: Attribute<'a>,
}

async fn signing_keys(table: &mut Table) -> Result<Tokens, Error> {
    let key = r#"{"PK":{"S":"SIGNING_KEYS"},"SK":{"S":"SIGNING_KEYS"}}"#;
    let call = format!(r#"{{"TableName":"{}","Key":{key},"ConsistentRead":true}}"#, table.name());
    let answer = table.call("GetItem", call).await?;
    Tokens::new(serde_json::from_slice::<SigningKeys>(&answer)?.item.jwks.as_str())
}

/// The time, in milliseconds since 1970.
pub(crate) fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The outcome as one line of JSON, with its metrics in the Embedded Metric Format, as the functions log it.
fn log(function: &str, work: Work, request_id: &str, answer: &Answer, started: Instant) {
    let (now, duration, route) = (millis(), started.elapsed().as_secs_f64() * 1000.0, work.route());
    let Answer { user_id, organization_id, .. } = answer;
    let line = format!(
        "{{\"_aws\":{{\"Timestamp\":{now},\"CloudWatchMetrics\":[{{\"Namespace\":\"Users\",\
         \"Dimensions\":[[\"FunctionName\"]],\"Metrics\":[{{\"Name\":\"Requests\",\"Unit\":\"Count\"}},\
         {{\"Name\":\"DurationMs\",\"Unit\":\"Milliseconds\"}}]}}]}},\"FunctionName\":\"{function}\",\
         \"Requests\":1,\"DurationMs\":{duration},\"level\":\"INFO\",\"message\":\"answered\",\
         \"request_id\":\"{request_id}\",\"route\":\"{route}\",\"status\":200,\"duration_ms\":{duration},\
         \"user_id\":\"{user_id}\",\"organization_id\":\"{organization_id}\"}}\n"
    );
    let _ = std::io::stderr().write_all(line.as_bytes());
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let work = Work::parse(&std::env::var("WORK")?).ok_or("WORK names no function")?;
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME")?;
    let mut table = Table::from_environment()?;
    // As the functions do, it starts all the same where the table is not there.
    let tokens = signing_keys(&mut table).await.ok();
    let state = &Mutex::new((table, tokens));
    let function = function.as_str();
    lambda_http::run(service_fn(move |request: Request| async move {
        let started = Instant::now();
        let mut state = state.lock().await;
        let (table, tokens) = &mut *state;
        if tokens.is_none() {
            *tokens = Some(signing_keys(table).await?);
        }
        let answer = work.answer(&request, table, tokens.as_ref().ok_or("no signing keys")?).await?;
        let request_id = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref().unwrap_or_default(),
            _ => "",
        };
        log(function, work, request_id, &answer, started);
        let mut response = Response::builder()
            .header("Content-Type", "application/json")
            .header("Cache-Control", "no-store")
            .header("X-Content-Type-Options", "nosniff")
            .header("X-Request-Id", request_id);
        if let Some((remaining, reset)) = answer.quota {
            response = response
                .header("RateLimit-Policy", "\"exists\";q=10;w=60")
                .header("RateLimit", format!("\"exists\";r={remaining};t={reset}"));
        }
        Ok::<_, Error>(response.body(Body::from(answer.body))?)
    }))
    .await
}
