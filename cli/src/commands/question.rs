//! Questions to whoever sits at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::Output;

/// Whether somebody can be asked.
pub(super) fn can_be_asked(output: Output) -> bool {
    !output.json && io::stdin().is_terminal()
}

/// Asks; anything but `yes` is no.
pub(super) fn agreed(question: &str) -> bool {
    anstream::eprint!("{question} Type yes: ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}
