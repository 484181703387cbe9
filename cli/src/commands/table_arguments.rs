//! Which table a command works on.

use std::fmt;
use std::net::Ipv4Addr;

use clap::Args;
use operator::table::{ConnectionOptions, OperatorTable};

use super::{DYNAMODB_PORT, Failure};
use crate::local;

/// Which table.
#[derive(Args, Clone)]
#[command(next_help_heading = "Table")]
pub(super) struct TableArguments {
    /// The table's name
    #[arg(long, value_name = "NAME", default_value = local::TABLE_NAME, env = super::TABLE_VARIABLE, hide_env_values = true,
        value_parser = table_name)]
    pub(super) table: String,
    /// The DynamoDB API's URL; by default the local system's
    #[arg(long, value_name = "URL", env = super::ENDPOINT_URL_VARIABLE, hide_env_values = true)]
    endpoint_url: Option<String>,
    /// The AWS region; the table is then reached with the usual AWS credentials
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// The AWS profile; the table is then reached with its credentials
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

/// Which table, as text.
impl fmt::Display for TableArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, endpoint_url, region, profile } = self;
        f.write_str(table)?;
        for part in [endpoint_url, region, profile] {
            write!(f, " {}", part.as_deref().unwrap_or("-"))?;
        }
        Ok(())
    }
}

impl TableArguments {
    /// Whether the table is one that asks for no AWS credentials.
    pub(super) fn is_local(&self) -> bool {
        self.region.is_none() && self.profile.is_none()
    }

    pub(super) async fn open(&self) -> Result<OperatorTable, Failure> {
        let Self { table, endpoint_url, region, profile } = self.clone();
        if self.is_local() {
            let local = || format!("http://{}:{DYNAMODB_PORT}", Ipv4Addr::LOCALHOST);
            return Ok(OperatorTable::local(&table, &endpoint_url.unwrap_or_else(local)));
        }
        let options = ConnectionOptions { endpoint_url, region, profile };
        let opened = OperatorTable::from_user_environment(&table, options).await;
        opened.map_err(|error| Failure::refused(error.to_string()))
    }
}

/// A table's name as DynamoDB accepts it (API Reference, "CreateTable"), or an ARN, which names a table of another
/// account.
pub(super) fn table_name(text: &str) -> Result<String, &'static str> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    if text.starts_with("arn:") || ((3..=255).contains(&text.len()) && text.chars().all(fits)) {
        Ok(text.to_owned())
    } else {
        Err("a table name has 3 to 255 characters: letters, digits, `_`, `.` and `-`")
    }
}
