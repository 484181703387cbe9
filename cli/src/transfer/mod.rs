//! Users in files: what this service writes, and what identity providers export.

mod account;
mod cells;
mod export;
mod json;
mod providers;
mod source;
mod text;
mod user;

pub(crate) use account::{Defaults, Entry, MissingNames, Wrong};
pub(crate) use cells::neutralise;
pub(crate) use export::{COLUMNS, ExportedOrganization, ExportedUser};
pub(crate) use providers::Dialect;
pub(crate) use source::{Row, Source};
pub(crate) use user::LostPassword;

/// The fields of a row, by the document's names.
pub(crate) type Fields = serde_json::Map<String, serde_json::Value>;
