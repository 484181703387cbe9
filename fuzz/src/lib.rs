//! The properties that the fuzz targets hold inputs against: each takes bytes, and panics where its
//! property does not hold. Those of keys and items are in `shared`, whose own affair they are.
//!
//! The acceptance tests compile this file too and put the committed corpora to it.

mod email;
mod query;
mod response;
mod token;

pub use email::email;
pub use query::query;
pub use response::response;
pub use token::token;

use serde_json::{Value, json};
use shared::http::{Event, Request};

/// The client's address where an input gives none.
const SOURCE_IP: &str = "203.0.113.7";

/// A request with these members of its event, and nothing else that counts.
fn request(members: Value) -> Request {
    let mut event = json!({ "requestContext": { "requestId": "fuzz", "http": { "sourceIp": SOURCE_IP } } });
    if let (Value::Object(event), Value::Object(members)) = (&mut event, members) {
        event.extend(members);
    }
    serde_json::from_value::<Event>(event).expect("it is an event").into()
}
