//! The harness: a whole local system for one test, and ways to ask it.
//!
//! **What every `send()` checks without being asked.** A test says only what it is about; each of its requests also fails if:
//!
//! - the answer has a status, a header or a member that `openapi.yaml` lacks, or the contract calls the request
//!   valid and the answer does not ([`contract`](crate::endpoints::contract));
//! - a log line holds a token, an e-mail address, a name, a phone number or a password
//!   ([`log`](crate::security::log));
//! - a function made a call to the table that its IAM policy in `template.yaml` does not grant
//!   ([`policies`](crate::security::policies)).
//!
//! | to | use |
//! |---|---|
//! | start a system with a table, a signing key and a clock of its own, on free ports | [`World::start`] |
//! | ask over HTTP, as a client does | [`World::get`], [`World::post`], then [`Call::send`] |
//! | ask a function straight, with an event of any shape and any client address | [`Invocation`] |
//! | check an answer | [`Answer::assert_ok`], [`Answer::assert_problem`], [`Answer::assert_invalid`] |
//! | see or spoil what is in the table | [`World::items`], [`World::put_item`] |
//! | move time | [`World::clock`](World), which stands still until it is moved |
//! | run over every endpoint | [`rows`](crate::endpoints::rows) |
//! | run the command `users` | [`command_line`](crate::tooling::command_line) |
//! | try many inputs | [`property::check`] |
//! | know the right answer to any order of requests | [`reference`] |
//! | run on another table engine | [`engine`] |
//! | run with the last release beside this version | `.ci/mixed`, `older.rs` |

mod answer;
mod client;
pub mod engine;
mod invocation;
pub mod key_pairs;
#[cfg(feature = "older")]
mod older;
mod process;
pub mod property;
pub mod reference;
mod world;

pub use answer::Answer;
pub use client::{Call, Client};
pub use invocation::{Invocation, REQUEST_ID, endpoint, respond, respond_in_json};
pub use process::{built_binaries, tls_server, until, updates};
pub use users::local::{ACME, ENDPOINTS, GLOBEX, JANE};
pub use world::{JOHN, START, World, app, text, user, warm_up};
