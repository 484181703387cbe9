//! How an operator reaches a table.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use shared::http_client::TrustedRoots;
use shared::settings::SettingsError;
use shared::table::Table;
use shared::table::storage::{http_client, sdk_http_client, trusted_roots};

use super::OperatorTable;

/// How to reach a table.
#[derive(Clone, Debug, Default)]
pub struct ConnectionOptions {
    /// The DynamoDB API's URL, if it is not the region's own.
    pub endpoint_url: Option<String>,
    /// The AWS region, if it is not the environment's.
    pub region: Option<String>,
    /// The profile in the AWS configuration files, if it is not the environment's.
    pub profile: Option<String>,
}

impl OperatorTable {
    /// The table `name`, reached with the usual AWS configuration.
    ///
    /// # Errors
    /// Says why the certificates of `AWS_CA_BUNDLE` cannot be used.
    pub async fn from_user_environment(
        name: &str,
        options: ConnectionOptions,
    ) -> Result<Self, SettingsError> {
        let http_client = sdk_http_client(http_client(trusted_roots()?));
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client);
        if let Some(region) = options.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(profile) = options.profile {
            loader = loader.profile_name(profile);
        }
        Ok(Self::new(&open(&loader.load().await, options.endpoint_url, name)))
    }

    /// The table `name` of a DynamoDB API that asks for no real credentials, such as the local one.
    #[must_use]
    pub fn local(name: &str, url: &str) -> Self {
        Self::new(&local_table(name, url))
    }
}

/// The table `name` of a DynamoDB API that asks for no real credentials, with the time-outs of a function.
#[must_use]
pub fn local_table(name: &str, url: &str) -> Table {
    let credentials = Credentials::new("local", "local", None, None, "local");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(sdk_http_client(http_client(TrustedRoots::mozilla())));
    open(&config.build(), Some(url.to_owned()), name)
}

fn open(config: &SdkConfig, endpoint_url: Option<String>, name: &str) -> Table {
    Table::new(Client::from_conf(Table::client_config(config, endpoint_url).build()), name)
}
