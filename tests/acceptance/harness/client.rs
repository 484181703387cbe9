//! HTTP clients of an API.

use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Method;
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use super::Answer;
use crate::endpoints::contract::{Sent, assert_kept};
use crate::security::log::assert_clean;

/// A client of an API.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    pub(super) http: legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self { address, http: legacy::Client::builder(TokioExecutor::new()).build_http() }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn get(&self, path_and_query: &str) -> Call {
        self.call(Method::GET, path_and_query)
    }

    pub fn post(&self, path: &str, body: impl Into<Bytes>) -> Call {
        let mut call = self.call(Method::POST, path).header("content-type", "application/json");
        call.body = body.into();
        call
    }

    pub fn call(&self, method: Method, path_and_query: &str) -> Call {
        let (client, path) = (self.clone(), path_and_query.into());
        Call { client, method, path, headers: Vec::new(), body: Bytes::new() }
    }
}

/// A request in the making.
#[must_use]
pub struct Call {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    pub fn method(&self) -> &Method {
        &self.method
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    /// One more line of a header that may be there already.
    pub fn line(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn bearer(self, authorization: impl Into<String>) -> Self {
        self.header("authorization", authorization)
    }

    pub async fn send(self) -> Answer {
        self.try_send().await.unwrap()
    }

    /// The answer, or why there is none.
    pub async fn try_send(self) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let address = self.client.address;
        #[cfg(feature = "older")]
        let address = super::older::address(address, path);
        let uri = format!("http://{address}{}", self.path);
        let mut request = hyper::Request::builder().method(&self.method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = self.client.http.request(request.body(Full::new(self.body.clone()))?).await?;
        let (head, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await?.to_bytes().into())?;
        assert_clean();
        let answer = Answer { status: head.status.as_u16(), headers: head.headers, body };
        let header = |name: &str| {
            let mut lines = self.headers.iter().filter(|(known, _)| known == name);
            lines.next().map(|(_, value)| value.as_str())
        };
        let sent = Sent {
            query,
            authorization: header("authorization"),
            content_type: header("content-type"),
            body: &self.body,
        };
        assert_kept(self.method.as_str(), path, &sent, &answer);
        Ok(answer)
    }
}
