//! Why a command did not do what was asked.

use std::fmt;
use std::process::ExitCode;

use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
use serde_json::json;
use shared::error::{Error, ErrorKind};

use super::output::{Line, tell, tell_exactly};

/// Why a command did not do what was asked, in a line that says what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    status: ExitStatus,
    message: String,
}

/// The exit statuses of failures; 0 is "done".
#[derive(Clone, Copy, Debug)]
enum ExitStatus {
    /// Not found, refused, or not right.
    Refused = 1,
    /// Wrong usage.
    Usage = 2,
    /// The table cannot be used now: the same command may work later.
    Unavailable = 3,
}

impl Failure {
    /// Something was not found, was refused, or is not right.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::Refused, message: message.into() }
    }

    /// Wrong usage that the parser cannot detect.
    pub(super) fn wrong_usage(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::Usage, message: message.into() }
    }

    /// Wrong usage in the parser's words, in one line.
    pub(super) fn usage(error: &clap::Error) -> Self {
        let message = if error.kind() == DisplayHelpOnMissingArgumentOrSubcommand {
            "a command is missing: --help shows those there are".to_owned()
        } else {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let said = text
                .lines()
                .take_while(|line| !line.starts_with("Usage: ") && !line.starts_with("For more "));
            said.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
        };
        Self { status: ExitStatus::Usage, message }
    }

    /// Prints the failure on standard error. Returns the exit status.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        if json {
            let error = json!({ "Error": self.message, "ExitStatus": self.status as u8 });
            tell_exactly(&error.to_string());
        } else {
            let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
            tell(&Line::default().styled(style, "error:").text(&format!(" {self}")));
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
