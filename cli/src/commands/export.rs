//! `users export`

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use operator::table::{OperatorTable, PersonalData, Record};
use serde::Serialize;
use serde_json::Value;
use shared::model::UserId;

use super::progress::Progress;
use super::{Failure, Output, TableArguments};
use crate::files::NewFile;
use crate::transfer::{COLUMNS, ExportedOrganization, ExportedUser, neutralise};

/// How many users' password hashes are requested at once.
const USERS_AT_ONCE: usize = 100;
/// The column of the password hashes, if they are exported.
const PASSWORD_HASH: &str = "PasswordHash";

#[derive(Args)]
pub(super) struct Export {
    /// The file to write, readable only by its owner; an existing file is not replaced. Standard output if none is
    /// given
    file: Option<PathBuf>,
    /// jsonl or csv; if not given, by the file's ending, else jsonl
    #[arg(long, hide_possible_values = true)]
    format: Option<Format>,
    /// Write the hashes of passwords too: whoever has them can guess the passwords
    #[arg(long)]
    with_password_hashes: bool,
    /// Write CSV cells as they are, for a program: without it, '=1 stands for =1, which a spreadsheet would run
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    table: TableArguments,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A JSON object a line: the organizations, then the users
    Jsonl,
    /// The same as rows, in which memberships and customer associations are JSON
    Csv,
}

/// What was written.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    file: String,
    organizations: usize,
    users: u64,
    /// Items that belong to no user or cannot be read.
    left_out: u64,
}

pub(super) async fn run(arguments: Export, output: Output) -> Result<(), Failure> {
    let Export { file, format, with_password_hashes, raw, table } = arguments;
    let is_csv = file.as_ref().is_some_and(|file| file.extension().is_some_and(|ending| ending == "csv"));
    let format = format.unwrap_or(if is_csv { Format::Csv } else { Format::Jsonl });
    let table = table.open().await?;
    let shown = file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    let cannot = |error| Failure::refused(format!("cannot make {shown}: {error}"));
    let mut new_file = file.as_deref().map(NewFile::begin).transpose().map_err(cannot)?;
    let organizations = table.all_organizations().await?;
    let destination: Box<dyn Write + '_> = match &mut new_file {
        Some(new_file) => Box::new(BufWriter::new(new_file.file())),
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let mut writer = Writer::new(format, destination, with_password_hashes, raw)?;
    for organization in &organizations {
        writer.write(&ExportedOrganization::from(organization))?;
    }
    let mut exporter =
        Exporter { table: &table, writer, with_password_hashes, waiting: Vec::new(), users: 0, left_out: 0 };
    exporter.export(output).await?;
    let (users, left_out) = (exporter.users, exporter.left_out);
    drop(exporter);
    if let Some(new_file) = new_file {
        new_file.finish().map_err(cannot)?;
        output.record(&View { file: shown, organizations: organizations.len(), users, left_out })?;
    }
    if left_out > 0 {
        let message = format!(
            "{left_out} items are not in the export, for they are of no user or cannot be read: `users doctor --scan` \
             names them"
        );
        return Err(Failure::refused(message));
    }
    Ok(())
}

/// Writes all users.
struct Exporter<'a> {
    table: &'a OperatorTable,
    writer: Writer<'a>,
    with_password_hashes: bool,
    /// Users to write. More records of the last one may follow.
    waiting: Vec<PersonalData>,
    users: u64,
    left_out: u64,
}

impl Exporter<'_> {
    async fn export(&mut self, output: Output) -> Result<(), Failure> {
        let mut progress = Progress::begin("users", 0, None, output);
        let mut start = None;
        loop {
            let page = self.table.records(start).await?;
            for record in page.records {
                self.gather(record).await?;
                progress.advance_to(self.users);
            }
            start = page.next;
            if start.is_none() {
                break;
            }
        }
        self.write_waiting().await?;
        self.writer.finish()?;
        progress.end(self.users);
        Ok(())
    }

    async fn gather(&mut self, record: Record) -> Result<(), Failure> {
        let id = match &record {
            Record::User { user, .. } => &user.id,
            Record::Membership { user_id, .. } => user_id,
            Record::CustomerAssociation(association) => &association.user_id,
            Record::Broken { .. } => {
                self.left_out += 1;
                return Ok(());
            }
            _ => return Ok(()),
        };
        let id = id.clone();
        self.waiting(id).await?.add(record);
        Ok(())
    }

    /// The incomplete user to which a record belongs. A user's records are adjacent.
    async fn waiting(&mut self, id: UserId) -> Result<&mut PersonalData, Failure> {
        if self.waiting.last().is_none_or(|last| last.id != id) {
            if self.waiting.len() >= USERS_AT_ONCE {
                self.write_waiting().await?;
            }
            self.waiting.push(PersonalData::new(id));
        }
        self.waiting.last_mut().ok_or_else(|| Failure::refused("no user is waiting"))
    }

    async fn write_waiting(&mut self) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut self.waiting);
        let ids: Vec<_> = waiting.iter().map(|user| user.id.clone()).collect();
        let hashes =
            if self.with_password_hashes { self.table.password_hashes(&ids).await? } else { HashMap::new() };
        for user in waiting {
            let hash = hashes.get(&user.id);
            // Parts without a user are left over from an interrupted deletion.
            let parts = user.memberships.len() + user.customer_associations.len();
            match ExportedUser::of(user, hash)? {
                Some(user) => {
                    self.writer.write(&user)?;
                    self.users += 1;
                }
                None => self.left_out += parts as u64,
            }
        }
        Ok(())
    }
}

/// Writes rows of either kind.
enum Writer<'a> {
    Jsonl(Box<dyn Write + 'a>),
    Csv { writer: Box<csv::Writer<Box<dyn Write + 'a>>>, columns: Vec<&'static str>, is_raw: bool },
}

impl<'a> Writer<'a> {
    fn new(
        format: Format,
        destination: Box<dyn Write + 'a>,
        with_password_hashes: bool,
        is_raw: bool,
    ) -> Result<Self, Failure> {
        if format == Format::Jsonl {
            return Ok(Self::Jsonl(destination));
        }
        let hashes = with_password_hashes.then_some(PASSWORD_HASH);
        let columns: Vec<_> = COLUMNS.into_iter().chain(hashes).collect();
        let mut writer = Box::new(csv::Writer::from_writer(destination));
        writer.write_record(&columns).map_err(fault)?;
        Ok(Self::Csv { writer, columns, is_raw })
    }

    fn write(&mut self, row: &impl Serialize) -> Result<(), Failure> {
        match self {
            Self::Jsonl(destination) => {
                serde_json::to_writer(&mut *destination, row).map_err(fault)?;
                destination.write_all(b"\n").map_err(fault)
            }
            Self::Csv { writer, columns, is_raw } => {
                let row = serde_json::to_value(row).map_err(fault)?;
                let cells = columns.iter().map(|column| match row.get(column) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text.clone(),
                    Some(list) => list.to_string(),
                });
                let cells = cells.map(|cell| if *is_raw { cell } else { neutralise(cell) });
                writer.write_record(cells).map_err(fault)
            }
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match self {
            Self::Jsonl(destination) => destination.flush().map_err(fault),
            Self::Csv { writer, .. } => writer.flush().map_err(fault),
        }
    }
}

fn fault(error: impl std::fmt::Display) -> Failure {
    Failure::refused(format!("the export cannot be written: {error}"))
}
