//! The one error type. It knows nothing of HTTP: [`crate::http::problem`] turns it into an answer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How long a client is asked to wait where a dependency failed: 1 s.
pub const UNAVAILABLE_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request is not fulfilled.
///
/// What the client may read ([`Error::kind`]) and what the log should say ([`Error::log`]) are kept
/// apart: nothing of the second ever reaches the first.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    log: Option<Cow<'static, str>>,
}

/// What the client may read of an [`Error`].
#[derive(Debug)]
pub enum ErrorKind {
    /// The request is wrong: each field's name with what is wrong about it.
    Invalid(FieldErrors),
    /// No token was sent.
    TokenMissing,
    /// A token was sent and does not count.
    TokenInvalid,
    /// The token counts and does not carry the role.
    RoleMissing,
    /// The request did not come through the front that everybody must come through.
    NotThroughFront,
    /// There is no such record for this caller.
    NotFound,
    /// The body is larger than this many bytes.
    BodyTooLarge {
        /// The largest body allowed, in bytes.
        limit: usize,
    },
    /// The `Authorization` header is larger than this many bytes.
    HeaderTooLarge {
        /// The largest header allowed, in bytes.
        limit: usize,
    },
    /// The body is not of the one media type that is understood.
    MediaTypeUnsupported,
    /// The client has sent as many requests as its window allows.
    RateLimited {
        /// How long until a request will be admitted.
        retry_after: Duration,
    },
    /// The answer would be larger than its caller can take.
    AnswerTooLarge,
    /// Something this service depends on did not answer; the same request may work later.
    Unavailable,
    /// A defect of this service.
    Defect,
}

impl Error {
    /// A defect; `log` says what was found, without any personal datum.
    pub fn defect(log: impl Into<Cow<'static, str>>) -> Self {
        Self::from(ErrorKind::Defect).logging(log)
    }

    /// A dependency that failed; `log` says which and how.
    pub fn unavailable(log: impl Into<Cow<'static, str>>) -> Self {
        Self::from(ErrorKind::Unavailable).logging(log)
    }

    /// A token that does not count; `log` says why, without any part of the token.
    pub fn token_invalid(log: impl Into<Cow<'static, str>>) -> Self {
        Self::from(ErrorKind::TokenInvalid).logging(log)
    }

    /// A request of which one field is wrong.
    pub fn invalid(field: &'static str, message: impl fmt::Display) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, message);
        errors.into()
    }

    /// There is no such record for this caller.
    #[must_use]
    pub fn not_found() -> Self {
        ErrorKind::NotFound.into()
    }

    /// Adds what the log should say.
    #[must_use]
    pub fn logging(mut self, log: impl Into<Cow<'static, str>>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// What the client may read.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What the log should say.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, log: None }
    }
}

impl From<FieldErrors> for Error {
    fn from(errors: FieldErrors) -> Self {
        ErrorKind::Invalid(errors).into()
    }
}

/// Every field of a request that is wrong, in the document's spelling, with what is wrong about it.
#[derive(Debug, Default)]
pub struct FieldErrors(BTreeMap<&'static str, Vec<String>>);

impl FieldErrors {
    /// Adds a sentence about a field.
    pub fn add(&mut self, field: &'static str, message: impl fmt::Display) {
        self.0.entry(field).or_default().push(message.to_string());
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields and the sentences about each.
    #[must_use]
    pub fn fields(&self) -> &BTreeMap<&'static str, Vec<String>> {
        &self.0
    }
}
