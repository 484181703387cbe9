//! Pages of a query, and lists that are read page by page.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::Item;
use crate::error::{Error, ErrorKind};
use crate::model::ByteBudget;

/// Where a query continues.
pub type PageStart = HashMap<String, AttributeValue>;

/// The result of one query: at most 1 MB of items.
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// Where the rest starts; `None` on the last page.
    pub next: Option<PageStart>,
}

/// Builds a list that is read page by page. Its memory is bounded by the caller's budget, however many items the
/// table has.
pub struct ListBuilder<T> {
    items: Vec<T>,
    budget: ByteBudget,
    used_bytes: usize,
}

impl<T> ListBuilder<T> {
    /// An empty list.
    #[must_use]
    pub fn new(budget: ByteBudget) -> Self {
        Self { items: Vec::new(), budget, used_bytes: 0 }
    }

    /// Adds an item whose texts have so many bytes.
    ///
    /// # Errors
    /// [`ErrorKind::AnswerTooLarge`] if the list exceeds its budget.
    pub fn push(&mut self, item: T, text_bytes: usize) -> Result<(), Error> {
        self.used_bytes += self.budget.bytes_per_item + text_bytes;
        if self.used_bytes > self.budget.bytes {
            let log = format!("a list of more than {} items does not fit an answer", self.items.len());
            return Err(Error::from(ErrorKind::AnswerTooLarge).logging(log));
        }
        self.items.push(item);
        Ok(())
    }

    /// Returns the items.
    #[must_use]
    pub fn into_items(self) -> Vec<T> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_what_its_budget_has_room_for() {
        let mut list = ListBuilder::new(ByteBudget { bytes: 30, bytes_per_item: 2 });
        for (item, text_bytes) in [("a", 8), ("b", 8), ("c", 8)] {
            assert!(list.push(item, text_bytes).is_ok(), "{item}");
        }
        let error = list.push("d", 0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::AnswerTooLarge));
        assert!(error.log().unwrap().contains("more than 3 items"));
        assert_eq!(list.into_items(), ["a", "b", "c"]);
    }
}
