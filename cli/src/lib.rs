//! The whole Users service in one process, and the command line that looks after a table.
//!
//! [`local::LocalSystem`] is the service: the handlers of [`local::ENDPOINTS`], the very ones that run in
//! Lambda, behind an HTTP server in API Gateway's place, on an embedded DynamoDB. `users serve` runs it, and so
//! do the acceptance tests. [`main`] is the command line, whose other commands work on its table or on a real
//! one; `users --help` lists them.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_macros)]

mod commands;
pub mod local;
mod transfer;

use std::process::ExitCode;

/// Runs the command line. Exit status: 0 where it did what was asked; 1 where that was not found, was refused
/// or is not right; 2 for wrong usage; 3 where the table cannot be used now.
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
