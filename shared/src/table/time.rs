//! Times in items: RFC 3339 texts in UTC.

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};

use crate::clock::Timestamp;
use crate::error::Error;

pub(super) fn to_text(time: Timestamp) -> Result<String, Error> {
    DateTime::from_millis(time.millis())
        .fmt(DateTimeFormat::DateTime)
        .map_err(|_| Error::defect("a time is out of the range that can be written"))
}

pub(super) fn from_text(text: &str) -> Option<Timestamp> {
    let time = DateTime::from_str(text, DateTimeFormat::DateTime).ok()?;
    time.to_millis().ok().map(Timestamp::from_millis)
}
