//! Tools that look after a table and explain tokens: for the commands and the local system, never for a request.
//!
//! [`table`] creates, describes, reads, imports into, examines and repairs a table. [`token`] says why a token is
//! accepted or refused. No function depends on this crate.

pub mod duration;
pub mod table;
pub mod token;
