//! Transactions: all parts or none.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};

use super::item::{Item, NewItem};
use super::keys::{self, Key, KeyKind};
use super::{Table, error};
use crate::error::Error;

/// The most parts that a transaction takes ("Quotas in Amazon DynamoDB").
pub(super) const MAX_PARTS: usize = 100;
/// How often a transaction is tried that others get in the way of.
pub(super) const MAX_CONFLICT_ROUNDS: u32 = 8;

/// The condition that an attribute has a value.
const EQUAL: &str = "#attribute = :value";

/// Gives a builder a condition on an attribute. A macro: the SDK's builders have no trait in common.
macro_rules! conditional {
    ($builder:expr, $condition:expr, $attribute:expr) => {{
        let (name, value): (&str, &str) = $attribute;
        $builder
            .condition_expression($condition)
            .expression_attribute_names("#attribute", name)
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
    }};
}

/// [`EQUAL`], or that there is no item.
fn absent_or_equal() -> String {
    format!("{} OR {EQUAL}", keys::ABSENT)
}

/// What a [`Transaction`] came to.
pub(super) enum Outcome {
    /// Every part was written.
    Committed,
    /// Nothing was written: these conditions did not hold.
    Refused(Refusal),
}

/// The parts of a transaction whose conditions did not hold.
pub(super) struct Refusal(Vec<(KeyKind, Option<Item>)>);

impl Refusal {
    /// Whether the condition of the part on an item of this kind did not hold.
    pub(super) fn names(&self, kind: KeyKind) -> bool {
        self.0.iter().any(|(refused, _)| *refused == kind)
    }

    /// The item that stood in the way of a [`Transaction::put_new_or_get`].
    pub(super) fn existing(&self, kind: KeyKind) -> Option<&Item> {
        self.0.iter().find(|(refused, _)| *refused == kind).and_then(|(_, item)| item.as_ref())
    }
}

/// A transaction in the making: at most one part that may be refused on an item of each kind.
#[derive(Clone)]
pub(super) struct Transaction {
    table: Table,
    parts: Vec<(KeyKind, Result<TransactWriteItem, String>)>,
}

impl Transaction {
    pub(super) fn new(table: &Table) -> Self {
        Self { table: table.clone(), parts: Vec::new() }
    }

    /// Writes an item that must not be there yet.
    pub(super) fn put_new(self, item: NewItem) -> Self {
        self.put_with(item, Put::builder().condition_expression(keys::ABSENT))
    }

    /// Writes an item that must not be there yet; if it is, the refusal holds it.
    pub(super) fn put_new_or_get(self, item: NewItem) -> Self {
        let put = Put::builder()
            .condition_expression(keys::ABSENT)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.put_with(item, put)
    }

    /// Writes an item that must not be there yet, but for one with this very attribute; if another is, the refusal
    /// holds it.
    pub(super) fn put_new_or_own(self, item: NewItem, attribute: (&str, &str)) -> Self {
        let put = conditional!(Put::builder(), absent_or_equal(), attribute)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.put_with(item, put)
    }

    /// Writes an item, in place of one that may be there.
    pub(super) fn put(self, item: NewItem) -> Self {
        self.put_with(item, Put::builder())
    }

    fn put_with(self, item: NewItem, put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Self {
        let kind = item.kind();
        let put = put.table_name(&self.table.name).set_item(Some(item.into_attributes())).build();
        self.with(kind, put.map(|put| TransactWriteItem::builder().put(put).build()))
    }

    /// Gives an item these attributes where it has none of the name; makes the item if need be.
    pub(super) fn put_absent_attributes<const N: usize>(
        self,
        key: Key,
        attributes: [(&str, String); N],
    ) -> Self {
        let kind = key.kind();
        let set = attributes.each_ref().map(|(name, _)| format!("{name} = if_not_exists({name}, :{name})"));
        let mut update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(key.into_attributes()))
            .update_expression(format!("SET {}", set.join(", ")));
        for (name, value) in attributes {
            update = update.expression_attribute_values(format!(":{name}"), AttributeValue::S(value));
        }
        self.with(kind, update.build().map(|update| TransactWriteItem::builder().update(update).build()))
    }

    /// Gives an item these attributes, or takes them from it where there is no value, if one of its attributes
    /// is still as it was read.
    pub(super) fn change(
        self,
        key: Key,
        attributes: &[(&str, Option<&str>)],
        (known, value): (&str, &str),
    ) -> Self {
        let kind = key.kind();
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        let mut update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(key.into_attributes()))
            .condition_expression(format!("{known} = :known"))
            .expression_attribute_values(":known", AttributeValue::S(value.to_owned()));
        for (name, value) in attributes {
            if let Some(value) = value {
                set.push(format!("{name} = :{name}"));
                let value = AttributeValue::S((*value).to_owned());
                update = update.expression_attribute_values(format!(":{name}"), value);
            } else {
                remove.push((*name).to_owned());
            }
        }
        let clauses = [("SET", set), ("REMOVE", remove)];
        let clauses = clauses.iter().filter(|(_, names)| !names.is_empty());
        let clauses: Vec<_> =
            clauses.map(|(clause, names)| format!("{clause} {}", names.join(", "))).collect();
        let update = update.update_expression(clauses.join(" ")).build();
        self.with(kind, update.map(|update| TransactWriteItem::builder().update(update).build()))
    }

    /// Deletes an item that may be there.
    pub(super) fn delete(self, key: Key) -> Self {
        self.delete_with(key, Delete::builder())
    }

    /// Deletes an item of which an attribute must have this value.
    pub(super) fn delete_if(self, key: Key, attribute: (&str, &str)) -> Self {
        self.delete_with(key, conditional!(Delete::builder(), EQUAL, attribute))
    }

    /// Deletes an item that may be there, of which an attribute must have this value then.
    pub(super) fn delete_if_any(self, key: Key, attribute: (&str, &str)) -> Self {
        self.delete_with(key, conditional!(Delete::builder(), absent_or_equal(), attribute))
    }

    fn delete_with(self, key: Key, delete: aws_sdk_dynamodb::types::builders::DeleteBuilder) -> Self {
        let kind = key.kind();
        let delete = delete.table_name(&self.table.name).set_key(Some(key.into_attributes())).build();
        self.with(kind, delete.map(|delete| TransactWriteItem::builder().delete(delete).build()))
    }

    /// Demands that an item exists, without touching it.
    pub(super) fn demand(self, key: Key) -> Self {
        self.check(key, ConditionCheck::builder().condition_expression(keys::PRESENT))
    }

    /// Demands that an item does not exist.
    pub(super) fn demand_absent(self, key: Key) -> Self {
        self.check(key, ConditionCheck::builder().condition_expression(keys::ABSENT))
    }

    /// Demands that an attribute of an item has this value.
    pub(super) fn demand_that(self, key: Key, attribute: (&str, &str)) -> Self {
        self.check(key, conditional!(ConditionCheck::builder(), EQUAL, attribute))
    }

    fn check(self, key: Key, check: aws_sdk_dynamodb::types::builders::ConditionCheckBuilder) -> Self {
        let kind = key.kind();
        let check = check.table_name(&self.table.name).set_key(Some(key.into_attributes())).build();
        self.with(kind, check.map(|check| TransactWriteItem::builder().condition_check(check).build()))
    }

    /// How many parts it has.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    fn with(
        mut self,
        kind: KeyKind,
        part: Result<TransactWriteItem, aws_sdk_dynamodb::error::BuildError>,
    ) -> Self {
        self.parts.push((kind, part.map_err(|error| error.to_string())));
        self
    }

    /// Commits, again and again with growing random pauses while others are at the same items. Each
    /// round is a transaction of its own, with a new token; the tries that the SDK makes of one round
    /// share theirs, by which DynamoDB knows them for one.
    pub(super) async fn commit(self) -> Result<Outcome, Error> {
        let (kinds, parts): (Vec<_>, Vec<_>) = self.parts.into_iter().unzip();
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>();
        let parts =
            parts.map_err(|error| Error::defect(format!("TransactWriteItems was not built: {error}")))?;
        for round in 0..MAX_CONFLICT_ROUNDS {
            if round > 0 {
                tokio::time::sleep(error::pause_before(round)).await;
            }
            let call = self.table.client.transact_write_items().set_transact_items(Some(parts.clone()));
            let Err(error) = call.send().await else {
                return Ok(Outcome::Committed);
            };
            match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    if let Some(refusal) = read(&kinds, cancelled.cancellation_reasons())? {
                        return Ok(Outcome::Refused(refusal));
                    }
                }
                // Our token was another transaction's: nothing of this one was written.
                Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)) => {}
                _ => return Err(error::from_sdk("TransactWriteItems", &error)),
            }
        }
        Err(Error::unavailable("TransactWriteItems met another transaction, round after round"))
    }
}

/// Reads a cancelled transaction reason by reason, in the order of its parts
/// (DynamoDB API Reference, `TransactWriteItems`, "Cancellation reason codes").
///
/// `None` where nothing but other transactions stood in the way.
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
