//! A real DynamoDB API on a file or in memory. It needs no password, so it answers only this machine and no web page.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::auth_material::{self, AuthMaterial};
use dynoxide::{Database, DynoxideError};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, DATE};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::guard;
use super::server::{Answer, Listeners, answer, read_body};
use crate::files::open_private;

/// The database's file in the data directory.
pub(super) const FILE: &str = "dynamodb.sqlite";

/// The largest request that DynamoDB takes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// When an idle connection is closed. Clients reuse connections, and DynamoDB closes an idle one only after about a minute.
const HEAD_TIMEOUT: Duration = Duration::from_mins(5);
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const TARGET_PREFIXES: [&str; 2] = ["DynamoDB_20120810.", "DynamoDBStreams_20120810."];

/// Starts the API on `listeners`; it runs until `stopped` turns true.
pub(super) fn start(
    listeners: Listeners,
    data_dir: Option<&Path>,
    stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, String> {
    let database = match data_dir {
        Some(data_dir) => {
            let file = data_dir.join(FILE);
            // SQLite would make it readable to others.
            open_private(&file).map_err(|error| format!("cannot make {}: {error}", file.display()))?;
            Database::new(&file.to_string_lossy()).map_err(|error| {
                format!(
                    "cannot open the table's file {}: is it damaged, or of another program? Delete it, or choose another \
                     directory with --data-dir ({error})",
                    file.display()
                )
            })?
        }
        None => Database::memory().map_err(|error| format!("cannot make a table in memory: {error}"))?,
    };
    let service = move |peer, request| respond(database.clone(), peer, request);
    Ok(tokio::spawn(listeners.serve(Arc::new(service), HEAD_TIMEOUT, stopped)))
}

async fn respond(database: Database, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    if let Err(refused) = guard::check_table(&head, peer) {
        return error(StatusCode::FORBIDDEN, "AccessDeniedException", refused.message());
    }
    if head.method != Method::POST || head.uri.path() != "/" {
        return error(
            StatusCode::NOT_FOUND,
            "UnknownOperationException",
            "A request is a POST to the path /.",
        );
    }
    let body = match read_body(body, MAX_BODY_BYTES).await {
        Ok(body) => body,
        Err(status) => return error(status, "SerializationException", "The body was not read."),
    };
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = TARGET_PREFIXES.iter().find_map(|prefix| target.strip_prefix(prefix));
    if let Some(refusal) = check_credentials(&head) {
        return answer(StatusCode::BAD_REQUEST, CONTENT_TYPE, refusal);
    }
    match operation.and_then(|operation| run(&database, operation, &body)) {
        Some(Ok(output)) => answer(StatusCode::OK, CONTENT_TYPE, output),
        Some(Err(error)) => {
            let status =
                StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            answer(status, CONTENT_TYPE, error.to_json())
        }
        None => {
            error(StatusCode::BAD_REQUEST, "UnknownOperationException", "X-Amz-Target names no operation.")
        }
    }
}

/// Runs an operation; `None` if there is none of that name.
fn run(database: &Database, operation: &str, input: &[u8]) -> Option<dynoxide::Result<String>> {
    macro_rules! operations {
        ($($name:literal => $method:ident,)*) => {
            match operation {
                $($name => Some(call(input, |input| database.$method(input))),)*
                _ => None,
            }
        };
    }
    operations! {
        "CreateTable" => create_table,
        "DeleteTable" => delete_table,
        "DescribeTable" => describe_table,
        "ListTables" => list_tables,
        "UpdateTable" => update_table,
        "PutItem" => put_item,
        "GetItem" => get_item,
        "DeleteItem" => delete_item,
        "UpdateItem" => update_item,
        "Query" => query,
        "Scan" => scan,
        "BatchGetItem" => batch_get_item,
        "BatchWriteItem" => batch_write_item,
        "TransactWriteItems" => transact_write_items,
        "TransactGetItems" => transact_get_items,
        "ListStreams" => list_streams,
        "DescribeStream" => describe_stream,
        "GetShardIterator" => get_shard_iterator,
        "GetRecords" => get_records,
        "UpdateTimeToLive" => update_time_to_live,
        "DescribeTimeToLive" => describe_time_to_live,
        "ExecuteStatement" => execute_statement,
        "ExecuteTransaction" => execute_transaction,
        "BatchExecuteStatement" => batch_execute_statement,
        "TagResource" => tag_resource,
        "UntagResource" => untag_resource,
        "ListTagsOfResource" => list_tags_of_resource,
    }
}

fn call<Input: DeserializeOwned, Output: Serialize>(
    input: &[u8],
    operation: impl FnOnce(Input) -> dynoxide::Result<Output>,
) -> dynoxide::Result<String> {
    let output =
        operation(serde_json::from_slice(input).map_err(|error| invalid_input(&error.to_string()))?)?;
    serde_json::to_string(&output).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The crate's types say in their messages which DynamoDB exception is meant.
fn invalid_input(message: &str) -> DynoxideError {
    match message.split_once(':') {
        Some((marker, message)) if marker.starts_with("VALIDATION") => {
            DynoxideError::ValidationException(message.to_owned())
        }
        Some((marker, message)) if marker.starts_with("SERIALIZATION") => {
            DynoxideError::SerializationException(message.to_owned())
        }
        _ if message.starts_with("missing field") => DynoxideError::ValidationException(message.to_owned()),
        _ => DynoxideError::SerializationException(message.to_owned()),
    }
}

/// Any credentials are accepted, but there must be some, as with DynamoDB.
fn check_credentials(head: &Parts) -> Option<String> {
    auth_material::validate(AuthMaterial {
        authorization: head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()),
        query: head.uri.query().unwrap_or_default(),
        has_date_header: head.headers.contains_key("x-amz-date") || head.headers.contains_key(DATE),
    })
}

fn error(status: StatusCode, kind: &str, message: &str) -> Answer {
    let kind = format!("com.amazon.coral.service#{kind}");
    answer(status, CONTENT_TYPE, json!({ "__type": kind, "message": message }).to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

    use serde_json::Value;

    use super::{Database, run};

    #[test]
    fn input_that_is_none_gets_the_exception_of_dynamodb() {
        let database = Database::memory().unwrap();
        for (operation, input, exception, message) in [
            ("GetItem", "{}", "Validation", "2 validation errors detected: Value null at 'key'"),
            ("BatchGetItem", "{}", "Validation", "missing field `RequestItems`"),
            ("PutItem", r#"{"Item": {"PK": {"S": 1}}}"#, "Serialization", "expected string for S"),
            ("GetItem", r#"{"ConsistentRead": 1}"#, "Serialization", "NUMBER_VALUE cannot be converted"),
            ("PutItem", r#"{"TableName": 1}"#, "Serialization", "invalid type: integer `1`"),
            ("PutItem", "no JSON", "Serialization", "expected ident"),
        ] {
            let error = run(&database, operation, input.as_bytes()).unwrap().unwrap_err().to_json();
            let error: Value = serde_json::from_str(&error).unwrap();
            assert!(
                error["__type"].as_str().unwrap().ends_with(&format!("#{exception}Exception")),
                "{error}"
            );
            let told = error.get("message").or_else(|| error.get("Message")).unwrap().as_str().unwrap();
            assert!(told.starts_with(message), "{told}");
        }
    }
}
