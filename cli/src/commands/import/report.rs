//! The file that lists the rows with problems, and why.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The report of an import: a CSV file, created only if there is something to report.
pub(super) struct Report {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl Report {
    /// A report that continues after its first `bytes`; with 0, a new one.
    pub(super) fn open(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut report = Self { path: path.to_owned(), file: None, bytes: 0 };
        if bytes > 0 {
            let mut file = OpenOptions::new().write(true).open(path)?;
            // Lines after the last stored progress will be written again.
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0))?;
            report.file = Some(file);
            report.bytes = bytes;
        } else if path.exists() {
            std::fs::remove_file(path)?;
        }
        Ok(report)
    }

    /// Adds a row: its outcome, the field, and a sentence without the field's value.
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

    /// The number of bytes written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file, if there was something to report.
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
