//! What looks after a table and explains tokens: for the commands and the local system, never for a request.
//!
//! [`table`] creates, describes, reads, imports into, examines and repairs a table. [`token`] says why a token counts
//! or does not. No function depends on this crate.

pub mod duration;
pub mod table;
pub mod token;
