//! The progress of an import, stored beside its file so that the same command continues after a kill.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::Counts;
use super::report::ReportPosition;
use crate::files;

/// What is imported, how, and where to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Job {
    /// A digest of the arguments.
    arguments: String,
    /// A digest of the content of each file that is read.
    inputs: Vec<String>,
    /// The identity of the table, if its server gives one.
    table: Option<String>,
}

impl Job {
    /// The job of a command with these arguments that reads these files as they are now and writes to this table.
    pub(super) fn new(arguments: &str, inputs: &[&Path], table: Option<String>) -> io::Result<Self> {
        let inputs = inputs.iter().map(|input| Ok(BASE64URL.encode(files::digest(input)?)));
        Ok(Self {
            arguments: BASE64URL.encode(digest(&SHA256, arguments.as_bytes())),
            inputs: inputs.collect::<io::Result<_>>()?,
            table,
        })
    }
}

/// How far it is.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Position {
    /// The outcome of the rows so far.
    pub(super) counts: Counts,
    /// The report about them.
    pub(super) report: ReportPosition,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    job: Job,
    position: Position,
}

/// The file with the progress of an import.
pub(super) struct Checkpoint {
    path: PathBuf,
    job: Job,
}

impl Checkpoint {
    pub(super) fn new(path: PathBuf, job: Job) -> Self {
        Self { path, job }
    }

    /// The progress of the same job, if it was interrupted.
    ///
    /// # Errors
    /// Says that an interrupted import was another one, or that the file is not the progress of an import.
    pub(super) fn read(&self, restart: bool) -> Result<Option<Position>, String> {
        let path = self.path.display();
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot read {path}: {error}")),
        };
        let Ok(Content { job, position }) = serde_json::from_slice(&text) else {
            return Err(format!(
                "{path} is there, and it is not the progress of an import by this version: move it elsewhere"
            ));
        };
        if restart {
            return Ok(None);
        }
        if job == self.job {
            return Ok(Some(position));
        }
        let rows = position.counts.rows;
        if rows == 0 {
            return Ok(None);
        }
        let what = if job.inputs != self.job.inputs {
            "another content of the files"
        } else if job.arguments != self.job.arguments {
            "other arguments"
        } else {
            "another table of this name"
        };
        Err(format!(
            "an import of this file was interrupted after {rows} rows, with {what}: give it as it was, or begin anew \
             with --restart"
        ))
    }

    /// Stores the progress. A kill during this leaves the previous file.
    pub(super) fn write(&self, position: &Position) -> io::Result<()> {
        let content = Content { job: self.job.clone(), position: position.clone() };
        files::replace_private(&self.path, &serde_json::to_vec(&content)?)
    }

    /// Removes the file, because the import is done.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// `users.csv` with the ending `x` is `users.csv.x`.
pub(super) fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
