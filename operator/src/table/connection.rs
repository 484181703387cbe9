//! How an operator reaches a table.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::endpoint::Params;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_types::service_config::ServiceConfigKey;
use shared::aws::{Client, ClientSettings, Service};
use shared::http_client::{Proxies, TrustedRoots};
use shared::settings::{SettingsError, SettingsReader};
use shared::table::Table;
use shared::table::storage::{http_client, read_http_client};

use super::OperatorTable;
use super::connector::sdk_http_client;

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
    /// Says why the certificates of `AWS_CA_BUNDLE` or the proxy of `HTTPS_PROXY` cannot be used, which variable is
    /// neither `true` nor `false`, or that there are no credentials.
    pub async fn from_user_environment(
        name: &str,
        options: ConnectionOptions,
    ) -> Result<Self, SettingsError> {
        let mut reader = SettingsReader::of_environment();
        let http_client = read_http_client(&mut reader);
        // The SDK would take no notice of another value.
        let _ = (reader.flag("AWS_USE_FIPS_ENDPOINT"), reader.flag("AWS_USE_DUALSTACK_ENDPOINT"));
        let http_client = reader.finish(http_client)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        loader = loader.http_client(sdk_http_client(http_client.clone()));
        if let Some(region) = options.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(profile) = options.profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        let endpoint_url = options.endpoint_url.or_else(|| configured_endpoint_url(&config));
        let account_mode = config.account_id_endpoint_mode().map(ToString::to_string);
        let region = config.region().map(ToString::to_string);
        let credentials = config.credentials_provider();
        let credentials =
            credentials.ok_or_else(|| SettingsError(vec!["AWS_PROFILE gives no credentials".to_owned()]))?;
        let client = Client::new(ClientSettings {
            service: Service::DynamoDb,
            endpoint: Params::builder()
                .set_region(region.clone())
                .set_endpoint(endpoint_url)
                .set_use_fips(config.use_fips())
                .set_use_dual_stack(config.use_dual_stack())
                .set_account_id_endpoint_mode(account_mode),
            region,
            credentials,
            http_client,
        });
        Ok(Self::new(&Table::new(client, name)))
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
    let region = "us-east-1";
    let client = Client::new(ClientSettings {
        service: Service::DynamoDb,
        endpoint: Params::builder().region(region).endpoint(url),
        region: Some(region.to_owned()),
        credentials: SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "local")),
        http_client: http_client(TrustedRoots::mozilla(), Proxies::none()),
    });
    Table::new(client, name)
}

/// The DynamoDB API's URL that the environment or the profile names.
fn configured_endpoint_url(config: &SdkConfig) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id("DynamoDB").env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let of_service = config.service_config().and_then(|config| config.load_config(key.build().ok()?));
    of_service.or_else(|| config.endpoint_url().map(str::to_owned))
}
