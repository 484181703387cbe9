//! The progress of an import, stored beside its file so that the same command continues after a kill.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::Counts;

/// What is imported, and where to. If this differs, the import starts from the beginning.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Job {
    table: String,
    options: String,
    bytes: u64,
    modified: u128,
}

impl Job {
    /// The job of importing a file as it is now.
    pub(super) fn new(file: &Path, table: String, options: String) -> io::Result<Self> {
        let metadata = fs::metadata(file)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { table, options, bytes: metadata.len(), modified: modified.as_nanos() })
    }
}

/// How far it is.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Position {
    /// The outcome of the rows so far.
    pub(super) counts: Counts,
    /// The length of the report about them.
    pub(super) report_bytes: u64,
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
    pub(super) fn beside(file: &Path, job: Job) -> Self {
        Self { path: with_ending(file, "import-progress"), job }
    }

    /// The progress of the same job, if it was interrupted.
    pub(super) fn read(&self) -> Option<Position> {
        let content: Content = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        (content.job == self.job).then_some(content.position)
    }

    /// Stores the progress. A kill during this leaves the previous file.
    pub(super) fn write(&self, position: &Position) -> io::Result<()> {
        let draft = with_ending(&self.path, "draft");
        let content = Content { job: self.job.clone(), position: position.clone() };
        fs::write(&draft, serde_json::to_vec(&content)?)?;
        fs::rename(&draft, &self.path)
    }

    /// Removes the file, because the import is done.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
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
