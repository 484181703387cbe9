//! The whole Users service in one process, and the command line that looks after a table.

mod commands;
pub mod local;

use std::process::ExitCode;

use clap::Parser as _;

/// Runs the command line: 0 where it did what was asked, 1 where that was not found or refused, 2
/// for wrong usage.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
            anstream::eprintln!("{style}error:{style:#} {error}");
            ExitCode::from(1)
        }
    }
}
