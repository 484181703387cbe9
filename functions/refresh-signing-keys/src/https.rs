//! A GET over HTTPS, bounded in size and time, that follows no redirect.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http::Uri;
use http_body_util::{BodyExt as _, Limited};

/// A URL whose scheme is `https`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpsUrl(Uri);

impl HttpsUrl {
    /// The host, for the log.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }
}

impl FromStr for HttpsUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<Uri>() {
            Ok(uri) if uri.scheme_str() == Some("https") && uri.host().is_some() => Ok(Self(uri)),
            _ => Err("must be an https:// address"),
        }
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A client of HTTPS servers: the one that is also under the AWS SDK. What it fetches must be there
/// within its time-out.
#[derive(Debug)]
pub struct HttpsClient {
    connector: Connector,
    timeout: Duration,
}

impl HttpsClient {
    /// A client that trusts the roots of the operating system (or of `SSL_CERT_FILE`).
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self::trusting(TrustStore::default(), timeout)
    }

    /// A client that trusts one root alone, a certificate in PEM.
    #[must_use]
    pub fn trusting_only(root: &str, timeout: Duration) -> Self {
        Self::trusting(TrustStore::empty().with_pem_certificate(root), timeout)
    }

    fn trusting(roots: TrustStore, timeout: Duration) -> Self {
        // Minutes lie between two runs: a kept connection would only be found closed.
        let builder =
            Connector::builder().pool_max_idle_per_host(0).tls_provider(Provider::Rustls(CryptoMode::Ring));
        // The building of a context has nothing that could fail.
        let context = TlsContext::builder().with_trust_store(roots).build().unwrap_or_default();
        Self { connector: builder.tls_context(context).build(), timeout }
    }

    /// Fetches a text.
    ///
    /// # Errors
    /// Says what was wrong with the answer: none in time, another status than 200 (a redirect is
    /// one), more than `max_bytes`, no UTF-8.
    pub async fn get(&self, url: &HttpsUrl, max_bytes: usize) -> Result<String, &'static str> {
        tokio::time::timeout(self.timeout, self.get_unhurried(url, max_bytes))
            .await
            .unwrap_or(Err("did not answer in time"))
    }

    async fn get_unhurried(&self, url: &HttpsUrl, max_bytes: usize) -> Result<String, &'static str> {
        let request = HttpRequest::get(url.to_string()).map_err(|_| "has an address that cannot be asked")?;
        let response = self.connector.call(request).await.map_err(|_| "could not be reached over HTTPS")?;
        if response.status().as_u16() != 200 {
            return Err("answered with another status than 200");
        }
        let body = Limited::new(response.into_body(), max_bytes).collect().await;
        let body = body.map_err(|_| "answered with a body that is too large or ended early")?;
        String::from_utf8(body.to_bytes().into()).map_err(|_| "answered with a body that is not UTF-8")
    }
}
