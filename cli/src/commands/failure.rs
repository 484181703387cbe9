//! Why a command did not do what was asked.

use std::fmt;
use std::process::ExitCode;

use serde_json::json;
use shared::error::{Error, ErrorKind};

/// Why a command did not do what was asked, in a line that says what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    status: ExitStatus,
    message: String,
}

/// The exit statuses of failures; 0 is "done", and 2, wrong usage, is the parser's.
#[derive(Clone, Copy, Debug)]
enum ExitStatus {
    /// Not found, refused, or not right.
    Refused = 1,
    /// The table cannot be used now: the same command may work later.
    Unavailable = 3,
}

impl Failure {
    /// What was asked for is not there, is refused, or is not right.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::Refused, message: message.into() }
    }

    /// Says so on standard error, and how the process is to end.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        if json {
            let error = json!({ "Error": self.message, "ExitStatus": self.status as u8 });
            anstream::eprintln!("{error}");
        } else {
            let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
            anstream::eprintln!("{style}error:{style:#} {self}");
        }
        ExitCode::from(self.status as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let log = error.log().unwrap_or("no more is known");
        match error.kind() {
            ErrorKind::Unavailable => Self {
                status: ExitStatus::Unavailable,
                message: format!(
                    "the table cannot be used ({log}): is the local system running, or are --endpoint-url, \
                     --table and --region right?"
                ),
            },
            _ => Self::refused(log),
        }
    }
}
