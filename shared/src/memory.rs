//! What is left in memory where a text was. The kernel reads it, as it would of another process: no
//! reference to freed memory is made, and memory that is no longer there is an error and no fault.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

/// The place of a text, and the text.
pub(crate) struct Place {
    memory: File,
    address: u64,
    text: Vec<u8>,
    /// Made before the text goes, so that it does not take its place.
    read: Mutex<Vec<u8>>,
}

impl Place {
    /// Where a text lies. The allocator writes over the first few bytes of what is freed, so a text
    /// should be of 64 bytes or more.
    pub(crate) fn of(text: &str) -> Self {
        assert!(text.len() >= 64);
        Self {
            memory: File::open("/proc/self/mem").unwrap(),
            address: text.as_ptr().addr() as u64,
            text: text.as_bytes().to_vec(),
            read: Mutex::new(vec![0; text.len()]),
        }
    }

    /// Whether any eight bytes of the text are where they were.
    pub(crate) fn is_left(&self) -> bool {
        let mut read = self.read.lock().unwrap();
        if self.memory.read_exact_at(&mut read, self.address).is_err() {
            return false;
        }
        read.chunks_exact(8).zip(self.text.chunks_exact(8)).any(|(found, was)| found == was)
    }
}

/// Without this, the tests that find nothing left would prove nothing.
#[test]
fn a_text_that_is_not_wiped_is_left() {
    let text = "nobody wipes this text, and it is long enough to be seen ".repeat(2);
    let place = Place::of(&text);
    drop(text);
    assert!(place.is_left());
}
