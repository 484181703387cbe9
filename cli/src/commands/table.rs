//! `users table`

use serde::Serialize;
use shared::table::TableDescription;

use super::{Failure, TableCommand, output};

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
        let TableDescription { name, status, keys, ttl_attribute, item_count } = table;
        Self { table_name: name, status, keys, ttl_attribute, item_count }
    }
}

pub(super) async fn run(command: TableCommand) -> Result<(), Failure> {
    let (arguments, create) = match command {
        TableCommand::Create(arguments) => (arguments, true),
        TableCommand::Describe(arguments) => (arguments, false),
    };
    let json = arguments.json;
    let table = arguments.open().await?;
    if create && !table.create().await? {
        return Err(Failure::new(format!("the table {} is there already", table.name())));
    }
    let description = table.describe().await?.ok_or_else(|| {
        Failure::new(format!("there is no table {}: `users table create` makes it", table.name()))
    })?;
    output::record(&View::from(description), json)
}
