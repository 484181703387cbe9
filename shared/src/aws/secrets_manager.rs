//! Secrets Manager's one operation that is used (AWS Secrets Manager API Reference, `GetSecretValue`).

use std::fmt;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BoxError, ErrorMetadata, SdkError};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::operation::{CallError, OperationInput, SerializedCall};

/// Reads the current version of a secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetSecretValue {
    /// The secret's ARN or name.
    pub secret_id: String,
}

/// The text of a secret.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SecretValue {
    /// Empty if the secret is not a text.
    #[serde(default)]
    pub secret_string: Zeroizing<String>,
}

/// A secret is not shown.
impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// The members of a refusal. Its message is not read: it names the secret.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    r#type: String,
}

impl OperationInput for GetSecretValue {
    const OPERATION: &'static str = "GetSecretValue";
    type Output = SecretValue;
    type Error = ErrorMetadata;

    fn serialize(self) -> Result<SerializedCall, BoxError> {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        headers.insert("x-amz-target", HeaderValue::from_static("secretsmanager.GetSecretValue"));
        Ok(SerializedCall { headers, body: serde_json::to_vec(&self)?.into() })
    }

    fn deserialize(answer: HttpResponse) -> Result<SecretValue, CallError<Self>> {
        let body = answer.body().bytes().unwrap_or_default();
        if answer.status().is_success() {
            // What is wrong with the text may quote it.
            return serde_json::from_slice(body).map_err(|_| SdkError::response_error("no secret", answer));
        }
        let code = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.r#type).unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let refusal = ErrorMetadata::builder().code(code).build();
        Err(SdkError::service_error(refusal, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::result_large_err, reason = "the type is the SDK's")]
    fn writes_the_call_and_reads_its_answers() {
        let call = GetSecretValue { secret_id: "arn:of-a-secret".to_owned() }.serialize().unwrap();
        assert_eq!(call.body, r#"{"SecretId":"arn:of-a-secret"}"#);
        assert_eq!(call.headers["x-amz-target"], "secretsmanager.GetSecretValue");

        let answer = |status: u16, body: &'static str| {
            GetSecretValue::deserialize(HttpResponse::new(status.try_into().unwrap(), body.into()))
        };
        assert_eq!(*answer(200, r#"{"Name":"n","SecretString":"{}"}"#).unwrap().secret_string, "{}");
        assert_eq!(*answer(200, r#"{"Name":"n","SecretBinary":"AAAA"}"#).unwrap().secret_string, "");
        assert!(matches!(answer(200, "no JSON"), Err(SdkError::ResponseError(_))));
        for (body, code) in [
            (r#"{"__type":"ResourceNotFoundException","Message":"m"}"#, "ResourceNotFoundException"),
            (r#"{"__type":"com.amazon.coral#ThrottlingException"}"#, "ThrottlingException"),
            ("no JSON", ""),
        ] {
            let Err(SdkError::ServiceError(refusal)) = answer(400, body) else { panic!("{body}") };
            assert_eq!(refusal.err().code(), Some(code));
        }
    }
}
