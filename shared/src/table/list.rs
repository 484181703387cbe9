//! A list in the making, which ends where no answer could hold it.

use crate::error::{Error, ErrorKind, MAX_ANSWER_BYTES};

/// What an item of a list takes of its answer besides its texts, at least, in bytes: names and punctuation.
const BYTES_BESIDES: usize = 50;

/// A list that is read page by page. The memory that it takes is bounded by the answer, however many
/// items the table has.
pub(super) struct List<T> {
    items: Vec<T>,
    /// What the items take of their answer, at least.
    bytes: usize,
}

impl<T> List<T> {
    pub(super) fn new() -> Self {
        Self { items: Vec::new(), bytes: 0 }
    }

    /// Adds an item, of whose texts the answer will have so many bytes.
    ///
    /// # Errors
    /// [`ErrorKind::AnswerTooLarge`] where no answer can hold what is there already and this.
    pub(super) fn push(&mut self, item: T, text_bytes: usize) -> Result<(), Error> {
        self.bytes += BYTES_BESIDES + text_bytes;
        if self.bytes > MAX_ANSWER_BYTES {
            let log = format!("a list of more than {} items does not fit an answer", self.items.len());
            return Err(Error::from(ErrorKind::AnswerTooLarge).logging(log));
        }
        self.items.push(item);
        Ok(())
    }

    pub(super) fn into_items(self) -> Vec<T> {
        self.items
    }
}
