//! The errors of a call to the table.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::error::Error;

/// The error codes which say that our request was wrong: defects. Every other error that the caller does not handle
/// means that the table could not be used: unavailable.
const DEFECTS: &[&str] = &[
    "ValidationException",
    "SerializationException",
    "ConditionalCheckFailedException",
    "ItemCollectionSizeLimitExceededException",
];

/// Classifies a failed call. An exception's message may quote keys, so the log gets only its code.
pub fn from_sdk_error<E, R>(operation: &str, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an error without a code");
            let log = format!("{operation} answered {code}");
            if DEFECTS.contains(&code) { Error::defect(log) } else { Error::unavailable(log) }
        }
        SdkError::ConstructionFailure(_) => Error::defect(format!("{operation} was not built")),
        SdkError::TimeoutError(_) => Error::unavailable(format!("{operation} took too long")),
        SdkError::DispatchFailure(_) => {
            Error::unavailable(format!("{operation} did not get through: {}", causes(error)))
        }
        _ => Error::unavailable(format!("{operation} got an answer that cannot be read")),
    }
}

/// What led to an error, in the words of each cause. The SDK's `DisplayErrorContext` would add its debug text.
fn causes(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        // Without the list of the credentials' providers.
        let words = words.lines().next().unwrap_or_default().trim_end_matches(" Attempted:").to_owned();
        // Some errors repeat the words of their cause, and some have none of their own.
        if words != "other" && causes.last().is_none_or(|last: &String| !last.ends_with(&words)) {
            causes.push(words);
        }
        source = cause.source();
    }
    if causes.is_empty() { error.to_string() } else { causes.join(": ") }
}

/// The pause before the `round`-th repetition (from 1): a random part of 25 ms doubled each time,
/// at most 400 ms ("full jitter").
#[must_use]
pub fn pause_before(round: u32) -> Duration {
    let ceiling = Duration::from_millis(25 << round.saturating_sub(1).min(4));
    let random: [u8; 1] =
        ring::rand::generate(&ring::rand::SystemRandom::new()).map_or([128], ring::rand::Random::expose);
    ceiling * u32::from(random[0]) / 255
}
