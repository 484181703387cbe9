//! Users in files: what this service writes, and what identity providers export.

mod account;
mod export;
mod providers;
mod source;

pub(crate) use account::{Account, Defaults, Entry, Wrong};
pub(crate) use export::{COLUMNS, ExportedOrganization, ExportedUser};
pub(crate) use providers::Dialect;
pub(crate) use source::{Row, Source};

/// The fields of a row, by the document's names.
pub(crate) type Fields = serde_json::Map<String, serde_json::Value>;
