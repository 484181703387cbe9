//! What commands print: a readable table, or JSON with stable fields.

use std::fmt::{self, Write as _};
use std::io::{self, ErrorKind, Write as _};

use anstyle::Style;
use icu_properties::CodePointSetData;
use icu_properties::props::VariationSelector;
use serde::Serialize;
use serde_json::{Value, json};
use shared::model::is_invisible;

use super::Failure;

/// A line for people. All text is escaped, so that text from a table or a file cannot control the terminal.
#[derive(Clone, Default)]
pub(crate) struct Line(String);

impl Line {
    /// Adds text.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.0.push_str(&escaped(text));
        self
    }

    /// Adds text in a style.
    pub(crate) fn styled(mut self, style: Style, text: &str) -> Self {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{style}{}{style:#}", escaped(text));
        self
    }
}

impl<T: AsRef<str>> From<T> for Line {
    fn from(text: T) -> Self {
        Self::default().text(text.as_ref())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text in which every character that is invisible, or that changes how others look, is an escape such as `\u{202e}`.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => escaped.push(character),
            // `escape_debug` knows some of what has no glyph; the rest follows by property.
            '\n' | '\r' | '\t' => escaped.extend(character.escape_default()),
            _ if is_hidden(character) => escaped.extend(character.escape_unicode()),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Whether a character changes how others look or is not seen. Joiners are part of how some scripts are written, and
/// variation selectors choose between glyphs of an emoji or an ideograph.
fn is_hidden(character: char) -> bool {
    const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
    let is_selector = CodePointSetData::new::<VariationSelector>().contains(character);
    is_invisible(character) && !is_selector && !JOINERS.contains(&character)
}

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
            return print_exactly(&format!("{value:#}"));
        }
        let width = fields.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let lines = fields.map(|(name, value)| Line::from(format!("{name:width$}  {}", text(value))));
        print(lines)
    }

    /// Prints records of one kind: a line each under a heading, or a JSON array.
    pub(super) fn records(self, records: &[impl Serialize], headings: &[&str]) -> Result<(), Failure> {
        let value = to_value(records)?;
        if self.json {
            return print_exactly(&format!("{value:#}"));
        }
        let mut rows = vec![headings.iter().map(|&heading| heading.to_owned()).collect::<Vec<_>>()];
        for record in value.as_array().into_iter().flatten() {
            rows.push(
                headings
                    .iter()
                    .map(|&heading| escaped(&record.get(heading).map(text).unwrap_or_default()))
                    .collect(),
            );
        }
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        print(rows.iter().map(|row| {
            let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:0$}", width(column)));
            Line::from(cells.collect::<Vec<_>>().join("  ").trim_end())
        }))
    }
}

impl Output {
    /// Prints a warning on standard error.
    pub(super) fn warn(self, message: &str) {
        if self.json {
            let _ = writeln!(anstream::stderr(), "{}", json!({ "Warning": message }));
        } else {
            let style = Style::new().bold().fg_color(Some(anstyle::AnsiColor::Yellow.into()));
            tell(&Line::default().styled(style, "warning:").text(&format!(" {message}")));
        }
    }
}

/// Prints lines for people.
pub(super) fn print(lines: impl IntoIterator<Item = Line>) -> Result<(), Failure> {
    let lines: Vec<_> = lines.into_iter().map(|Line(line)| line).collect();
    printed(writeln!(anstream::stdout(), "{}", lines.join("\n")))
}

/// Prints what a program reads: JSON, a script, a token.
pub(super) fn print_exactly(text: &str) -> Result<(), Failure> {
    printed(writeln!(io::stdout(), "{text}"))
}

fn printed(printed: io::Result<()>) -> Result<(), Failure> {
    match printed {
        // The reader, for example `head`, has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(|error| Failure::refused(format!("cannot print: {error}"))),
    }
}

/// Prints a line for people on standard error. If that fails, nobody is reading, so the failure is ignored.
pub(super) fn tell(line: &Line) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints for programs on standard error.
pub(super) fn tell_exactly(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints the start of a line for people on standard error.
pub(super) fn ask(line: &Line) {
    let _ = write!(anstream::stderr(), "{line} ");
    let _ = io::stderr().flush();
}

fn to_value(value: &(impl Serialize + ?Sized)) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::refused(format!("cannot print: {error}")))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields.values().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let text = "a \u{1b}[2J\r\n\u{9b}31m\u{202e}é日\"'\\";
        assert_eq!(escaped(text), "a \\u{1b}[2J\\r\\n\\u{9b}31m\\u{202e}é日\"'\\");
        let style = Style::new().bold();
        let line = Line::default().styled(style, "\u{1b}]0;x\u{7}").text(" y\n");
        assert_eq!(line.to_string(), format!("{style}\\u{{1b}}]0;x\\u{{7}}{style:#} y\\n"));
    }

    #[test]
    fn characters_without_a_glyph_are_escaped_but_not_joiners() {
        for character in [
            '\0',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{3164}',
            '\u{feff}',
            '\u{fff9}',
            '\u{e0001}',
            '\u{e000}',
            '\u{378}',
            '\u{34f}',
            '\u{17b4}',
            '\u{2800}',
        ] {
            assert!(is_hidden(character), "{character:?}");
        }
        for character in ['é', 'e', '\u{301}', '日', 'ش', '\u{200c}', '\u{200d}', '😀', '\u{fe0f}', '\u{a0}']
        {
            assert!(!is_hidden(character), "{character:?}");
        }
    }
}
