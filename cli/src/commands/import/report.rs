//! The file that lists the rows with problems, and why.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::files::{self, OutputKind};

const HEADER: [&str; 4] = ["Line", "Outcome", "Field", "Reason"];

const KIND: OutputKind = OutputKind {
    name: "the report of an import",
    is_one: |head| {
        // The whole first line. Windows' line ends are those of a spreadsheet that saved it.
        let after_header = head.strip_prefix(HEADER.join(",").as_bytes());
        after_header.is_some_and(|rest| rest.starts_with(b"\n") || rest.starts_with(b"\r\n"))
    },
};

/// How much of a report is final, and what that is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReportPosition {
    bytes: u64,
    /// The SHA-256 of these bytes; empty if there are none.
    digest: String,
}

/// The report of an import: a CSV file, created only if there is something to report.
pub(super) struct Report {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    digest: Context,
}

impl Report {
    /// A new report. `inputs` are the files that are read. An earlier report is replaced only with `force`.
    pub(super) fn create(path: &Path, inputs: &[&Path], force: bool) -> Result<Self, String> {
        KIND.check(path, inputs, force)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {error}", path.display()))
            }
            _ => Ok(Self { path: path.to_owned(), file: None, bytes: 0, digest: Context::new(&SHA256) }),
        }
    }

    /// The report of an interrupted import, which continues after what is final.
    pub(super) fn resume(
        path: &Path,
        position: &ReportPosition,
        inputs: &[&Path],
        force: bool,
    ) -> Result<Self, String> {
        if position.bytes == 0 {
            // A report that is there may be that of another import.
            return Self::create(path, inputs, force);
        }
        let changed = |why: &dyn std::fmt::Display| {
            format!(
                "the report about the rows so far, {}, {why}: put it back, or begin anew with --restart",
                path.display()
            )
        };
        let mut report =
            Self { path: path.to_owned(), file: None, bytes: position.bytes, digest: Context::new(&SHA256) };
        files::digest_start(path, position.bytes, &mut report.digest).map_err(|error| {
            match error.kind() {
                ErrorKind::NotFound => changed(&"is missing"),
                ErrorKind::UnexpectedEof => changed(&"was changed"),
                _ => changed(&format!("cannot be read ({error})")),
            }
        })?;
        if report.position() != *position {
            return Err(changed(&"was changed"));
        }
        let open = || {
            let mut file = files::open_private(path)?;
            // Lines after the last stored progress will be written again.
            file.set_len(position.bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        report.file =
            Some(open().map_err(|error: io::Error| changed(&format!("cannot be written ({error})")))?);
        Ok(report)
    }

    /// Adds a row: its outcome, the field, and a sentence without the field's value.
    pub(super) fn add(&mut self, line: u64, outcome: &str, field: &str, reason: &str) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(files::create_private(&self.path)?);
            self.write(&HEADER)?;
        }
        self.write(&[&line.to_string(), outcome, field, reason])
    }

    fn write(&mut self, cells: &[&str]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(cells)?;
        let row = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
        if let Some(file) = &mut self.file {
            file.write_all(&row)?;
        }
        self.bytes += row.len() as u64;
        self.digest.update(&row);
        Ok(())
    }

    /// What is written so far.
    pub(super) fn position(&self) -> ReportPosition {
        if self.bytes == 0 {
            return ReportPosition::default();
        }
        let digest = BASE64URL.encode(self.digest.clone().finish());
        ReportPosition { bytes: self.bytes, digest }
    }

    /// The file, if there was something to report.
    pub(super) fn written(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }
}
