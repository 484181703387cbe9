//! Acceptance tests: the public surface, over HTTP, against the whole local system on free ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_push_string,
    missing_docs,
    reason = "a test that meets the unexpected fails"
)]

mod endpoints;
mod harness;
mod monitoring;
mod security;
mod table;
mod tooling;
