//! A GET over HTTPS, bounded in size and time, that follows no redirect.

use std::fmt;
use std::io::Read as _;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::{Request, Uri};
use http_body_util::Full;
use shared::clock::Clock;
use shared::http_client::{HttpClient, HttpClientError, Proxies, TrustedRoots};

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

/// A client of HTTPS servers. What it fetches must be there within its time-out.
#[derive(Debug)]
pub struct HttpsClient {
    client: HttpClient,
    timeout: Duration,
}

impl HttpsClient {
    /// A client that trusts these certification authorities and goes through these proxies.
    #[must_use]
    pub fn new(roots: TrustedRoots, proxies: Proxies, timeout: Duration) -> Self {
        // Minutes lie between two runs: a kept connection would only be found closed.
        Self { client: HttpClient::new(roots, proxies, Duration::ZERO, Clock::system()), timeout }
    }

    /// Fetches a text, without its byte order mark. Its media type does not matter. Some servers send gzip though
    /// nobody asked for it.
    ///
    /// # Errors
    /// Says why there is no answer in time, or what was wrong with it: another status than 200 (a redirect is one),
    /// more than `max_bytes` before or after decompression, another encoding, no UTF-8.
    pub async fn get(&self, url: &HttpsUrl, max_bytes: usize) -> Result<String, String> {
        tokio::time::timeout(self.timeout, self.get_unhurried(url, max_bytes))
            .await
            .unwrap_or_else(|_| Err("did not answer in time".to_owned()))
    }

    async fn get_unhurried(&self, url: &HttpsUrl, max_bytes: usize) -> Result<String, String> {
        let mut request = Request::new(Full::<Bytes>::default());
        *request.uri_mut() = url.0.clone();
        let response = self.client.send(request, max_bytes).await.map_err(|error| match error {
            HttpClientError::TooLarge | HttpClientError::Interrupted(_) => {
                "answered with a body that is too large or ended early".to_owned()
            }
            _ => format!("could not be reached over HTTPS: {error}"),
        })?;
        if response.status().as_u16() != 200 {
            return Err(format!("answered with status {} and not 200", response.status().as_u16()));
        }
        let encoding = response.headers().get(CONTENT_ENCODING);
        let encoding = encoding.map(|encoding| encoding.as_bytes().trim_ascii().to_ascii_lowercase());
        let body = response.into_body();
        let body = match encoding.as_deref() {
            None | Some(b"" | b"identity") => body.into(),
            Some(b"gzip" | b"x-gzip") => decompressed(&body, max_bytes)?,
            Some(_) => return Err("answered in an encoding that is not gzip".to_owned()),
        };
        let text = String::from_utf8(body).map_err(|_| "answered with a body that is not UTF-8")?;
        Ok(text.strip_prefix('\u{feff}').map(ToOwned::to_owned).unwrap_or(text))
    }
}

fn decompressed(gzip: &[u8], max_bytes: usize) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    // One byte more than is allowed tells that there is too much.
    let read = MultiGzDecoder::new(gzip).take(max_bytes as u64 + 1).read_to_end(&mut body);
    match read {
        Ok(length) if length > max_bytes => Err("answered with a body that is too large or ended early"),
        Ok(_) => Ok(body),
        Err(_) => Err("answered with gzip that cannot be decompressed"),
    }
}
