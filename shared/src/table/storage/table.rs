//! The table: how it is reached, and the reads and writes of single items and pages.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::endpoint;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput};
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::item::{Item, NewItem};
use super::keys::{Key, Range};
use super::page::{Page, PageStart};
use crate::aws::{Client, ClientSettings, Service, from_sdk_error, pause_before};
use crate::clock::Clock;
use crate::error::Error;
use crate::http_client::{HttpClient, Proxies, TrustedRoots};
use crate::settings::SettingsReader;

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
        let input = GetItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(key.into_attributes()))
            .consistent_read(true)
            .build();
        let output = self.client.call(input).await.map_err(|error| from_sdk_error("GetItem", &error))?;
        Ok(output.item.map(|attributes| Item::new(kind, attributes)))
    }

    /// Writes an item, if the condition holds for the existing one. Returns whether it did.
    pub async fn put_if<const N: usize>(
        &self,
        item: NewItem,
        condition: &str,
        values: [(&str, String); N],
    ) -> Result<bool, Error> {
        let mut put = PutItemInput::builder()
            .table_name(&self.name)
            .set_item(Some(item.into_attributes()))
            .condition_expression(condition);
        for (name, value) in values {
            put = put.expression_attribute_values(name, AttributeValue::S(value));
        }
        match self.client.call(put.build()).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(from_sdk_error("PutItem", &error)),
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
                tokio::time::sleep(pause_before(round)).await;
            }
            let request = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true)
                .build()
                .map_err(|error| Error::defect(format!("BatchGetItem was not built: {error}")))?;
            let input = BatchGetItemInput::builder().request_items(&self.name, request).build();
            let output =
                self.client.call(input).await.map_err(|error| from_sdk_error("BatchGetItem", &error))?;
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
        let input = QueryInput::builder()
            .table_name(&self.name)
            .key_condition_expression(Range::CONDITION)
            .expression_attribute_values(":partition", partition)
            .expression_attribute_values(":first", first)
            .expression_attribute_values(":last", last)
            .consistent_read(true)
            .set_exclusive_start_key(start)
            .build();
        let output = self.client.call(input).await.map_err(|error| from_sdk_error("Query", &error))?;
        let items = output.items.into_iter().flatten().map(Item::with_key).collect::<Result<_, _>>()?;
        Ok(Page { items, next: output.last_evaluated_key })
    }
}

/// Reads how a Lambda function reaches the table: region, credentials and endpoint come from the variables that Lambda
/// sets, and no other provider is asked. The reader is told of certificates or a proxy that cannot be used, and of a
/// variable that is neither `true` nor `false`.
pub fn table_client(reader: &mut SettingsReader<'_>) -> Option<Client> {
    let region = reader.optional("AWS_REGION");
    let service_url = reader.optional("AWS_ENDPOINT_URL_DYNAMODB");
    let endpoint = endpoint::Params::builder()
        .set_region(region.clone())
        .set_endpoint(service_url.or_else(|| reader.optional("AWS_ENDPOINT_URL")))
        .set_use_fips(reader.flag("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(reader.flag("AWS_USE_DUALSTACK_ENDPOINT"));
    Some(Client::new(ClientSettings {
        service: Service::DynamoDb,
        endpoint,
        region,
        credentials: SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
        http_client: read_http_client(reader)?,
    }))
}

/// Reads the HTTP client for the table's API: the certification authorities are Mozilla's list, or those of the file
/// that `AWS_CA_BUNDLE` names (AWS SDKs and Tools Reference Guide, "General configuration settings").
pub fn read_http_client(reader: &mut SettingsReader<'_>) -> Option<HttpClient> {
    let roots = TrustedRoots::read(reader, "AWS_CA_BUNDLE");
    let (roots, proxies) = roots.zip(Proxies::read(reader))?;
    Some(http_client(roots, proxies))
}

/// The HTTP client for the table's API.
#[must_use]
pub fn http_client(roots: TrustedRoots, proxies: Proxies) -> HttpClient {
    HttpClient::new(roots, proxies, KEEP_IDLE, Clock::system())
}
