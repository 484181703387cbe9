//! How far a scan is: a bar on a terminal, lines elsewhere, nothing beside JSON.

use std::fmt::Write;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use shared::table::Phase;

use crate::commands::Output;

/// How often there is a line.
const PAUSE: Duration = Duration::from_secs(5);

/// On standard error: what was found stands alone on standard output.
pub(super) struct Progress {
    shown: Shown,
    /// About how many items there are.
    items: u64,
    phase: Option<Phase>,
}

enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
    Nothing,
}

impl Progress {
    pub(super) fn new(items: u64, output: Output) -> Self {
        let shown = if output.json {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            let style =
                ProgressStyle::with_template("{msg} [{bar:30}] {human_pos}/{human_len} ({rate}, {eta} left)");
            let rate = |state: &ProgressState, text: &mut dyn Write| {
                let _ = write!(text, "{:.0}/s", state.per_sec());
            };
            let bar = ProgressBar::new(items);
            Shown::Bar(if let Ok(style) = style { bar.with_style(style.with_key("rate", rate)) } else { bar })
        } else {
            Shown::Lines { last: Instant::now() }
        };
        Self { shown, items, phase: None }
    }

    pub(super) fn at(&mut self, phase: Phase, done: u64) {
        let (doing, total) = match phase {
            Phase::Reading => ("reading the table", self.items.max(done)),
            Phase::Finding => ("finding what does not fit", self.items.max(done)),
            Phase::LookingAgain(total) => ("looking again", total as u64),
        };
        let begins = self.phase.replace(phase) != Some(phase);
        match &mut self.shown {
            Shown::Bar(bar) => {
                if begins {
                    bar.reset();
                    bar.set_message(doing);
                }
                // It draws at once, which a position does not.
                if bar.length() != Some(total) {
                    bar.set_length(total);
                }
                bar.set_position(done);
            }
            Shown::Lines { last } if begins || last.elapsed() >= PAUSE => {
                *last = Instant::now();
                let done = if begins { String::new() } else { format!("{done} of ") };
                anstream::eprintln!("{doing}: {done}about {total}");
            }
            Shown::Lines { .. } | Shown::Nothing => {}
        }
    }

    pub(super) fn end(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}
