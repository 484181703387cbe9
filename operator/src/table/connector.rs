//! Adapts our [`HttpClient`] to the AWS SDK, which reads credentials with it.

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use bytes::Bytes;
use http_body_util::Full;

use shared::aws::connector_error;
use shared::http_client::HttpClient;

/// More than any answer with credentials has.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

#[derive(Clone, Debug)]
struct Connector(HttpClient);

/// Adapts the client to the SDK. The SDK applies its time-out per attempt; the time-out per connection is the
/// client's own.
pub(super) fn sdk_http_client(client: HttpClient) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(client));
    http_client_fn(move |_, _| connector.clone())
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let other = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::other(error, None);
            let request = request.try_into_http1x().map_err(|error| other(error.into()))?;
            let request = request.map(|body| Full::from(Bytes::copy_from_slice(body.bytes().unwrap_or(&[]))));
            let answer = client.send(request, MAX_ANSWER_BYTES).await.map_err(connector_error)?;
            HttpResponse::try_from(answer.map(Into::into)).map_err(|error| other(error.into()))
        })
    }
}
