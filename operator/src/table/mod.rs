//! What an operator does with a table, through an [`OperatorTable`].

mod administration;
mod connection;
mod connector;
mod customer_accounts;
mod import;
mod invariants;
mod observer;
mod organizations;
mod passwords;
mod personal_data;
mod records;
mod server_time;
mod transaction;

use std::ops::Deref;
use std::time::Duration;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::types::ReturnValue;
use shared::aws::from_sdk_error;
use shared::error::Error;
use shared::table::storage::{Item, Key, NewItem};
use shared::table::{StoredSigningKeys, Table, signing_keys};

pub use administration::TableDescription;
pub use connection::{ConnectionOptions, local_table};
pub use customer_accounts::AssociateError;
pub use import::{Disagreement, ImportOutcome, ImportedAccount};
pub use invariants::{Examination, Link, Phase, RepairOutcome, Violation};
pub use observer::{CallObserver, observed};
pub use personal_data::{
    Account, ChangeOutcome, DELETED_USER, DeleteOutcome, LeaveOutcome, OPERATOR, PersonalData, Traces,
    UserChanges, is_reserved,
};
pub use records::{Record, RecordPage, RecordPageStart};
pub use server_time::ClockSkew;

/// How long one attempt of a call may take: a page of 1 MB takes its time on a slow line, and no request waits.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A table as an operator uses it: with the access patterns of functions and operators, and longer time-outs.
#[derive(Clone)]
pub struct OperatorTable {
    table: Table,
}

impl OperatorTable {
    /// The same table, with an operator's time-outs.
    #[must_use]
    pub fn new(table: &Table) -> Self {
        Self { table: Table::new(table.client().clone().with_attempt_timeout(ATTEMPT_TIMEOUT), table.name()) }
    }

    /// Writes an item, and replaces an existing one.
    async fn put(&self, item: NewItem) -> Result<(), Error> {
        let input =
            PutItemInput::builder().table_name(self.name()).set_item(Some(item.into_attributes())).build();
        self.client().call(input).await.map_err(|error| from_sdk_error("PutItem", &error))?;
        Ok(())
    }

    /// Stores signing keys and replaces the previous ones, newer ones too.
    pub async fn put_signing_keys(&self, keys: &StoredSigningKeys) -> Result<(), Error> {
        self.put(signing_keys::to_item(keys)?).await
    }

    /// Deletes an item. Returns it, if there was one.
    async fn delete(&self, key: Key) -> Result<Option<Item>, Error> {
        let kind = key.kind();
        let input = DeleteItemInput::builder()
            .table_name(self.name())
            .set_key(Some(key.into_attributes()))
            .return_values(ReturnValue::AllOld)
            .build();
        let output = self.client().call(input).await.map_err(|error| from_sdk_error("DeleteItem", &error))?;
        Ok(output.attributes.map(|attributes| Item::new(kind, attributes)))
    }
}

/// An operator can do everything that a function can.
impl Deref for OperatorTable {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}
