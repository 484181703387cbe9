//! The operations of the DynamoDB API, each with the SDK's own serializer and deserializer.

use std::fmt::Debug;
use std::sync::LazyLock;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::{ConfigBag, FrozenLayer, RuntimePlugin as _};
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse as _, SerializeRequest as _, SharedRequestSerializer, SharedResponseDeserializer,
};
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

    /// The SDK's configuration of the operation: it holds the serializer and the deserializer.
    fn configuration() -> Option<&'static FrozenLayer>;
}

/// The error of a call.
pub type CallError<Input> = SdkError<<Input as OperationInput>::Error, HttpResponse>;

/// A call as it is sent, without address and signature.
pub(super) struct SerializedCall {
    /// What the serializer sets: `Content-Type`, `Content-Length` and `X-Amz-Target`.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Writes a call.
pub(super) fn serialize<Call: OperationInput>(input: Call) -> Result<SerializedCall, BoxError> {
    let serializer = Call::configuration().and_then(|layer| layer.load::<SharedRequestSerializer>());
    let serializer = serializer.ok_or("the SDK's serializer is not where it was")?;
    let request = serializer.serialize_input(Input::erase(input), &mut ConfigBag::base())?;
    let (head, body) = request.try_into_http1x()?.into_parts();
    let body = body.bytes().ok_or("the SDK's serializer wrote no bytes")?;
    Ok(SerializedCall { headers: head.headers, body: Bytes::copy_from_slice(body) })
}

/// Reads an answer.
#[expect(clippy::result_large_err, reason = "the type is the SDK's, and errors are rare")]
pub(super) fn deserialize<Call: OperationInput>(
    answer: HttpResponse,
) -> Result<Call::Output, CallError<Call>> {
    let deserializer = Call::configuration().and_then(|layer| layer.load::<SharedResponseDeserializer>());
    let Some(deserializer) = deserializer else {
        return Err(SdkError::response_error("the SDK's deserializer is not where it was", answer));
    };
    let error = match deserializer.deserialize_nonstreaming_with_config(&answer, &ConfigBag::base()) {
        Ok(output) => {
            let output = output.downcast::<Call::Output>();
            return output.map_err(|_| SdkError::response_error("the output of another operation", answer));
        }
        Err(error) => error,
    };
    let mut service_error = None;
    let error = error.map_operation_error(|error| service_error = error.downcast::<Call::Error>().ok());
    Err(match service_error {
        Some(service_error) => SdkError::service_error(service_error, answer),
        None => SdkError::response_error(format!("{error:?}"), answer),
    })
}

macro_rules! operations {
    ($($operation:ident in $module:ident: $input:ident, $output:ident, $error:ident;)*) => {
        $(impl OperationInput for operation::$module::$input {
            const OPERATION: &'static str = stringify!($operation);
            type Output = operation::$module::$output;
            type Error = operation::$module::$error;

            fn configuration() -> Option<&'static FrozenLayer> {
                static LAYER: LazyLock<Option<FrozenLayer>> =
                    LazyLock::new(|| operation::$module::$operation::new().config());
                LAYER.as_ref()
            }
        })*

        /// What is wrong with an operation, for each of them.
        #[cfg(test)]
        fn defects() -> Vec<(&'static str, Option<String>)> {
            vec![$((stringify!($operation), tests::defect(operation::$module::$input::builder().build()))),*]
        }
    };
}

// Those that only operators call are here too, because Rust allows an implementation only beside its trait. The linker
// leaves out what a function does not call.
operations! {
    BatchGetItem in batch_get_item: BatchGetItemInput, BatchGetItemOutput, BatchGetItemError;
    CreateTable in create_table: CreateTableInput, CreateTableOutput, CreateTableError;
    DeleteItem in delete_item: DeleteItemInput, DeleteItemOutput, DeleteItemError;
    DescribeContinuousBackups in describe_continuous_backups: DescribeContinuousBackupsInput,
        DescribeContinuousBackupsOutput, DescribeContinuousBackupsError;
    DescribeTable in describe_table: DescribeTableInput, DescribeTableOutput, DescribeTableError;
    DescribeTimeToLive in describe_time_to_live: DescribeTimeToLiveInput, DescribeTimeToLiveOutput,
        DescribeTimeToLiveError;
    GetItem in get_item: GetItemInput, GetItemOutput, GetItemError;
    PutItem in put_item: PutItemInput, PutItemOutput, PutItemError;
    Query in query: QueryInput, QueryOutput, QueryError;
    Scan in scan: ScanInput, ScanOutput, ScanError;
    TransactGetItems in transact_get_items: TransactGetItemsInput, TransactGetItemsOutput, TransactGetItemsError;
    TransactWriteItems in transact_write_items: TransactWriteItemsInput, TransactWriteItemsOutput,
        TransactWriteItemsError;
    UpdateItem in update_item: UpdateItemInput, UpdateItemOutput, UpdateItemError;
    UpdateTimeToLive in update_time_to_live: UpdateTimeToLiveInput, UpdateTimeToLiveOutput, UpdateTimeToLiveError;
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::error::BuildError;

    use super::*;

    /// Writes a call without parameters and reads two answers: what is wrong, if something is.
    #[expect(clippy::result_large_err, reason = "the type is the SDK's")]
    pub(super) fn defect<Call: OperationInput>(input: Result<Call, BuildError>) -> Option<String> {
        let call = match input.map_err(BoxError::from).and_then(serialize) {
            Ok(call) => call,
            Err(error) => return Some(error.to_string()),
        };
        let target = format!("DynamoDB_20120810.{}", Call::OPERATION);
        let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
        if header("x-amz-target") != Some(&target)
            || header("content-type") != Some("application/x-amz-json-1.0")
        {
            return Some(format!("{:?}", call.headers));
        }
        let answer = |status: u16, body: &'static str| {
            deserialize::<Call>(HttpResponse::new(status.try_into().unwrap(), body.into()))
        };
        if let Err(error) = answer(200, "{}") {
            return Some(format!("{error:?}"));
        }
        let throttled = answer(400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}"#);
        match throttled {
            Err(SdkError::ServiceError(error)) if error.err().code() == Some("ThrottlingException") => None,
            other => Some(format!("{other:?}")),
        }
    }

    /// CONTRIBUTING.md says what to do if this fails after an upgrade of the SDK.
    #[test]
    fn the_sdk_has_its_serializers_where_the_client_takes_them_from() {
        for (operation, defect) in defects() {
            assert_eq!(defect, None, "{operation}");
        }
    }
}
