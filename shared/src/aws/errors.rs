//! The errors of a call.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::error::Error;

/// The error codes which say that our request was wrong: defects. Every other error that the caller does not handle
/// means that the service could not be used: unavailable.
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

#[cfg(test)]
mod tests {
    use std::fmt;

    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;
    use crate::error::ErrorKind;

    #[derive(Debug)]
    struct Cause(&'static str, Option<Box<Cause>>);

    impl fmt::Display for Cause {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Cause {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_ref().map(|cause| &**cause as _)
        }
    }

    fn cause(words: [&'static str; 3]) -> Cause {
        let [first, second, third] = words;
        Cause(first, Some(Box::new(Cause(second, Some(Box::new(Cause(third, None)))))))
    }

    #[test]
    fn each_kind_of_failure_is_told() {
        let broken = ConnectorError::io(cause(["a reset", "a reset", "of the peer"]).into());
        let cases: [(SdkError<GetItemError, ()>, bool, &str); 4] = [
            (SdkError::construction_failure("x"), true, "GetItem was not built"),
            (SdkError::timeout_error("x"), false, "GetItem took too long"),
            (SdkError::response_error("x", ()), false, "GetItem got an answer that cannot be read"),
            (SdkError::dispatch_failure(broken), false, "GetItem did not get through: "),
        ];
        for (error, defect, log) in cases {
            let error = from_sdk_error("GetItem", &error);
            assert_eq!(matches!(error.kind(), ErrorKind::Defect), defect, "{log}");
            assert!(error.log().unwrap().starts_with(log), "{:?}", error.log());
        }
    }

    #[test]
    fn causes_are_told_once_and_without_what_helps_nobody() {
        for (words, told) in [
            (["an error", "a reset", "of the peer"], "a reset: of the peer"),
            (["an error", "a reset of the peer", "of the peer"], "a reset of the peer"),
            (["an error", "other", "a reset"], "a reset"),
            (["an error", "none. Attempted:\na\nb", "x"], "none.: x"),
        ] {
            assert_eq!(causes(&cause(words)), told);
        }
        assert_eq!(causes(&Cause("an error", None)), "an error");
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        for (round, ceiling) in [(1, 25), (2, 50), (3, 100), (4, 200), (5, 400), (6, 400), (100, 400)] {
            let longest = (0..500).map(|_| pause_before(round)).max().unwrap();
            // Of 500 random parts, the largest is below half with a probability of 2 to the power of -500.
            let range = Duration::from_millis(ceiling / 2)..=Duration::from_millis(ceiling);
            assert!(range.contains(&longest), "{round}: {longest:?}");
        }
    }
}
