//! An operation of an API: how a call of it is written, and its answer read.

use std::fmt::Debug;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use bytes::Bytes;
use http::HeaderMap;

/// The input of an operation; it determines the operation.
pub trait OperationInput: Debug + Send + Sync + Sized + 'static {
    /// The operation's name, such as `GetItem`.
    const OPERATION: &'static str;
    /// What a successful call returns.
    type Output: Debug + Send + Sync + 'static;
    /// What a refused call returns.
    type Error: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static;

    /// Writes a call.
    fn serialize(self) -> Result<SerializedCall, BoxError>;

    /// Reads an answer.
    #[expect(clippy::result_large_err, reason = "the type is the SDK's, and errors are rare")]
    fn deserialize(answer: HttpResponse) -> Result<Self::Output, CallError<Self>>;
}

/// The error of a call.
pub type CallError<Input> = SdkError<<Input as OperationInput>::Error, HttpResponse>;

/// A call as it is sent, without address and signature.
pub struct SerializedCall {
    /// `Content-Type`, `X-Amz-Target` and, if the writer sets it, `Content-Length`.
    pub headers: HeaderMap,
    /// JSON.
    pub body: Bytes,
}
