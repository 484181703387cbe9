//! The rows of a file, whatever it is: CSV, JSON lines, or one JSON document.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::Path;

use serde_json::Value;

use super::{Dialect, Fields};

/// A row of a file.
pub(crate) struct Row {
    /// Where it begins: the line of a CSV or JSON lines file; in a JSON document, which one of its users it is. From 1.
    pub(crate) line: u64,
    /// What it holds, by the document's names; or why it cannot be read.
    pub(crate) fields: Result<Fields, String>,
}

/// A file with users.
pub(crate) struct Source {
    /// Who wrote it.
    pub(crate) dialect: Dialect,
    /// How many rows it has.
    pub(crate) total: u64,
    /// The columns of a CSV file that are not read.
    pub(crate) unread_columns: Vec<String>,
    rows: Box<dyn Iterator<Item = (u64, Result<Fields, String>)>>,
}

impl Source {
    /// Opens a file, whose dialect is recognised where it is not given.
    pub(crate) fn open(file: &Path, dialect: Option<Dialect>) -> io::Result<Self> {
        let container = Container::of(file)?;
        let total = container.rows(file)?.count() as u64;
        let first = container.rows(file)?.find_map(|(_, fields)| fields.ok());
        let columns: Vec<_> = first.iter().flat_map(Fields::keys).map(String::as_str).collect();
        let dialect = dialect.unwrap_or_else(|| Dialect::of(&columns));
        let unread = |name: &&str| matches!(container, Container::Csv) && !dialect.reads(name);
        let unread_columns = columns.iter().copied().filter(unread).map(ToOwned::to_owned).collect();
        Ok(Self { dialect, total, unread_columns, rows: container.rows(file)? })
    }
}

impl Iterator for Source {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let (line, fields) = self.rows.next()?;
        Some(Row { line, fields: fields.map(|fields| self.dialect.translate(fields)) })
    }
}

/// How a file holds its rows.
enum Container {
    Csv,
    JsonLines,
    /// An array of objects, or an object with one under this name: Keycloak's `users`, Cognito's `Users`.
    Document(Option<&'static str>),
}

type Rows = Box<dyn Iterator<Item = (u64, Result<Fields, String>)>>;

impl Container {
    fn of(file: &Path) -> io::Result<Self> {
        let mut reader = open(file)?;
        let mut line = String::new();
        while reader.read_line(&mut line).map_err(not_text)? > 0 && line.trim().is_empty() {
            line.clear();
        }
        if !line.trim_start().starts_with(['{', '[']) {
            return Ok(Self::Csv);
        }
        // A line that is an object by itself is one of many, unless it is the whole document.
        let value = match serde_json::from_str::<Value>(&line) {
            Ok(value) => value,
            Err(_) => match serde_json::from_reader(open(file)?) {
                Ok(value) => value,
                Err(_) => return Ok(Self::JsonLines),
            },
        };
        let holds = |name: &&str| value.get(name).is_some_and(Value::is_array);
        Ok(match ["users", "Users"].into_iter().find(holds) {
            Some(name) => Self::Document(Some(name)),
            None if value.is_array() => Self::Document(None),
            None => Self::JsonLines,
        })
    }

    fn rows(&self, file: &Path) -> io::Result<Rows> {
        let reader = open(file)?;
        Ok(match self {
            Self::Csv => csv_rows(reader)?,
            Self::JsonLines => Box::new(json_lines(reader)),
            Self::Document(name) => {
                let mut document: Value = serde_json::from_reader(reader)?;
                let users = match name {
                    Some(name) => document.get_mut(name).map(Value::take),
                    None => Some(document),
                };
                let Some(Value::Array(users)) = users else {
                    return Err(io::Error::other("it holds no users"));
                };
                Box::new((1..).zip(users.into_iter().map(object)))
            }
        })
    }
}

/// Opens a file, past a byte order mark.
fn open(file: &Path) -> io::Result<BufReader<File>> {
    let mut file = File::open(file)?;
    let mut mark = [0; 3];
    let read = file.read(&mut mark)?;
    if (read, mark) != (3, [0xEF, 0xBB, 0xBF]) {
        file.rewind()?;
    }
    Ok(BufReader::new(file))
}

fn not_text(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::InvalidData { io::Error::other("it is not UTF-8 text") } else { error }
}

fn csv_rows(reader: BufReader<File>) -> io::Result<Rows> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(reader);
    let headers =
        reader.headers().map_err(|_| io::Error::other("its first line is not one of column names"))?;
    let headers: Vec<String> = headers.iter().map(ToOwned::to_owned).collect();
    let mut end = reader.position().line();
    Ok(Box::new(reader.into_records().map(move |record| {
        let place = match &record {
            Ok(record) => record.position(),
            Err(error) => error.position(),
        };
        let line = place.map_or(end, csv::Position::line);
        end = line + 1;
        let fields = record.map_err(|error| csv_fault(&error)).map(|record| {
            let filled = headers.iter().zip(&record).filter(|(_, cell)| !cell.is_empty());
            filled.map(|(name, cell)| (name.clone(), Value::from(cell))).collect()
        });
        (line, fields)
    })))
}

/// What is wrong with a row, without what it holds.
fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} cells, where the first line has {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8 text".to_owned(),
        _ => "cannot be read as CSV".to_owned(),
    }
}

fn json_lines(reader: BufReader<File>) -> impl Iterator<Item = (u64, Result<Fields, String>)> {
    let lines = (1..).zip(reader.split(b'\n'));
    lines.filter_map(|(number, line)| {
        let line = match line {
            Ok(line) if line.trim_ascii().is_empty() => return None,
            Ok(line) => line,
            Err(error) => return Some((number, Err(format!("cannot be read: {}", error.kind())))),
        };
        let value = serde_json::from_slice(&line);
        Some((number, value.map_err(|_| "is not JSON".to_owned()).and_then(object)))
    })
}

fn object(value: Value) -> Result<Fields, String> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err("is not a JSON object".to_owned()),
    }
}
