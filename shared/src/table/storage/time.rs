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

/// The same with exactly three decimals. Such texts are in the order of their times.
pub fn to_sortable_text(time: Timestamp) -> Result<String, Error> {
    let text = to_text(time)?;
    let seconds = text.trim_end_matches('Z');
    let (seconds, decimals) = seconds.split_once('.').unwrap_or((seconds, ""));
    Ok(format!("{seconds}.{decimals:0<3}Z"))
}

/// Reads an RFC 3339 text with any offset. `None` if it is not one.
#[must_use]
pub fn from_text(text: &str) -> Option<Timestamp> {
    let time = DateTime::from_str(text, DateTimeFormat::DateTimeWithOffset).ok()?;
    time.to_millis().ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sortable_texts_are_in_the_order_of_their_times() {
        let of = |millis| to_sortable_text(Timestamp::from_millis(millis)).unwrap();
        assert_eq!(of(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(of(49_500), "1970-01-01T00:00:49.500Z");
        let millis = [0, 1, 10, 100, 499, 500, 502, 510, 999, 1000, 1001, 60_000];
        let texts = millis.map(of);
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts.each_ref().map(|text| from_text(text).unwrap().millis()), millis);
    }
}
