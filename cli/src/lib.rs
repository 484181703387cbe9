//! The whole Users service in one process, and the command line that looks after a table.

mod commands;
pub mod local;
mod transfer;

use std::process::ExitCode;

use clap::Parser as _;

/// Runs the command line. Exit status: 0 where it did what was asked; 1 where that was not found, was refused
/// or is not right; 2 for wrong usage; 3 where the table cannot be used now.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    let json = arguments.json;
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
