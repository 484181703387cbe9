//! `users table`

use clap::Subcommand;
use operator::table::TableDescription;
use serde::Serialize;

use super::{Failure, Output, TableArguments};

#[derive(Subcommand)]
pub(super) enum TableCommand {
    /// Creates the table, with its keys and its TTL
    #[command(after_help = "Example:\n  users table create --region eu-central-1")]
    Create(TableArguments),
    /// Describes the table
    #[command(after_help = "Example:\n  users table describe --json")]
    Describe(TableArguments),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    table_name: String,
    status: String,
    keys: Vec<String>,
    ttl_attribute: Option<String>,
    item_count: i64,
}

impl From<TableDescription> for View {
    fn from(table: TableDescription) -> Self {
        let TableDescription { name, status, keys, ttl_attribute, item_count, .. } = table;
        Self { table_name: name, status, keys, ttl_attribute, item_count }
    }
}

pub(super) async fn run(command: TableCommand, output: Output) -> Result<(), Failure> {
    let (arguments, create) = match command {
        TableCommand::Create(arguments) => (arguments, true),
        TableCommand::Describe(arguments) => (arguments, false),
    };
    let table = arguments.open().await?;
    if create && !table.create().await? {
        return Err(Failure::refused(format!("the table {} is there already", table.name())));
    }
    let description = table.describe().await?.ok_or_else(|| {
        Failure::refused(format!("there is no table {}: `users table create` makes it", table.name()))
    })?;
    output.record(&View::from(description))
}
