//! The maximum size of a list.

/// How many bytes a list may take. The caller knows what limits them, for example an answer.
#[derive(Clone, Copy, Debug)]
pub struct ByteBudget {
    /// The bytes of the whole list.
    pub bytes: usize,
    /// The bytes that each item takes in addition to its texts.
    pub bytes_per_item: usize,
}
