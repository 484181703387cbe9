//! Transactions: all parts or none.

use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput};
use aws_sdk_dynamodb::types::builders::{ConditionCheckBuilder, PutBuilder};
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};

use super::Table;
use super::item::{Item, NewItem};
use super::keys::{Condition, Key, KeyKind};
use crate::aws::{from_sdk_error, pause_before};
use crate::error::Error;

/// How often a transaction is tried if others conflict with it.
pub const MAX_CONFLICT_ROUNDS: u32 = 8;

/// The outcome of a [`Transaction`].
pub enum CommitOutcome {
    /// Every part was written.
    Committed,
    /// Nothing was written: these conditions did not hold.
    Refused(Refusal),
}

/// The parts of a transaction whose conditions did not hold.
pub struct Refusal(Vec<(KeyKind, Option<Item>)>);

impl Refusal {
    /// Whether the condition of the part on an item of this kind did not hold.
    #[must_use]
    pub fn names(&self, kind: KeyKind) -> bool {
        self.0.iter().any(|(refused, _)| *refused == kind)
    }

    /// The item that stood in the way of a [`Transaction::put_new_or_get`].
    #[must_use]
    pub fn existing(&self, kind: KeyKind) -> Option<&Item> {
        self.0.iter().find(|(refused, _)| *refused == kind).and_then(|(_, item)| item.as_ref())
    }
}

/// A transaction in the making: at most one part that may be refused on an item of each kind.
#[derive(Clone)]
pub struct Transaction {
    table: Table,
    parts: Vec<(KeyKind, Result<TransactWriteItem, String>)>,
}

impl Transaction {
    /// A transaction without parts.
    #[must_use]
    pub fn new(table: &Table) -> Self {
        Self { table: table.clone(), parts: Vec::new() }
    }

    /// The name of the table that it writes to.
    #[must_use]
    pub fn table_name(&self) -> &str {
        self.table.name()
    }

    /// Writes an item that must not exist yet.
    #[must_use]
    pub fn put_new(self, item: NewItem) -> Self {
        self.put_with(item, Put::builder().condition_expression(Condition::ABSENT))
    }

    /// Writes an item that must not exist yet. If it does, the refusal returns it.
    #[must_use]
    pub fn put_new_or_get(self, item: NewItem) -> Self {
        let put = Put::builder()
            .condition_expression(Condition::ABSENT)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.put_with(item, put)
    }

    /// Writes an item, under the condition of `put`.
    #[must_use]
    pub fn put_with(self, item: NewItem, put: PutBuilder) -> Self {
        let kind = item.kind();
        let put = put.table_name(self.table_name()).set_item(Some(item.into_attributes())).build();
        self.with(kind, put.map(|put| TransactWriteItem::builder().put(put).build()))
    }

    /// Sets those of these attributes that the item does not have yet. Creates the item if it does not exist.
    #[must_use]
    pub fn put_absent_attributes<const N: usize>(self, key: Key, attributes: [(&str, String); N]) -> Self {
        let kind = key.kind();
        let set = attributes.each_ref().map(|(name, _)| format!("{name} = if_not_exists({name}, :{name})"));
        let mut update = Update::builder()
            .table_name(self.table_name())
            .set_key(Some(key.into_attributes()))
            .update_expression(format!("SET {}", set.join(", ")));
        for (name, value) in attributes {
            update = update.expression_attribute_values(format!(":{name}"), AttributeValue::S(value));
        }
        self.with(kind, update.build().map(|update| TransactWriteItem::builder().update(update).build()))
    }

    /// Demands that an item exists, without writing to it.
    #[must_use]
    pub fn demand(self, key: Key) -> Self {
        self.check(key, ConditionCheck::builder().condition_expression(Condition::PRESENT))
    }

    /// Demands that an attribute of an item has this value, without writing to it.
    #[must_use]
    pub fn demand_that(self, key: Key, (name, value): (&str, &str)) -> Self {
        let check = ConditionCheck::builder()
            .condition_expression(format!("{name} = :value"))
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()));
        self.check(key, check)
    }

    /// Checks a condition on an item, without writing to it.
    #[must_use]
    pub fn check(self, key: Key, check: ConditionCheckBuilder) -> Self {
        let kind = key.kind();
        let check = check.table_name(self.table_name()).set_key(Some(key.into_attributes())).build();
        self.with(kind, check.map(|check| TransactWriteItem::builder().condition_check(check).build()))
    }

    /// Adds a part on an item of this kind.
    #[must_use]
    pub fn with(
        mut self,
        kind: KeyKind,
        part: Result<TransactWriteItem, aws_sdk_dynamodb::error::BuildError>,
    ) -> Self {
        self.parts.push((kind, part.map_err(|error| error.to_string())));
        self
    }

    /// Commits. If other transactions conflict, tries again with growing random pauses. Each round is a new transaction
    /// with a new token. The client's attempts of one round share a token, so that DynamoDB applies them once.
    pub async fn commit(self) -> Result<CommitOutcome, Error> {
        let (kinds, parts): (Vec<_>, Vec<_>) = self.parts.into_iter().unzip();
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>();
        let parts =
            parts.map_err(|error| Error::defect(format!("TransactWriteItems was not built: {error}")))?;
        for round in 0..MAX_CONFLICT_ROUNDS {
            if round > 0 {
                tokio::time::sleep(pause_before(round)).await;
            }
            let input = TransactWriteItemsInput::builder()
                .set_transact_items(Some(parts.clone()))
                .client_request_token(new_token()?)
                .build();
            let Err(error) = self.table.client().call(input).await else {
                return Ok(CommitOutcome::Committed);
            };
            match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    if let Some(refusal) = read(&kinds, cancelled.cancellation_reasons())? {
                        return Ok(CommitOutcome::Refused(refusal));
                    }
                }
                // Another transaction has used our token: nothing of this one was written.
                Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)) => {}
                _ => return Err(from_sdk_error("TransactWriteItems", &error)),
            }
        }
        Err(Error::unavailable("TransactWriteItems met another transaction, round after round"))
    }
}

/// The token of a transaction: 128 random bits.
fn new_token() -> Result<String, Error> {
    let random = ring::rand::generate::<[u8; 16]>(&ring::rand::SystemRandom::new());
    let random = random.map_err(|_| Error::unavailable("the operating system gave no randomness"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(random.expose())))
}

/// Reads a cancelled transaction reason by reason, in the order of its parts
/// (DynamoDB API Reference, `TransactWriteItems`, "Cancellation reason codes").
///
/// `None` if only other transactions were in the way.
fn read(kinds: &[KeyKind], reasons: &[CancellationReason]) -> Result<Option<Refusal>, Error> {
    let mut refused = Vec::new();
    let mut conflict = false;
    for (&kind, reason) in kinds.iter().zip(reasons) {
        match reason.code() {
            None | Some("None") => {}
            Some("ConditionalCheckFailed") => {
                refused.push((kind, reason.item.clone().map(|attributes| Item::new(kind, attributes))));
            }
            Some("TransactionConflict") => conflict = true,
            Some(code @ ("ProvisionedThroughputExceeded" | "ThrottlingError")) => {
                return Err(Error::unavailable(format!("TransactWriteItems was cancelled: {kind:?} {code}")));
            }
            Some(code) => {
                return Err(Error::defect(format!("TransactWriteItems was cancelled: {kind:?} {code}")));
            }
        }
    }
    if refused.is_empty() && !conflict {
        return Err(Error::defect("TransactWriteItems was cancelled without a reason"));
    }
    Ok((!refused.is_empty()).then_some(Refusal(refused)))
}
