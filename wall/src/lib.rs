//! `shared` and the functions, compiled as one crate whose only entrances are the functions' `main`s.
//!
//! The compiler sees here what no function uses, down to a method or a field, and this crate does not build until it
//! is gone. What only commands use belongs in the crate `operator`.
//!
//! An exception stands at the item, with its reason: `#[allow(dead_code, reason = "…")]`. There are two kinds:
//! - What the local system and the tests need to drive a function: the time, the log, the parts of an answer.
//! - The keys that only `operator` reads, because `keys.rs` alone spells keys.

#![deny(dead_code)]
#![allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unfulfilled_lint_expectations,
    unused_imports,
    reason = "these sources are checked in their own crates; a re-export makes nothing used"
)]

// Not with the unit tests: they run in their own crates.
#[cfg(not(test))]
extern crate self as shared;

#[cfg(not(test))]
include!(concat!(env!("OUT_DIR"), "/one_crate.rs"));
