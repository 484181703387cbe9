//! How items are stored: the DynamoDB API's operations, the table, keys, items, pages and transactions.
//!
//! The files beside this folder use it for requests, the crate `operator` for what looks after a table.

mod item;
mod keys;
mod operations;
mod page;
mod table;
mod time;
mod transaction;

pub use item::{Item, NewItem};
pub use keys::{Condition, KEY_ATTRIBUTES, Key, KeyKind, Range, TTL_ATTRIBUTE};
pub use page::{ListBuilder, Page, PageStart};
pub use table::{Table, http_client, read_http_client, table_client};
pub use time::{
    from_text as timestamp_from_text, to_sortable_text as timestamp_to_sortable_text,
    to_text as timestamp_to_text,
};
pub use transaction::{CommitOutcome, MAX_CONFLICT_ROUNDS, Refusal, Transaction};
