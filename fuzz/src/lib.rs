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

/// The client's address where an input gives none.
const SOURCE_IP: &str = "203.0.113.7";
