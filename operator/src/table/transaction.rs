//! The parts of transactions that only an operator writes.

use aws_sdk_dynamodb::types::builders::DeleteBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};
use shared::table::storage::{Condition, Key, NewItem, Transaction};

/// The maximum number of parts of a transaction ("Quotas in Amazon DynamoDB").
pub(super) const MAX_PARTS: usize = 100;

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

/// The condition that the item does not exist, or that the attribute has the value.
fn absent_or_equal() -> String {
    format!("{} OR {EQUAL}", Condition::ABSENT)
}

/// The parts of transactions that only an operator writes.
pub(super) trait OperatorTransaction: Sized {
    /// Writes an item, and replaces an existing one.
    fn put(self, item: NewItem) -> Self;

    /// Puts the item if it is absent or already ours; otherwise the refusal returns the existing item.
    fn put_new_or_own(self, item: NewItem, attribute: (&str, &str)) -> Self;

    /// Sets these attributes of an item, and removes those without a value, if one of its attributes is still as it
    /// was read.
    fn change(self, key: Key, attributes: &[(&str, Option<&str>)], known: (&str, &str)) -> Self;

    /// Deletes an item, if it exists.
    fn delete(self, key: Key) -> Self;

    /// Deletes an item that must exist.
    fn delete_present(self, key: Key) -> Self;

    /// Deletes an item whose attribute must have this value.
    fn delete_if(self, key: Key, attribute: (&str, &str)) -> Self;

    /// Deletes an item, if it exists. Its attribute must then have this value.
    fn delete_if_any(self, key: Key, attribute: (&str, &str)) -> Self;

    /// Demands that an item does not exist.
    fn demand_absent(self, key: Key) -> Self;
}

impl OperatorTransaction for Transaction {
    fn put(self, item: NewItem) -> Self {
        self.put_with(item, Put::builder())
    }

    fn put_new_or_own(self, item: NewItem, attribute: (&str, &str)) -> Self {
        let put = conditional!(Put::builder(), absent_or_equal(), attribute)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        self.put_with(item, put)
    }

    fn change(self, key: Key, attributes: &[(&str, Option<&str>)], (known, value): (&str, &str)) -> Self {
        let kind = key.kind();
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        let mut update = Update::builder()
            .table_name(self.table_name())
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

    fn delete(self, key: Key) -> Self {
        delete_with(self, key, Delete::builder())
    }

    fn delete_present(self, key: Key) -> Self {
        delete_with(self, key, Delete::builder().condition_expression(Condition::PRESENT))
    }

    fn delete_if(self, key: Key, attribute: (&str, &str)) -> Self {
        delete_with(self, key, conditional!(Delete::builder(), EQUAL, attribute))
    }

    fn delete_if_any(self, key: Key, attribute: (&str, &str)) -> Self {
        delete_with(self, key, conditional!(Delete::builder(), absent_or_equal(), attribute))
    }

    fn demand_absent(self, key: Key) -> Self {
        self.check(key, ConditionCheck::builder().condition_expression(Condition::ABSENT))
    }
}

fn delete_with(transaction: Transaction, key: Key, delete: DeleteBuilder) -> Transaction {
    let kind = key.kind();
    let delete = delete.table_name(transaction.table_name()).set_key(Some(key.into_attributes())).build();
    transaction.with(kind, delete.map(|delete| TransactWriteItem::builder().delete(delete).build()))
}
