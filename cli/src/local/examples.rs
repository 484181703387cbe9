//! Commands to copy, one per endpoint, from the examples of the contract.

use form_urlencoded::Serializer;
use serde_json::Value;
use shared::Endpoint;
use shared::clock::Timestamp;

use super::{ENDPOINTS, SigningKey, claims_of_jane};

/// A command that calls an endpoint.
pub(crate) struct Example {
    /// What the command does, and the role that it needs.
    pub(crate) title: String,
    /// The command, in which a token lasts a day.
    pub(crate) command: String,
}

/// The commands for the API at `api`, with tokens of the demo user.
pub(crate) fn examples(api: &str, signing_key: &SigningKey, now: Timestamp) -> Vec<Example> {
    let contract = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
    let contract: Value = serde_json::from_str(contract).unwrap_or_default();
    ENDPOINTS.iter().map(|endpoint| example(endpoint, &contract, api, signing_key, now)).collect()
}

fn example(
    endpoint: &Endpoint,
    contract: &Value,
    api: &str,
    signing_key: &SigningKey,
    now: Timestamp,
) -> Example {
    let Endpoint { name, method, path, .. } = *endpoint;
    let operation = contract.get("paths").and_then(|paths| paths.get(path)?.get(method.to_lowercase()));
    let operation = operation.unwrap_or(&Value::Null);
    let url = match query(operation, contract) {
        none if none.is_empty() => format!("{api}{path}"),
        query => format!("\"{api}{path}?{query}\""),
    };
    let mut command =
        vec![if method == "GET" { format!("curl {url}") } else { format!("curl -X {method} {url}") }];
    let bodies = operation.pointer("/requestBody/content/application~1json/examples");
    let body = bodies.and_then(|bodies| bodies.get("new").or(bodies.get("document"))?.get("value"));
    command.extend(body.map(|body| format!("-H \"Content-Type: application/json\" -d '{body}'")));
    let mut title = text(operation, "summary").unwrap_or(name).to_owned();
    if let Some(policy) = endpoint.policy() {
        let role = policy.role();
        title = format!("{title} ({role})");
        let token = signing_key.token(&claims_of_jane(role), now);
        command.push(format!("-H \"Authorization: Bearer {token}\""));
    }
    Example { title, command: command.join(" ") }
}

/// The query with the contract's example of each parameter.
fn query(operation: &Value, contract: &Value) -> String {
    let mut query = Serializer::new(String::new());
    for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        let shared =
            text(parameter, "$ref").and_then(|reference| contract.pointer(reference.strip_prefix('#')?));
        let parameter = shared.unwrap_or(parameter);
        if let (Some(name), Some(value)) = (text(parameter, "name"), text(parameter, "example")) {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member)?.as_str()
}
