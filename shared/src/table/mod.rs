//! The table: the only place that knows the AWS SDK. One file an item type, a typed function for
//! each access pattern, and `keys.rs` the only place that spells `PK` and `SK`.
//!
//! Every read is strongly consistent: the contract promises that what was answered is there.

mod accounts;
mod administration;
mod connector;
mod customer_associations;
mod email_claims;
mod error;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod import;
mod invariants;
mod item;
mod keys;
mod list;
mod memberships;
mod observer;
mod organizations;
mod personal_data;
mod rate_limit;
mod records;
mod server_time;
mod signing_keys;
mod time;
mod transaction;
mod users;

use std::collections::HashMap;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{ReconnectMode, RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

pub use accounts::{Creation, Joining, NewMembership, Registration};
pub use administration::TableDescription;
pub use customer_associations::AssociateError;
pub use import::{ImportedAccount, Importing};
pub use invariants::{Examination, Link, Phase, Repair, Violation};
pub use keys::{KEY_ATTRIBUTES, KeyKind, TTL_ATTRIBUTE};
pub use observer::CallObserver;
pub use personal_data::{Account, Changing, PersonalData, UserChanges};
pub use rate_limit::RateLimiter;
pub use records::{Record, RecordPage, RecordPageStart};
pub use server_time::ClockSkew;
pub use signing_keys::StoredSigningKeys;
pub use time::{from_text as timestamp_from_text, to_text as timestamp_to_text};

use item::{Item, NewItem};
use keys::Key;

use crate::clock::Clock;
use crate::error::Error;
use crate::http_client::{HttpClient, TrustedRoots};
use crate::settings::SettingsError;

/// How long one try of a call may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long it may where an operator alone waits for it: a page of 1 MB takes its time on a slow line.
const PATIENT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a call is tried, the first time included.
const MAX_ATTEMPTS: u32 = 3;
/// Before the second try the SDK waits a random part of this ("full jitter"), before the third of
/// twice as much.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// What a process may spend on trying again: 5 a try (10 after a time-out), given back by calls that
/// succeed. Once it is spent, a table that is down is not asked three times by every request.
const RETRY_BUDGET: usize = 100;
/// When we drop an idle connection: DynamoDB drops it after about 60 s, and a function that was
/// frozen meanwhile would find it dead.
const KEEP_IDLE: Duration = Duration::from_secs(50);
/// The most keys that one BatchGetItem takes.
const MAX_BATCH_KEYS: usize = 100;
/// How many batches are under way at once.
const MAX_BATCHES_AT_ONCE: usize = 8;
/// How often a batch is asked for, as long as the table leaves keys of it unprocessed.
const MAX_BATCH_ROUNDS: u32 = 5;

/// The one DynamoDB table. A clone is a handle to the same connections.
///
/// Its methods are the access patterns: each takes and gives types of [`crate::model`], and fails with
/// [`Error::unavailable`] where the table cannot be reached or throttles past the retries (three tries of at most
/// 1.5 s each, or as [`Table::patient`] says), with [`Error::defect`] where an item is not what this service writes.
#[derive(Clone)]
pub struct Table {
    client: Client,
    name: String,
}

/// How to reach a table.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// The DynamoDB API's URL, where it is not the region's own.
    pub url: Option<String>,
    /// The AWS region, where it is not the environment's.
    pub region: Option<String>,
    /// The profile in the AWS configuration files, where it is not the environment's.
    pub profile: Option<String>,
}

impl Table {
    /// The table `name` as a Lambda function reaches it: region, credentials and endpoint come from
    /// the variables that Lambda sets, with no other provider asked.
    ///
    /// # Errors
    /// Says why the certificates of `AWS_CA_BUNDLE` cannot be used.
    pub fn from_lambda_environment(name: &str) -> Result<Self, SettingsError> {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(variable("AWS_REGION").map(Region::new))
            .credentials_provider(SharedCredentialsProvider::new(
                EnvironmentVariableCredentialsProvider::new(),
            ))
            // Start-up has nothing else to do before the connection stands.
            .http_client(connector::of(http_client(trusted_roots()?).with_blocking_first_look_up()));
        let url = variable("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| variable("AWS_ENDPOINT_URL"));
        Ok(Self::new(&config.build(), url, name))
    }

    /// The table `name` as a person's command line reaches it: with the usual AWS configuration.
    ///
    /// # Errors
    /// Says why the certificates of `AWS_CA_BUNDLE` cannot be used.
    pub async fn from_user_environment(name: &str, endpoint: Endpoint) -> Result<Self, SettingsError> {
        let http_client = connector::of(http_client(trusted_roots()?));
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client);
        if let Some(region) = endpoint.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(profile) = endpoint.profile {
            loader = loader.profile_name(profile);
        }
        Ok(Self::new(&loader.load().await, endpoint.url, name))
    }

    /// The table `name` of a DynamoDB API that asks for no real credentials, such as the local one.
    #[must_use]
    pub fn local(name: &str, url: &str) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "local");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(connector::of(http_client(TrustedRoots::of_mozilla())));
        Self::new(&config.build(), Some(url.to_owned()), name)
    }

    fn new(config: &SdkConfig, endpoint_url: Option<String>, name: &str) -> Self {
        let mut config = aws_sdk_dynamodb::config::Builder::from(config)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(MAX_ATTEMPTS)
                    .with_initial_backoff(RETRY_PAUSE)
                    // Which connection is not used again, our HTTP client decides.
                    .with_reconnect_mode(ReconnectMode::ReuseAllConnections),
            )
            .retry_partition(
                RetryPartition::custom("table")
                    .token_bucket(TokenBucket::builder().capacity(RETRY_BUDGET).build())
                    .build(),
            )
            .timeout_config(attempts_of_at_most(ATTEMPT_TIMEOUT))
            // It watches large bodies; an attempt's time-out covers ours.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(url) = endpoint_url {
            config = config.endpoint_url(url);
        }
        Self { client: Client::from_conf(config.build()), name: name.to_owned() }
    }

    /// The same table, with every call to it shown to `observer`.
    #[must_use]
    pub fn observed(&self, observer: CallObserver) -> Self {
        self.with(self.client.config().to_builder().interceptor(observer::Observe(observer)))
    }

    /// The same table for an operator's tools, in which nobody waits for an answer within a request's time: a try of
    /// a call may take 30 s.
    #[must_use]
    pub fn patient(&self) -> Self {
        let timeouts = attempts_of_at_most(PATIENT_ATTEMPT_TIMEOUT);
        self.with(self.client.config().to_builder().timeout_config(timeouts))
    }

    fn with(&self, config: aws_sdk_dynamodb::config::Builder) -> Self {
        Self { client: Client::from_conf(config.build()), name: self.name.clone() }
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    async fn get(&self, key: Key) -> Result<Option<Item>, Error> {
        let kind = key.kind();
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.into_attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| error::from_sdk("GetItem", &error))?;
        Ok(output.item.map(|attributes| Item::new(kind, attributes)))
    }

    /// Writes an item, in place of one that may be there.
    async fn put(&self, item: NewItem) -> Result<(), Error> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item.into_attributes()));
        put.send().await.map_err(|error| error::from_sdk("PutItem", &error))?;
        Ok(())
    }

    /// Deletes an item, and gives it back where there was one.
    async fn delete(&self, key: Key) -> Result<Option<Item>, Error> {
        let kind = key.kind();
        let output = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key.into_attributes()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|error| error::from_sdk("DeleteItem", &error))?;
        Ok(output.attributes.map(|attributes| Item::new(kind, attributes)))
    }

    /// The items of these keys that exist, in no order.
    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, Error> {
        self.batches(keys).try_concat().await
    }

    /// The same, batch by batch, as they come.
    fn batches<'a>(&'a self, keys: &'a [Key]) -> impl Stream<Item = Result<Vec<Item>, Error>> + use<'a> {
        let batches: Vec<_> = keys.chunks(MAX_BATCH_KEYS).map(|keys| self.batch_get_at_once(keys)).collect();
        stream::iter(batches).buffer_unordered(MAX_BATCHES_AT_ONCE)
    }

    /// One batch. Keys that the table leaves unprocessed are asked for again, with growing pauses.
    async fn batch_get_at_once(&self, batch: &[Key]) -> Result<Vec<Item>, Error> {
        let mut items = Vec::with_capacity(batch.len());
        let mut keys = batch.iter().cloned().map(Key::into_attributes).collect::<Vec<_>>();
        for round in 0..MAX_BATCH_ROUNDS {
            if round > 0 {
                tokio::time::sleep(error::pause_before(round)).await;
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
                .map_err(|error| error::from_sdk("BatchGetItem", &error))?;
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

    /// The items of a partition whose sort keys lie in a range, ends included, in their order: a page of
    /// them, from a start on.
    async fn query_page(&self, range: &keys::Range, start: Option<PageStart>) -> Result<Page, Error> {
        let [partition, first, last] = range.to_attributes();
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(keys::RANGE_CONDITION)
            .expression_attribute_values(":partition", partition)
            .expression_attribute_values(":first", first)
            .expression_attribute_values(":last", last)
            .consistent_read(true)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| error::from_sdk("Query", &error))?;
        let items = output.items.into_iter().flatten().map(Item::with_key).collect::<Result<_, _>>()?;
        Ok(Page { items, next: output.last_evaluated_key })
    }
}

/// Where a query goes on.
type PageStart = HashMap<String, AttributeValue>;

/// What one query gives: at most 1 MB of items.
struct Page {
    items: Vec<Item>,
    /// Where there is more.
    next: Option<PageStart>,
}

fn attempts_of_at_most(timeout: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().disable_connect_timeout().operation_attempt_timeout(timeout).build()
}

fn http_client(roots: TrustedRoots) -> HttpClient {
    HttpClient::new(roots, KEEP_IDLE, Clock::system())
}

/// The certification authorities that vouch for the table's API: the usual ones, or those of the
/// file that `AWS_CA_BUNDLE` names (AWS SDKs and Tools Reference Guide, "General configuration
/// settings").
fn trusted_roots() -> Result<TrustedRoots, SettingsError> {
    let Some(file) = variable("AWS_CA_BUNDLE") else { return Ok(TrustedRoots::of_mozilla()) };
    let wrong =
        |why: &dyn std::fmt::Display| SettingsError::new("AWS_CA_BUNDLE", format_args!("({file}): {why}"));
    let pem = std::fs::read(&file).map_err(|error| wrong(&error))?;
    TrustedRoots::only(&pem).map_err(|why| wrong(&why))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
