//! The whole Users service in one process, and the command line that manages a table.
//!
//! [`local::LocalSystem`] is the service. It has the handlers of [`local::ENDPOINTS`], which are the ones that run in
//! Lambda, an HTTP server in API Gateway's place, and an embedded DynamoDB. `users serve` and the acceptance tests run
//! it. [`main`] is the command line. Its other commands work on the local table or on a real one; `users --help` lists
//! them.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_macros)]

mod commands;
mod files;
pub mod local;
mod transfer;

use std::process::ExitCode;

/// Runs the command line. Exit status: 0 if it did what was asked; 1 if something was not found, refused or not right;
/// 2 for wrong usage; 3 if the table cannot be used now.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match commands::arguments() {
        Ok(arguments) => arguments,
        Err(status) => return status,
    };
    let json = arguments.json;
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
