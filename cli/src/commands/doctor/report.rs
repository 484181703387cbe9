//! The findings: one line each, or JSON with stable fields.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::commands::{Failure, Line, Output, escaped, print};

/// How many findings of one kind a screen shows; JSON has all.
const MAX_OF_A_KIND: usize = 10;

/// One thing that was checked.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Check {
    #[serde(rename = "Check")]
    name: String,
    state: State,
    found: String,
    advice: Option<String>,
}

/// Whether it is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    /// To be known; there is nothing to do.
    Note,
    Warning,
    Wrong,
}

impl State {
    /// A mark and a word, so that colour is not the only difference.
    fn mark(self) -> (&'static str, Style) {
        let coloured = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Ok => ("✓ ok", coloured(AnsiColor::Green)),
            Self::Note => ("· note", Style::new().dimmed()),
            Self::Warning => ("! warning", coloured(AnsiColor::Yellow)),
            Self::Wrong => ("✗ wrong", coloured(AnsiColor::Red).bold()),
        }
    }
}

impl Check {
    pub(super) fn new(name: impl Into<String>, state: State, found: impl Into<String>) -> Self {
        Self { name: name.into(), state, found: found.into(), advice: None }
    }

    /// What to do about it.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The names of checks have this width.
    fn lines(&self, width: usize) -> impl Iterator<Item = Line> {
        let (mark, style) = self.state.mark();
        let (name, found) = (escaped(&self.name), &self.found);
        let line = Line::default().styled(style, &format!("{mark:<9}"));
        let line = line.text(&format!("  {name:<width$}  {found}"));
        let advice = self.advice.as_ref();
        let advice = advice.map(|advice| Line::from(format!("{:9}  {:width$}  → {advice}", "", "")));
        [line].into_iter().chain(advice)
    }
}

/// All that was looked at.
#[derive(Default)]
pub(super) struct Report(Vec<Check>);

impl Report {
    pub(super) fn add(&mut self, check: Check) {
        self.0.push(check);
    }

    pub(super) fn print(&self, output: Output) -> Result<(), Failure> {
        if output.json {
            return output.records(&self.0, &[]);
        }
        let width = self.0.iter().map(|check| escaped(&check.name).chars().count()).max().unwrap_or(0);
        let mut of_a_kind = BTreeMap::<_, usize>::new();
        let mut lines = Vec::new();
        for check in &self.0 {
            let seen = of_a_kind.entry((&check.name, check.state)).or_default();
            *seen += 1;
            if *seen <= MAX_OF_A_KIND {
                lines.extend(check.lines(width));
            }
        }
        for ((name, _), seen) in of_a_kind.iter().filter(|(_, seen)| **seen > MAX_OF_A_KIND) {
            lines.push(Line::from(format!("… {} more: {name} (--json has all)", seen - MAX_OF_A_KIND)));
        }
        if !self.0.iter().any(|check| check.state == State::Wrong) {
            let is_repaired = self.0.iter().any(|check| check.name == "repairs");
            let verdict = if is_repaired { "nothing is wrong any more" } else { "nothing is wrong" };
            lines.push(Line::from(verdict));
        }
        print(lines)
    }

    /// Fails if anything is wrong.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        match self.0.iter().filter(|check| check.state == State::Wrong).count() {
            0 => Ok(()),
            1 => Err(Failure::refused("one thing is wrong: the advice is below it")),
            wrong => Err(Failure::refused(format!("{wrong} things are wrong: the advice is below each"))),
        }
    }
}
