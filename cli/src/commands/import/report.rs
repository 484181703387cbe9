//! The file that says which rows are not as they should be, and why.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The report of an import: a CSV file, made when there is something to say.
pub(super) struct Report {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl Report {
    /// A report that goes on after its first `bytes`; with 0 of them, anew.
    pub(super) fn open(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut report = Self { path: path.to_owned(), file: None, bytes: 0 };
        if bytes > 0 {
            let mut file = OpenOptions::new().write(true).open(path)?;
            // What was said after the last note of how far it was will be said again.
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0))?;
            report.file = Some(file);
            report.bytes = bytes;
        } else if path.exists() {
            std::fs::remove_file(path)?;
        }
        Ok(report)
    }

    /// Adds a row: what became of it, which field it is about, and a sentence without what the field holds.
    pub(super) fn add(&mut self, line: u64, outcome: &str, field: &str, reason: &str) -> io::Result<()> {
        let file = if let Some(file) = &mut self.file {
            file
        } else {
            let mut file = File::create(&self.path)?;
            self.bytes += write(&mut file, &["Line", "Outcome", "Field", "Reason"])?;
            self.file.insert(file)
        };
        self.bytes += write(file, &[&line.to_string(), outcome, field, reason])?;
        Ok(())
    }

    /// How much is written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file, if there was something to say.
    pub(super) fn written(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }
}

fn write(file: &mut File, cells: &[&str]) -> io::Result<u64> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    let row = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    file.write_all(&row)?;
    Ok(row.len() as u64)
}
