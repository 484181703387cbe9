//! What commands print: a readable table, or JSON with stable fields.

use std::io::{ErrorKind, Write as _};

use serde::Serialize;
use serde_json::{Value, json};

use super::Failure;

/// How a command prints.
#[derive(Clone, Copy)]
pub(super) struct Output {
    /// Whether as JSON.
    pub(super) json: bool,
}

impl Output {
    /// Prints one record: a line a field, or a JSON object.
    pub(super) fn record(self, record: &impl Serialize) -> Result<(), Failure> {
        let value = to_value(record)?;
        let fields = value.as_object().into_iter().flatten();
        if self.json {
            return print(&format!("{value:#}"));
        }
        let width = fields.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let lines: Vec<_> = fields.map(|(name, value)| format!("{name:width$}  {}", text(value))).collect();
        print(&lines.join("\n"))
    }

    /// Prints records of one kind: a line each under a heading, or a JSON array.
    pub(super) fn records(self, records: &[impl Serialize], headings: &[&str]) -> Result<(), Failure> {
        let value = to_value(records)?;
        if self.json {
            return print(&format!("{value:#}"));
        }
        let mut rows = vec![headings.iter().map(|&heading| heading.to_owned()).collect::<Vec<_>>()];
        for record in value.as_array().into_iter().flatten() {
            rows.push(
                headings.iter().map(|&heading| record.get(heading).map(text).unwrap_or_default()).collect(),
            );
        }
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let lines: Vec<_> = rows
            .iter()
            .map(|row| {
                let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:0$}", width(column)));
                cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
            })
            .collect();
        print(&lines.join("\n"))
    }
}

impl Output {
    /// Says on standard error what may be a mistake.
    pub(super) fn warn(self, message: &str) {
        if self.json {
            anstream::eprintln!("{}", json!({ "Warning": message }));
        } else {
            let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Yellow.into()));
            anstream::eprintln!("{style}warning:{style:#} {message}");
        }
    }
}

/// Prints lines for people.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match writeln!(anstream::stdout(), "{text}") {
        // Who reads, `head` say, has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(|error| Failure::refused(format!("cannot print: {error}"))),
    }
}

fn to_value(value: &(impl Serialize + ?Sized)) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::refused(format!("cannot print: {error}")))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields.values().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
