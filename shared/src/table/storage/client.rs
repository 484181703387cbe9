//! The DynamoDB client: how a table is reached, and the reads and writes of single items and pages.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{ReconnectMode, RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{SharedCredentialsProvider, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::item::{Item, NewItem};
use super::keys::{Key, Range};
use super::page::{Page, PageStart};
use super::{connector, errors};
use crate::clock::Clock;
use crate::error::Error;
use crate::http_client::{HttpClient, Proxies, TrustedRoots};
use crate::settings::SettingsError;

/// How long one attempt of a call may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);
/// How many attempts a call has, the first one included.
const MAX_ATTEMPTS: u32 = 3;
/// The SDK waits a random part of this before the second attempt ("full jitter"), and of twice as much before the
/// third.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// What a process may spend on retries: 5 per retry (10 after a time-out). Successful calls pay it back. Once it is
/// spent, requests no longer retry against a table that is down.
const RETRY_BUDGET: usize = 100;
/// When an idle connection is dropped. DynamoDB drops it after about 60 s, and a function that was frozen meanwhile
/// would find it dead.
const KEEP_IDLE: Duration = Duration::from_secs(50);
/// The most keys that one BatchGetItem takes.
const MAX_BATCH_KEYS: usize = 100;
/// How many batches are in flight at once.
const MAX_BATCHES_AT_ONCE: usize = 8;
/// How often a batch is requested while the table leaves some of its keys unprocessed.
const MAX_BATCH_ROUNDS: u32 = 5;

/// The one DynamoDB table. A clone is a handle to the same connections.
///
/// Its methods are the access patterns. Each takes and returns types of [`crate::model`]. It fails with
/// [`Error::unavailable`] if the table cannot be reached or still throttles after the retries (three attempts of at
/// most 1.5 s each), and with [`Error::defect`] if an item is not one that this service writes.
#[derive(Clone)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// The table `name`, reached with this client.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.to_owned() }
    }

    /// The table `name` as a Lambda function reaches it: region, credentials and endpoint come from the variables
    /// that Lambda sets, and no other provider is asked.
    ///
    /// # Errors
    /// Says why the certificates of `AWS_CA_BUNDLE` cannot be used.
    pub fn from_lambda_environment(name: &str) -> Result<Self, SettingsError> {
        let http_client = http_client(trusted_roots()?);
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(variable("AWS_REGION").map(Region::new))
            .credentials_provider(SharedCredentialsProvider::new(
                EnvironmentVariableCredentialsProvider::new(),
            ))
            .http_client(connector::sdk_http_client(http_client));
        let url = variable("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| variable("AWS_ENDPOINT_URL"));
        let config = Self::client_config(&config.build(), url);
        Ok(Self::new(Client::from_conf(config.build()), name))
    }

    /// The settings of a client: retries, time-outs, and the DynamoDB API's URL if it is not the region's own.
    #[must_use]
    pub fn client_config(
        config: &SdkConfig,
        endpoint_url: Option<String>,
    ) -> aws_sdk_dynamodb::config::Builder {
        let timeouts = TimeoutConfig::builder();
        let timeouts = timeouts.disable_connect_timeout().operation_attempt_timeout(ATTEMPT_TIMEOUT);
        let mut config = aws_sdk_dynamodb::config::Builder::from(config)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(MAX_ATTEMPTS)
                    .with_initial_backoff(RETRY_PAUSE)
                    // Our HTTP client decides which connection is not used again.
                    .with_reconnect_mode(ReconnectMode::ReuseAllConnections),
            )
            .retry_partition(
                RetryPartition::custom("table")
                    .token_bucket(TokenBucket::builder().capacity(RETRY_BUDGET).build())
                    .build(),
            )
            .timeout_config(timeouts.build())
            // It watches large bodies; an attempt's time-out covers ours.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(url) = endpoint_url {
            config = config.endpoint_url(url);
        }
        config
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads an item.
    pub async fn get(&self, key: Key) -> Result<Option<Item>, Error> {
        let kind = key.kind();
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.into_attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| errors::from_sdk_error("GetItem", &error))?;
        Ok(output.item.map(|attributes| Item::new(kind, attributes)))
    }

    /// Writes an item, if the condition holds for the existing one. Returns whether it did.
    pub async fn put_if<const N: usize>(
        &self,
        item: NewItem,
        condition: &str,
        values: [(&str, String); N],
    ) -> Result<bool, Error> {
        let mut put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item.into_attributes()))
            .condition_expression(condition);
        for (name, value) in values {
            put = put.expression_attribute_values(name, AttributeValue::S(value));
        }
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(errors::from_sdk_error("PutItem", &error)),
            },
        }
    }

    /// Reads the items with these keys that exist, in no order.
    pub async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, Error> {
        self.batches(keys).try_concat().await
    }

    /// Reads the same batch by batch, as the answers arrive.
    pub fn batches<'a>(&'a self, keys: &'a [Key]) -> impl Stream<Item = Result<Vec<Item>, Error>> + use<'a> {
        let batches: Vec<_> = keys.chunks(MAX_BATCH_KEYS).map(|keys| self.batch_get_at_once(keys)).collect();
        stream::iter(batches).buffer_unordered(MAX_BATCHES_AT_ONCE)
    }

    /// Reads one batch. Requests unprocessed keys again, with growing pauses.
    async fn batch_get_at_once(&self, batch: &[Key]) -> Result<Vec<Item>, Error> {
        let mut items = Vec::with_capacity(batch.len());
        let mut keys = batch.iter().cloned().map(Key::into_attributes).collect::<Vec<_>>();
        for round in 0..MAX_BATCH_ROUNDS {
            if round > 0 {
                tokio::time::sleep(errors::pause_before(round)).await;
            }
            let request = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true)
                .build()
                .map_err(|error| Error::defect(format!("BatchGetItem was not built: {error}")))?;
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.name, request)
                .send()
                .await
                .map_err(|error| errors::from_sdk_error("BatchGetItem", &error))?;
            for attributes in output.responses.into_iter().flatten().flat_map(|(_, found)| found) {
                items.push(Item::with_key(attributes)?);
            }
            let unprocessed = output.unprocessed_keys.into_iter().flatten();
            keys = unprocessed.flat_map(|(_, unprocessed)| unprocessed.keys).collect();
            if keys.is_empty() {
                return Ok(items);
            }
        }
        Err(Error::unavailable("BatchGetItem left keys unprocessed, round after round"))
    }

    /// Reads one page of a range, in the order of the sort keys.
    pub async fn query_page(&self, range: &Range, start: Option<PageStart>) -> Result<Page, Error> {
        let [partition, first, last] = range.to_attributes();
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(Range::CONDITION)
            .expression_attribute_values(":partition", partition)
            .expression_attribute_values(":first", first)
            .expression_attribute_values(":last", last)
            .consistent_read(true)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| errors::from_sdk_error("Query", &error))?;
        let items = output.items.into_iter().flatten().map(Item::with_key).collect::<Result<_, _>>()?;
        Ok(Page { items, next: output.last_evaluated_key })
    }
}

/// The HTTP client for the table's API.
#[must_use]
pub fn http_client(roots: TrustedRoots) -> HttpClient {
    HttpClient::new(roots, Proxies::from_environment(), KEEP_IDLE, Clock::system())
}

/// The certification authorities that are trusted for the table's API: Mozilla's list, or the file that
/// `AWS_CA_BUNDLE` names (AWS SDKs and Tools Reference Guide, "General configuration settings").
///
/// # Errors
/// Says why the file cannot be used.
pub fn trusted_roots() -> Result<TrustedRoots, SettingsError> {
    TrustedRoots::from_setting("AWS_CA_BUNDLE", variable("AWS_CA_BUNDLE"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
