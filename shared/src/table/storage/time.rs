//! Times in items: RFC 3339 texts.

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};

use crate::clock::Timestamp;
use crate::error::Error;

/// A time as items store it: RFC 3339 in UTC, with up to three decimals.
///
/// # Errors
/// A defect if the year does not have four digits.
pub fn to_text(time: Timestamp) -> Result<String, Error> {
    DateTime::from_millis(time.millis())
        .fmt(DateTimeFormat::DateTime)
        .map_err(|_| Error::defect("a time is out of the range that can be written"))
}

/// Reads an RFC 3339 text with any offset. `None` if it is not one.
#[must_use]
pub fn from_text(text: &str) -> Option<Timestamp> {
    let time = DateTime::from_str(text, DateTimeFormat::DateTimeWithOffset).ok()?;
    time.to_millis().ok().map(Timestamp::from_millis)
}
