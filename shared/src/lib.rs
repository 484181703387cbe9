//! What every function of the Users service stands on.
//!
//! A request flows one way: [`function`] reads the event, a handler authorizes it with [`auth`],
//! parses it into the types of [`model`], uses the [`table`] and answers through [`http`].

pub mod app;
pub mod auth;
pub mod clock;
pub mod config;
pub mod error;
pub mod function;
pub mod http;
pub mod http_client;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod memory;
pub mod model;
pub mod table;
pub mod telemetry;

pub use app::App;
pub use error::Error;
pub use function::Endpoint;
