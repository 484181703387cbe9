//! Creates and describes tables.

use aws_sdk_dynamodb::operation::create_table::{CreateTableError, CreateTableInput};
use aws_sdk_dynamodb::operation::describe_continuous_backups::DescribeContinuousBackupsInput;
use aws_sdk_dynamodb::operation::describe_table::{DescribeTableError, DescribeTableInput};
use aws_sdk_dynamodb::operation::describe_time_to_live::DescribeTimeToLiveInput;
use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::update_time_to_live::UpdateTimeToLiveInput;
use aws_sdk_dynamodb::types::{
    self, AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoveryStatus,
    ScalarAttributeType, TimeToLiveDescription, TimeToLiveSpecification, TimeToLiveStatus,
};

use shared::aws::{from_sdk_error, pause_before};
use shared::error::Error;
use shared::table::storage::{KEY_ATTRIBUTES, TTL_ATTRIBUTE};

use super::OperatorTable;

/// A table as DynamoDB describes it.
#[derive(Clone, Debug)]
pub struct TableDescription {
    /// The table's name.
    pub name: String,
    /// Its status, such as `ACTIVE`.
    pub status: String,
    /// The names of the partition key and the sort key.
    pub keys: Vec<String>,
    /// The attribute that expires items, if that is switched on.
    pub ttl_attribute: Option<String>,
    /// About how many items it holds; DynamoDB counts every six hours.
    pub item_count: i64,
    /// About how many bytes that is, counted at the same times.
    pub size_bytes: i64,
    /// Whether deletion protection is on.
    pub deletion_protection: bool,
}

impl OperatorTable {
    /// Creates the table: on demand, with its keys and its TTL. Returns whether it did not exist yet.
    ///
    /// After a lost reply the client retries; `ResourceInUse` then means that our first attempt worked.
    pub async fn create(&self) -> Result<bool, Error> {
        if self.describe().await?.is_some() {
            return Ok(false);
        }
        let mut create =
            CreateTableInput::builder().table_name(self.name()).billing_mode(BillingMode::PayPerRequest);
        for (name, r#type) in KEY_ATTRIBUTES.into_iter().zip([KeyType::Hash, KeyType::Range]) {
            let not_built = |error| Error::defect(format!("CreateTable was not built: {error}"));
            let attribute = AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .map_err(not_built)?;
            let key = KeySchemaElement::builder().attribute_name(name).key_type(r#type).build();
            create = create.attribute_definitions(attribute).key_schema(key.map_err(not_built)?);
        }
        if let Err(error) = self.client().call(create.build()).await
            && !matches!(error.as_service_error(), Some(CreateTableError::ResourceInUseException(_)))
        {
            return Err(from_sdk_error("CreateTable", &error));
        }
        self.wait_until_active().await?;
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name(TTL_ATTRIBUTE).build();
        let ttl = ttl.map_err(|error| Error::defect(format!("UpdateTimeToLive was not built: {error}")))?;
        let update =
            UpdateTimeToLiveInput::builder().table_name(self.name()).time_to_live_specification(ttl).build();
        if let Err(error) = self.client().call(update).await {
            let switched_on = self.describe().await?.is_some_and(|table| table.ttl_attribute.is_some());
            if !switched_on {
                return Err(from_sdk_error("UpdateTimeToLive", &error));
            }
        }
        Ok(true)
    }

    async fn wait_until_active(&self) -> Result<(), Error> {
        for round in 1..=120 {
            if self.describe().await?.is_some_and(|table| table.status == "ACTIVE") {
                return Ok(());
            }
            tokio::time::sleep(pause_before(round)).await;
        }
        Err(Error::unavailable("the new table did not become active"))
    }

    /// What tells the table from any other, also from a later one with its name. `None` if there is no table, or its
    /// server gives tables no identity.
    pub async fn identity(&self) -> Result<Option<String>, Error> {
        let Some(table) = self.described().await? else { return Ok(None) };
        let created = table.creation_date_time.map(|time| time.to_string());
        let parts: Vec<_> = table.table_id.into_iter().chain(created).collect();
        Ok((!parts.is_empty()).then(|| parts.join(" ")))
    }

    /// Describes the table. `None` if no table has the name.
    pub async fn describe(&self) -> Result<Option<TableDescription>, Error> {
        let Some(table) = self.described().await? else { return Ok(None) };
        let input = DescribeTimeToLiveInput::builder().table_name(self.name()).build();
        let ttl =
            self.client().call(input).await.map_err(|error| from_sdk_error("DescribeTimeToLive", &error))?;
        Ok(Some(TableDescription {
            name: self.name().to_owned(),
            status: table.table_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            keys: table.key_schema.into_iter().flatten().map(|key| key.attribute_name).collect(),
            ttl_attribute: ttl.time_to_live_description.filter(is_on).and_then(|ttl| ttl.attribute_name),
            item_count: table.item_count.unwrap_or(0),
            size_bytes: table.table_size_bytes.unwrap_or(0),
            deletion_protection: table.deletion_protection_enabled.unwrap_or(false),
        }))
    }

    async fn described(&self) -> Result<Option<types::TableDescription>, Error> {
        let input = DescribeTableInput::builder().table_name(self.name()).build();
        match self.client().call(input).await {
            Ok(output) => Ok(output.table),
            Err(error) => match error.as_service_error() {
                Some(DescribeTableError::ResourceNotFoundException(_)) => Ok(None),
                _ => Err(from_sdk_error("DescribeTable", &error)),
            },
        }
    }

    /// Whether point-in-time recovery is on: the table can be restored to any second of the last days.
    ///
    /// # Errors
    /// Fails if the DynamoDB API does not support it.
    pub async fn point_in_time_recovery(&self) -> Result<bool, Error> {
        let input = DescribeContinuousBackupsInput::builder().table_name(self.name()).build();
        let backups = self.client().call(input).await;
        let backups = backups.map_err(|error| from_sdk_error("DescribeContinuousBackups", &error))?;
        let recovery = backups.continuous_backups_description;
        let recovery = recovery.and_then(|backups| backups.point_in_time_recovery_description);
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
        Ok(status == Some(PointInTimeRecoveryStatus::Enabled))
    }

    /// Whether the table holds nothing.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        let input = ScanInput::builder().table_name(self.name()).limit(1).consistent_read(true).build();
        let output = self.client().call(input).await.map_err(|error| from_sdk_error("Scan", &error))?;
        Ok(output.items.unwrap_or_default().is_empty())
    }
}

fn is_on(ttl: &TimeToLiveDescription) -> bool {
    matches!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
}
