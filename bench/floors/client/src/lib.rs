//! The connection to the table: hyper over rustls with *ring*, and nothing else.

use std::net::ToSocketAddrs as _;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use lambda_runtime::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The table and the connection to it.
pub struct Connection {
    endpoint: Uri,
    tls: Option<TlsConnector>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// To the table that `AWS_ENDPOINT_URL_DYNAMODB` names. It is opened by the first request.
    ///
    /// # Errors
    /// Says what is wrong with the variable or with the certificates of `AWS_CA_BUNDLE`.
    pub fn from_environment() -> Result<Self, Error> {
        let endpoint: Uri = std::env::var("AWS_ENDPOINT_URL_DYNAMODB")?.parse()?;
        let tls = if endpoint.scheme_str() == Some("https") { Some(connector()?) } else { None };
        Ok(Self { endpoint, tls, sender: None })
    }

    /// What the header `Host` says.
    #[must_use]
    pub fn host(&self) -> &str {
        self.endpoint.authority().map_or("", |authority| authority.as_str())
    }

    /// Sends a request and reads the body of the answer, whatever its status.
    ///
    /// # Errors
    /// Says why there is no answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Bytes, Error> {
        let sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        let sender = self.sender.insert(sender);
        sender.ready().await?;
        Ok(sender.send_request(request).await?.into_body().collect().await?.to_bytes())
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let host = self.endpoint.host().unwrap_or_default().to_owned();
        let port = self.endpoint.port_u16().unwrap_or(443);
        let address = (host.as_str(), port).to_socket_addrs()?.next().ok_or("the endpoint has no address")?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            return Ok(sender);
        };
        let stream = tls.connect(host.try_into()?, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Trusts the roots in `AWS_CA_BUNDLE` alone.
fn connector() -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(std::env::var("AWS_CA_BUNDLE")?)? {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config).into())
}
