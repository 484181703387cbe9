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
    #[arg(long, value_name = "NAME", default_value = local::TABLE_NAME)]
    pub(super) table: String,
    /// The DynamoDB API's URL; the local system's, unless a region or a profile is given
    #[arg(long, value_name = "URL")]
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
