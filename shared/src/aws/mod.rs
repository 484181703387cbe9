//! Calls to AWS's own APIs: signed JSON, one `POST` per call.

mod client;
mod errors;
mod operation;
mod secrets_manager;
mod service;
mod signing;

pub use client::{CallObserver, Client, ClientSettings, connector_error};
pub use errors::{from_sdk_error, pause_before};
pub use operation::{CallError, OperationInput, SerializedCall};
pub use secrets_manager::GetSecretValue;
pub use service::Service;
