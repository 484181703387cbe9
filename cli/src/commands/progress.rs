//! The progress of a long command, on standard error: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use super::{Line, Output, tell};

/// How far a command is.
pub(super) struct Progress {
    what: &'static str,
    started: Instant,
    /// Where the command continued.
    start: u64,
    total: Option<u64>,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    /// The next line is due then.
    Lines {
        next: u64,
    },
    Nothing,
}

impl Progress {
    /// Begins at `start` of `total`, if that is known. With `--json` nothing is shown.
    pub(super) fn begin(what: &'static str, start: u64, total: Option<u64>, output: Output) -> Self {
        let shown = if output.json {
            Shown::Nothing
        } else if std::io::stderr().is_terminal()
            // A bar is drawn by escape sequences, which NO_COLOR and TERM=dumb decline.
            && AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
        {
            Shown::Bar(bar(total))
        } else {
            Shown::Lines { next: start + step(total) }
        };
        Self { what, started: Instant::now(), start, total, shown }
    }

    pub(super) fn advance_to(&mut self, done: u64) {
        let line = self.line(done);
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(line);
            }
            Shown::Lines { next } if done >= *next => {
                *next = done + step(self.total);
                tell(&Line::from(line));
            }
            _ => {}
        }
    }

    /// Ends at `done`.
    pub(super) fn end(self, done: u64) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        if !matches!(self.shown, Shown::Nothing) {
            let took = self.started.elapsed();
            let Self { what, .. } = self;
            tell(&Line::from(format!(
                "{} {what} in {:.1} s, {} a second",
                HumanCount(done - self.start),
                took.as_secs_f64(),
                rate(done - self.start, took)
            )));
        }
    }

    fn line(&self, done: u64) -> String {
        let (took, done_here) = (self.started.elapsed(), done - self.start);
        let (what, rate) = (self.what, rate(done_here, took));
        let Some(total) = self.total else { return format!("{} {what}, {rate} a second", HumanCount(done)) };
        let left = took.as_millis() * u128::from(total.saturating_sub(done)) / u128::from(done_here.max(1));
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
        format!(
            "{} of {} {what}, {rate} a second, {} left",
            HumanCount(done),
            HumanCount(total),
            HumanDuration(left)
        )
    }
}

/// One line per tenth, unless there are few; or one per fixed number if the total is unknown.
fn step(total: Option<u64>) -> u64 {
    total.map_or(10_000, |total| total.div_ceil(10).max(100))
}

fn rate(done: u64, took: Duration) -> HumanCount {
    let a_second = u128::from(done) * 1000 / took.as_millis().max(1);
    HumanCount(u64::try_from(a_second).unwrap_or(u64::MAX))
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{bar:30}  {msg}"),
        None => (ProgressBar::no_length(), "{spinner} {msg}"),
    };
    // If the template is invalid, the default bar is used.
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
