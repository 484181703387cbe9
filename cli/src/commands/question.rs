//! Questions to the person at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::{Line, Output, ask};

/// Whether there is somebody to ask.
pub(super) fn can_be_asked(output: Output) -> bool {
    !output.json && io::stdin().is_terminal()
}

/// Asks. Any answer except `yes` means no.
pub(super) fn agreed(question: &str) -> bool {
    ask(&Line::from(format!("{question} Type yes:")));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}
