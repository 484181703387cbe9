//! The operations of the DynamoDB API, each with the SDK's own serializer and deserializer.

use std::sync::LazyLock;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::{ConfigBag, FrozenLayer, RuntimePlugin as _};
use aws_sdk_dynamodb::error::{BoxError, SdkError};
use aws_sdk_dynamodb::operation;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse as _, SerializeRequest as _, SharedRequestSerializer, SharedResponseDeserializer,
};
use bytes::Bytes;

use crate::aws::{CallError, OperationInput, SerializedCall};

/// The SDK's configuration of an operation: it holds the serializer and the deserializer.
type Configuration = Option<&'static FrozenLayer>;

trait Configured {
    fn configuration() -> Configuration;
}

/// Writes a call.
fn serialize<Call: OperationInput>(
    input: Call,
    configuration: Configuration,
) -> Result<SerializedCall, BoxError> {
    let serializer = configuration.and_then(|layer| layer.load::<SharedRequestSerializer>());
    let serializer = serializer.ok_or("the SDK's serializer is not where it was")?;
    let request = serializer.serialize_input(Input::erase(input), &mut ConfigBag::base())?;
    let (head, body) = request.try_into_http1x()?.into_parts();
    let body = body.bytes().ok_or("the SDK's serializer wrote no bytes")?;
    Ok(SerializedCall { headers: head.headers, body: Bytes::copy_from_slice(body) })
}

/// Reads an answer.
#[expect(clippy::result_large_err, reason = "the type is the SDK's, and errors are rare")]
fn deserialize<Call: OperationInput>(
    answer: HttpResponse,
    configuration: Configuration,
) -> Result<Call::Output, CallError<Call>> {
    let deserializer = configuration.and_then(|layer| layer.load::<SharedResponseDeserializer>());
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

            fn serialize(self) -> Result<SerializedCall, BoxError> {
                serialize(self, Self::configuration())
            }

            fn deserialize(answer: HttpResponse) -> Result<Self::Output, CallError<Self>> {
                deserialize::<Self>(answer, Self::configuration())
            }
        }

        impl Configured for operation::$module::$input {
            fn configuration() -> Configuration {
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
    use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata as _};

    use super::*;

    /// Writes a call without parameters and reads two answers: what is wrong, if something is.
    #[expect(clippy::result_large_err, reason = "the type is the SDK's")]
    pub(super) fn defect<Call: OperationInput>(input: Result<Call, BuildError>) -> Option<String> {
        let call = match input.map_err(BoxError::from).and_then(Call::serialize) {
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
            Call::deserialize(HttpResponse::new(status.try_into().unwrap(), body.into()))
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
