//! How large a list may become.

/// How many bytes a list may take. What the bytes are for, the caller knows: an answer, say.
#[derive(Clone, Copy, Debug)]
pub struct ByteBudget {
    /// The bytes of the whole list.
    pub bytes: usize,
    /// What each item takes of them besides its texts.
    pub bytes_per_item: usize,
}
