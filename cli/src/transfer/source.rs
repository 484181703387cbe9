//! The rows of a file in any format: CSV, JSON lines, or JSON documents.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, BufReader, Chain, Read as _};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use serde_json::Value;
use shared::model::Email;

use super::cells::restore;
use super::json::Json;
use super::providers::{FIREBASE_COLUMNS, has_only_kindes_columns, is_about_verification};
use super::text::{LineEnds, TextFile};
use super::user::{User, plain};
use super::{Dialect, Fields};

/// How many rows are read to recognise a file's dialect.
const ROWS_TO_RECOGNISE: usize = 100;
/// How many names of ignored members are remembered.
const MAX_UNREAD: usize = 200;
/// How many names a sentence shows.
const MAX_NAMES_SHOWN: usize = 12;
/// Separators of cells, the likeliest first.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];
/// Follows the text of a CSV file. A cell that ends with it has a quotation mark that nothing closes. No text has these
/// bytes: only UTF-16 may hold a NUL, and UTF-16 is decoded to UTF-8, which never has the other.
const END: &[u8] = b"\0\xFF";
/// The supported formats, for the message about any other file.
const EXPECTED: &str = "Expected are rows with FirstName, LastName and Email, or an export of Auth0, Keycloak, Cognito, \
                        Firebase, Clerk, Okta, Kinde or FusionAuth";

/// A row of a file.
pub(crate) struct Row {
    /// Where it begins: the line of a CSV or JSON lines file; in a JSON document, which one of its users it is. From 1.
    pub(crate) line: u64,
    /// Its content, by the document's field names; or why it cannot be read.
    pub(crate) user: Result<User, String>,
}

impl Row {
    /// The address of its user, and the id if there is one.
    pub(crate) fn account(&self) -> Option<(Email, Option<&str>)> {
        let fields = &self.user.as_ref().ok()?.fields;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        Some((text("Email")?.parse().ok()?, text("UserId")))
    }
}

/// A file with users.
pub(crate) struct Source {
    /// How many rows it has.
    pub(crate) total: u64,
    /// The ignored columns and members, with the number of rows that have a value there.
    pub(crate) unread: BTreeMap<String, u64>,
    /// What the operator should know about the file.
    pub(crate) remarks: Vec<String>,
    reader: RowReader,
    rows: Rows,
}

impl Source {
    /// Opens a file. Recognises the dialect if it is not given. With `is_raw`, cells are read as they are.
    pub(crate) fn open(file: &Path, dialect: Option<Dialect>, is_raw: bool) -> io::Result<Self> {
        let text = TextFile::open(file)?;
        let container = Container::of(&text)?;
        let mut names: BTreeSet<String> = container.columns().iter().cloned().collect();
        let mut inner_names = BTreeSet::new();
        let mut addresses = Vec::new();
        for (_, fields) in container.rows(&text)?.take(ROWS_TO_RECOGNISE) {
            for (name, value) in fields.into_iter().flatten() {
                if plain(&name) == "email" {
                    addresses.push(value.as_str().unwrap_or_default().to_owned());
                }
                inner_names.extend(names_in(&value).map(|inner| format!("{name}.{inner}")));
                names.insert(name);
            }
        }
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let beside = container.beside();
        let elsewhere = inner_names.iter().chain(beside.keys()).map(String::as_str);
        let all_names: Vec<_> = names.iter().copied().chain(elsewhere).collect();
        let is_csv = matches!(container, Container::Csv(_));
        let has_auth0s_escape = is_csv && has_auth0s_escape(&addresses);
        let shown = container.dialect().or(has_auth0s_escape.then_some(Dialect::Auth0));
        let is_guessed = dialect.or(shown).is_none() && has_only_kindes_columns(&all_names);
        let dialect = dialect.or(shown).unwrap_or_else(|| Dialect::of(&all_names));
        if !names.is_empty() && !dialect.has_users(&names) {
            return Err(io::Error::other(container.unknown(&names)));
        }
        let mut seen = BTreeSet::new();
        if let Some(name) = container.columns().iter().find(|name| !seen.insert(plain(name))) {
            let name = shortened(name);
            return Err(io::Error::other(format!("it has the column {name} twice: remove one of them")));
        }
        let verification = names.iter().filter(|name| is_about_verification(name));
        let verification = verification.map(|name| (*name).to_owned()).collect();
        let reader = RowReader {
            dialect,
            restores: is_csv && !is_raw,
            has_auth0s_escape: has_auth0s_escape || dialect == Dialect::Auth0,
            has_replacements: text.has_replacements(),
            verification,
        };
        let (mut total, mut unread) = (0, beside);
        for (_, fields) in container.rows(&text)? {
            total += 1;
            for name in reader.read(fields).into_iter().flat_map(|user| user.unread) {
                if unread.len() < MAX_UNREAD || unread.contains_key(&name) {
                    *unread.entry(name).or_default() += 1;
                } else {
                    *unread.entry("(others)".to_owned()).or_default() += 1;
                }
            }
        }
        let mut remarks: Vec<String> = text.remark().map(ToOwned::to_owned).into_iter().collect();
        remarks.extend(container.remarks());
        if total == 0 {
            remarks.push("The file has no rows.".to_owned());
        }
        if is_guessed {
            remarks.push(
                "The columns are those of Kinde's import, so the file is read as Kinde's. If it is not, give --from users."
                    .to_owned(),
            );
        }
        if dialect == Dialect::Users && unread.keys().any(|name| plain(name) == "id") {
            remarks.push(
                "The ids in the file are not read, so the users get new ones. If an identity provider gave them, name it \
                 with --from; or call them UserId."
                    .to_owned(),
            );
        }
        Ok(Self { total, unread, remarks, reader, rows: container.rows(&text)? })
    }
}

impl Iterator for Source {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let (line, fields) = self.rows.next()?;
        Some(Row { line, user: self.reader.read(fields) })
    }
}

/// Reads a row in the dialect of its file.
struct RowReader {
    dialect: Dialect,
    /// Whether to remove the `'` from cells that a spreadsheet would take for a formula.
    restores: bool,
    /// Whether there is a `'` before every text.
    has_auth0s_escape: bool,
    has_replacements: bool,
    /// What says whether an address is verified. It is not if a row lacks this: programs leave out what is false.
    verification: Vec<String>,
}

impl RowReader {
    fn read(&self, fields: Result<Fields, String>) -> Result<User, String> {
        let mut fields = fields?;
        let is_replaced = |text: String| text.contains(char::REPLACEMENT_CHARACTER);
        if self.has_replacements && serde_json::to_string(&fields).is_ok_and(is_replaced) {
            return Err("has a character that cannot be read".to_owned());
        }
        if self.restores {
            for (name, value) in &mut fields {
                // No export has passwords, so nothing was put before one.
                let restore = if plain(name) == "password" { |cell| cell } else { restore };
                if let Value::String(cell) = value {
                    let auth0 = cell.strip_prefix('\'').filter(|_| self.has_auth0s_escape);
                    *cell = auth0.unwrap_or_else(|| restore(cell)).to_owned();
                }
            }
        }
        for column in &self.verification {
            fields.entry(column.clone()).or_insert(Value::Null);
        }
        self.dialect.translate(fields)
    }
}

/// Whether each address has Auth0's `'` before it, and not only one that keeps a spreadsheet from calculating.
fn has_auth0s_escape(addresses: &[String]) -> bool {
    let mut filled = addresses.iter().filter(|cell| !cell.is_empty());
    addresses.iter().any(|cell| cell.starts_with('\'') && restore(cell) == cell)
        && filled.all(|cell| cell.starts_with('\''))
}

/// The names of the members of an object, or of the objects in an array.
fn names_in(value: &Value) -> impl Iterator<Item = &String> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    values.iter().filter_map(Value::as_object).flat_map(|members| members.keys())
}

pub(super) fn has_twice(name: &str) -> String {
    format!("has the member {} twice", shortened(name))
}

type Rows = Box<dyn Iterator<Item = (u64, Result<Fields, String>)>>;

/// How a file holds its rows.
enum Container {
    Csv(Sheet),
    JsonLines,
    Documents(Documents),
}

/// A CSV file.
#[derive(Clone)]
struct Sheet {
    separator: u8,
    /// Lines before the column names: Excel's `sep=;`.
    lines_before: u64,
    columns: Vec<String>,
    has_header: bool,
}

/// One or more JSON values: users, arrays of users, or objects with one: Keycloak's `users`, Cognito's `Users`.
#[derive(Default)]
struct Documents {
    is_realm: bool,
    federated_users: usize,
    users: usize,
    /// How many users there are at the provider, if a page says so.
    total: u64,
    /// Whether the last page names a next one.
    has_next: bool,
    /// The members beside the users that are not read, with the number of documents that have one.
    beside: BTreeMap<String, u64>,
}

/// Members of a page with which it names the next one.
const NEXT_PAGE: [&str; 4] = ["PaginationToken", "NextToken", "next_token", "nextPageToken"];
/// Members of a page that say nothing more than where it is.
const ABOUT_PAGE: [&str; 6] = ["start", "limit", "length", "total", "nextResults", "expandable"];

impl Container {
    fn of(text: &TextFile) -> io::Result<Self> {
        let mut lines = text.read()?.lines();
        let mut first = String::new();
        for line in lines.by_ref() {
            first = line.map_err(|_| io::Error::other("its first line is not UTF-8 text"))?;
            if !first.trim().is_empty() {
                break;
            }
        }
        if !first.trim_start().starts_with(['{', '[']) {
            return Ok(Self::Csv(Sheet::of(text)?));
        }
        // A line that is an object is one row of many, unless it contains users or should.
        let is_object =
            |line: &str| serde_json::from_str::<Json>(line).is_ok_and(|value| !is_document(&value));
        if is_object(&first) {
            return Ok(Self::JsonLines);
        }
        match Documents::of(text) {
            // A first line that is broken.
            Err(_) if lines.next().is_some_and(|line| line.is_ok_and(|line| is_object(&line))) => {
                Ok(Self::JsonLines)
            }
            documents => documents.map(Self::Documents),
        }
    }

    /// The columns that a CSV file names.
    fn columns(&self) -> &[String] {
        match self {
            Self::Csv(sheet) => &sheet.columns,
            _ => &[],
        }
    }

    /// The dialect of the file, if its shape shows it.
    fn dialect(&self) -> Option<Dialect> {
        match self {
            Self::Csv(sheet) => (!sheet.has_header).then_some(Dialect::Firebase),
            Self::Documents(documents) => documents.is_realm.then_some(Dialect::Keycloak),
            Self::JsonLines => None,
        }
    }

    fn remarks(&self) -> Vec<String> {
        let Self::Documents(Documents { federated_users, users, total, has_next, .. }) = self else {
            return Vec::new();
        };
        let mut remarks = Vec::new();
        if *federated_users > 0 {
            remarks.push(format!(
                "{federated_users} federated users are not read: their names and addresses are in the directory that \
                 they come from."
            ));
        }
        if *has_next {
            remarks.push("The last page in the file names a next one: export that too.".to_owned());
        }
        if *total > *users as u64 {
            remarks.push(format!("The file has {users} of {total} users: export the other pages too."));
        }
        remarks
    }

    /// The members beside the users that are not read.
    fn beside(&self) -> BTreeMap<String, u64> {
        match self {
            Self::Documents(documents) => documents.beside.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// What a file of an unknown shape looks like, and what is expected.
    fn unknown(&self, names: &[&str]) -> String {
        let shown: Vec<_> = names.iter().take(MAX_NAMES_SHOWN).map(|name| shortened(name)).collect();
        let more = if names.len() > MAX_NAMES_SHOWN { ", …" } else { "" };
        let looks_like = match self {
            Self::Csv(_) if names.iter().any(|name| name.contains('@')) => {
                return "its first line looks like a user: put a line with the names of the columns before it, such \
                        as FirstName,LastName,Email"
                    .to_owned();
            }
            Self::Csv(_) => "it looks like CSV with the columns",
            _ => "it looks like JSON with the members",
        };
        format!("{looks_like} {}{more}, none of which is an e-mail address. {EXPECTED}", shown.join(", "))
    }

    fn rows(&self, text: &TextFile) -> io::Result<Rows> {
        let reader = text.read()?;
        Ok(match self {
            Self::Csv(sheet) => sheet.rows(reader)?,
            Self::JsonLines => Box::new(json_lines(reader)),
            Self::Documents(_) => {
                Box::new((1..).zip(documents(reader).flat_map(|document| match document {
                    Ok(document) => users_of(document).into_iter().map(object).collect(),
                    Err(error) => vec![Err(format!("cannot be read: {error}"))],
                })))
            }
        })
    }
}

/// A name as a sentence shows it. It comes from a file and may have any length.
fn shortened(name: &str) -> String {
    let mut short: String = name.chars().take(40).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

impl Sheet {
    fn of(text: &TextFile) -> io::Result<Self> {
        let mut sheet = Self { separator: b',', lines_before: 0, columns: Vec::new(), has_header: true };
        let mut separator = None;
        for line in text.read()?.lines() {
            let line = line.map_err(|_| io::Error::other("its first line is not UTF-8 text"))?;
            let said = separator_line(&line);
            if said.is_none() && !line.trim().is_empty() {
                sheet.separator = separator.unwrap_or_else(|| likely_separator(&line));
                break;
            }
            separator = said.or(separator);
            sheet.lines_before += 1;
        }
        let mut record = ByteRecord::new();
        let mut reader = sheet.reader(text.read()?)?;
        if !read_record(&mut reader, &mut record).map_err(io::Error::other)? {
            return Ok(sheet);
        }
        if is_open(&record) || record.iter().any(|cell| sheet.has_row(cell)) {
            return Err(io::Error::other("a quotation mark in its first line lacks its second"));
        }
        let cells: Vec<_> =
            record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        sheet.has_header = !is_firebase(&cells);
        if !sheet.has_header {
            let names = FIREBASE_COLUMNS.map(ToOwned::to_owned).into_iter();
            sheet.columns =
                names.chain((29..).map(|number| format!("column {number}"))).take(cells.len()).collect();
            return Ok(sheet);
        }
        let name =
            |(number, cell): (u32, String)| if cell.is_empty() { format!("column {number}") } else { cell };
        sheet.columns = (1..).zip(cells).map(name).collect();
        Ok(sheet)
    }

    /// A reader that begins at the column names.
    fn reader(&self, mut text: BufReader<LineEnds>) -> io::Result<CsvReader> {
        for _ in 0..self.lines_before {
            text.skip_until(b'\n')?;
        }
        let mut builder = ReaderBuilder::new();
        builder.delimiter(self.separator).has_headers(false).flexible(true);
        Ok(builder.terminator(Terminator::Any(b'\n')).from_reader(text.chain(END)))
    }

    fn rows(&self, text: BufReader<LineEnds>) -> io::Result<Rows> {
        let mut reader = self.reader(text)?;
        if self.has_header {
            read_record(&mut reader, &mut ByteRecord::new()).map_err(io::Error::other)?;
        }
        let sheet = self.clone();
        let mut record = ByteRecord::new();
        let mut is_broken = false;
        Ok(Box::new(std::iter::from_fn(move || {
            while !is_broken {
                let begin = reader.position().line();
                match read_record(&mut reader, &mut record) {
                    Ok(true) if record.iter().all(|cell| cell.trim_ascii().is_empty()) => {}
                    Ok(true) => {
                        // The reader reports its current line. A record begins as many lines earlier as it has itself,
                        // because empty lines may precede it.
                        // An open record ends without a line end.
                        let line_ends = line_ends(record.iter()) + 1 - u64::from(is_open(&record));
                        let line = reader.position().line().saturating_sub(line_ends).max(begin);
                        let line = sheet.lines_before + line;
                        return Some((line, sheet.fields(&record, line)));
                    }
                    Ok(false) => return None,
                    Err(error) => {
                        is_broken = true;
                        return Some((sheet.lines_before + begin, Err(format!("cannot be read: {error}"))));
                    }
                }
            }
            None
        })))
    }

    /// Whether a cell has several lines, and one of them looks like a row: it has cells, and one is an address.
    fn has_row(&self, cell: &[u8]) -> bool {
        // Text has a space after a comma. In a row with such spaces no quotation mark opens a cell.
        let is_address = |cell: &[u8]| {
            str::from_utf8(cell).is_ok_and(|cell| !cell.starts_with(' ') && cell.parse::<Email>().is_ok())
        };
        let is_row = |line: &[u8]| {
            line.contains(&self.separator) && line.split(|byte| *byte == self.separator).any(is_address)
        };
        cell.contains(&b'\n') && cell.split(|byte| *byte == b'\n').any(is_row)
    }

    /// The filled cells of a record by their columns. It begins in `line`.
    fn fields(&self, record: &ByteRecord, line: u64) -> Result<Fields, String> {
        let is_filled = |cell: &&[u8]| !cell.is_empty();
        let (length, expected) = (record.len(), self.columns.len());
        if is_open(record) {
            let line = line + line_ends(record.iter().take(length - 1));
            return Err(format!(
                "has a quotation mark in line {line} that nothing closes: the rest of the file is in it"
            ));
        }
        // Spreadsheets add empty cells. Where there are no column names, another cell moves all after it.
        let has_more = record.iter().skip(expected).any(|cell| !self.has_header || is_filled(&cell));
        if length < expected || has_more {
            let quote = if record.as_slice().contains(&b'\n') {
                "; a quotation mark in it may lack its second"
            } else {
                ""
            };
            return Err(format!("has {length} cells, where the first line has {expected} columns{quote}"));
        }
        if record.iter().any(|cell| self.has_row(cell)) {
            return Err(
                "has a cell with a line that looks like a user; a quotation mark may lack its second"
                    .to_owned(),
            );
        }
        let filled = self.columns.iter().zip(record).filter(|(_, cell)| is_filled(cell));
        filled
            .map(|(name, cell)| match str::from_utf8(cell) {
                Ok(cell) => Ok((name.clone(), Value::from(cell))),
                Err(_) => Err("is not UTF-8 text".to_owned()),
            })
            .collect()
    }
}

type CsvReader = csv::Reader<Chain<BufReader<LineEnds>, &'static [u8]>>;

/// Reads the next record. After the last there is none.
fn read_record(reader: &mut CsvReader, record: &mut ByteRecord) -> csv::Result<bool> {
    Ok(reader.read_byte_record(record)? && record.as_slice() != END)
}

/// Whether a record has a quotation mark that nothing closes. It goes on to the end of the file.
fn is_open(record: &ByteRecord) -> bool {
    record.as_slice().ends_with(END)
}

fn line_ends<'a>(cells: impl Iterator<Item = &'a [u8]>) -> u64 {
    cells.flatten().filter(|byte| **byte == b'\n').count() as u64
}

/// The separator of Excel's line `sep=;`.
fn separator_line(line: &str) -> Option<u8> {
    let line = line.trim_end_matches(['\n', '\r']).trim_matches('"');
    let (name, separator) = line.split_at_checked(4)?;
    match separator.as_bytes() {
        [separator] if name.eq_ignore_ascii_case("sep=") => Some(*separator),
        _ => None,
    }
}

/// The separator by which a column of this line holds addresses; of several, or without, the most frequent outside quotes.
fn likely_separator(line: &str) -> u8 {
    let outside: String = line.split('"').step_by(2).collect();
    let count = |separator: char| outside.matches(separator).count();
    let has_address = |separator: char| {
        line.split(separator).any(|name| Dialect::Users.has_users(&[name.trim().trim_matches('"')]))
    };
    let likely =
        SEPARATORS.into_iter().rev().max_by_key(|separator| (has_address(*separator), count(*separator)));
    likely.and_then(|separator| u8::try_from(separator).ok()).unwrap_or(b',')
}

/// Whether a line is a user from Firebase, whose CSV has no line of column names.
fn is_firebase(cells: &[String]) -> bool {
    let [id, email, verified, ..] = cells else { return false };
    let has_length = (26..=30).contains(&cells.len());
    has_length
        && !id.is_empty()
        && (email.is_empty() || email.contains('@'))
        && ["true", "false"].contains(&verified.as_str())
}

fn json_lines(reader: BufReader<LineEnds>) -> impl Iterator<Item = (u64, Result<Fields, String>)> {
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

fn object(value: Json) -> Result<Fields, String> {
    match value.into_value() {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("is not a JSON object".to_owned()),
        Err(name) => Err(has_twice(&name)),
    }
}

fn documents(reader: BufReader<LineEnds>) -> impl Iterator<Item = serde_json::Result<Json>> {
    serde_json::Deserializer::from_reader(reader).into_iter()
}

/// The member of a document that holds its users.
fn users_member(document: &Json) -> Option<&'static str> {
    let holds = |name: &&str| matches!(document.get(name), Some(Json::Array(_)));
    ["users", "Users"].into_iter().find(holds)
}

fn is_document(value: &Json) -> bool {
    matches!(value, Json::Array(_)) || users_member(value).is_some() || is_realm(value)
}

/// Whether a document is a realm of Keycloak.
fn is_realm(document: &Json) -> bool {
    let has = |name: &str| document.get(name).is_some();
    has("realm") && !has("email") && !has("Email")
}

/// The users of a document: of an array, of an object with an array of users, or the object itself.
fn users_of(document: Json) -> Vec<Json> {
    let member = users_member(&document);
    match (document, member) {
        (Json::Array(values), _) => values.into_iter().flat_map(users_of).collect(),
        (Json::Object(members), Some(member)) => {
            let users = members.into_iter().filter(|(name, _)| name == member);
            users.flat_map(|(_, users)| users_of(users)).collect()
        }
        (document, _) => vec![document],
    }
}

impl Documents {
    fn of(text: &TextFile) -> io::Result<Self> {
        let mut found = Self::default();
        for document in documents(text.read()?) {
            let document = document.map_err(|error| {
                let (line, column) = (error.line(), error.column());
                io::Error::other(format!("it is not whole JSON: line {line}, column {column}"))
            })?;
            found.look_at(&document)?;
        }
        Ok(found)
    }

    fn look_at(&mut self, document: &Json) -> io::Result<()> {
        let users = users_member(document).and_then(|name| document.get(name));
        let has_users = users.is_some();
        if let Json::Array(values) = users.unwrap_or(document)
            && !values.is_empty()
            && values.iter().all(|value| matches!(value, Json::Scalar(_)))
        {
            let what = format!("it is a list of texts or numbers, not of users. {EXPECTED}");
            return Err(io::Error::other(what));
        }
        if let Json::Array(documents) = document {
            return documents.iter().try_for_each(|document| self.look_at(document));
        }
        let is_realm = is_realm(document);
        self.is_realm |= is_realm;
        if let Some(Json::Array(federated)) = document.get("federatedUsers") {
            if !has_users {
                return Err(io::Error::other(
                    "it looks like Keycloak's federated users, whose names and addresses are in the directory that \
                     they come from: export them there. Expected are Keycloak's files with users, *-users-0.json",
                ));
            }
            self.federated_users += federated.len();
        }
        if let Some(member) = users_member(document) {
            self.look_beside(document, member, is_realm);
        }
        if is_realm && !has_users {
            return Err(io::Error::other(
                "it looks like a Keycloak realm without users. Expected is an export with them: \
                 `kc.sh export --users realm_file`, or its files *-users-0.json",
            ));
        }
        Ok(())
    }

    /// Notes what a document has beside its users. A realm is settings, apart from its groups and organizations.
    fn look_beside(&mut self, document: &Json, users: &str, is_realm: bool) {
        let Json::Object(members) = document else { return };
        self.has_next = false;
        for (name, value) in members {
            let is_empty = match value {
                Json::Scalar(value) => value.is_null() || *value == "" || *value == false,
                Json::Array(values) => values.is_empty(),
                Json::Object(members) => members.is_empty(),
            };
            match (name.as_str(), value) {
                (name, Json::Array(values)) if name == users => self.users += values.len(),
                ("total", Json::Scalar(total)) => {
                    self.total = self.total.max(total.as_u64().unwrap_or_default());
                }
                (name, _) if NEXT_PAGE.contains(&name) => self.has_next |= !is_empty,
                ("federatedUsers", _) => {}
                (name, _) => {
                    let is_read = ABOUT_PAGE.contains(&name);
                    let is_setting = is_realm && !["groups", "organizations"].contains(&name);
                    if !is_empty && !is_read && !is_setting && self.beside.len() < MAX_UNREAD {
                        *self.beside.entry(name.to_owned()).or_default() += 1;
                    }
                }
            }
        }
    }
}
