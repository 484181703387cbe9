//! What every function of the Users service stands on: all of it but the handlers, which are crates of
//! their own and name an [`Endpoint`] each.
//!
//! A request flows one way: [`lambda`] runs the function, the [`door`] makes the event harmless for
//! `lambda_http`, [`endpoint`] admits the request with [`front`] and [`auth`], and a handler parses it into the types of
//! [`model`], uses the [`table`] and answers through [`http`].
//!
//! To read it in that order, begin with [`endpoint::respond`], the way of every request; then any handler,
//! which is a page; then [`App`], what a handler works with; then [`table::Table`], whose methods are all
//! that is ever asked of DynamoDB. What goes wrong on the way is an [`Error`], and [`http::problem`] alone
//! makes an answer of it.
//!
//! Beside the code: `docs/architecture.md` says why it is so, `docs/glossary.md` what the words mean,
//! `CONTRIBUTING.md` how an endpoint is added.

pub mod app;
pub mod auth;
pub mod aws;
pub mod clock;
pub mod door;
pub mod endpoint;
pub mod error;
pub mod front;
pub mod http;
pub mod http_client;
pub mod lambda;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod memory;
pub mod model;
pub mod refreshed;
pub mod settings;
pub mod table;
pub mod telemetry;

pub use app::App;
pub use endpoint::{Access, Endpoint};
pub use error::Error;
