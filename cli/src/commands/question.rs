//! Questions to whoever sits at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::{Line, Output, ask};

/// Whether somebody can be asked.
pub(super) fn can_be_asked(output: Output) -> bool {
    !output.json && io::stdin().is_terminal()
}

/// Asks; anything but `yes` is no.
pub(super) fn agreed(question: &str) -> bool {
    ask(&Line::from(format!("{question} Type yes:")));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}
