//! A bare hyper client with rustls and *ring* in a function that does nothing else: the least that the
//! connection to the table and `CALLS` calls a request, one after another, can cost. It signs
//! nothing and reads no answer. With `SIGNATURE` it also verifies one signature of ES256 a request.

use std::net::ToSocketAddrs as _;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const BODY: &str = r#"{"TableName":"users","Key":{"PK":{"S":"SIGNING_KEYS"},"SK":{"S":"SIGNING_KEYS"}},"ConsistentRead":true}"#;

#[derive(Deserialize)]
struct Event {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u16,
    body: &'static str,
}

/// The table and the connection to it.
struct Client {
    endpoint: Uri,
    tls: Option<TlsConnector>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    fn new() -> Result<Self, Error> {
        let endpoint: Uri = std::env::var("AWS_ENDPOINT_URL_DYNAMODB")?.parse()?;
        let tls = if endpoint.scheme_str() == Some("https") { Some(connector()?) } else { None };
        Ok(Self { endpoint, tls, connection: None })
    }

    async fn call(&mut self) -> Result<(), Error> {
        let connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect().await?,
        };
        let connection = self.connection.insert(connection);
        connection.ready().await?;
        let request = Request::post("/")
            .header("Host", self.endpoint.host().unwrap_or_default())
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("X-Amz-Target", "DynamoDB_20120810.GetItem")
            .body(Full::from(BODY))?;
        let response = connection.send_request(request).await?;
        response.into_body().collect().await?;
        Ok(())
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

/// A signature to be verified, as the bench hands it over: public key and signature of so many `x` as a
/// token has bytes, byte by byte.
struct Signature {
    key: UnparsedPublicKey<Vec<u8>>,
    signature: Vec<u8>,
}

impl Signature {
    fn parse(setting: &str) -> Option<Self> {
        let bytes = |list: &str| list.split(',').map(|byte| byte.parse().ok()).collect::<Option<Vec<u8>>>();
        let (key, signature) = setting.split_once(':')?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes(key)?);
        Some(Self { key, signature: bytes(signature)? })
    }

    fn verify(&self) -> Result<(), Error> {
        self.key.verify(&[b'x'; 300], &self.signature).map_err(|_| "the signature is wrong".into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let calls: u32 = std::env::var("CALLS")?.parse()?;
    let signature = match std::env::var("SIGNATURE") {
        Ok(setting) => Some(Signature::parse(&setting).ok_or("SIGNATURE is none")?),
        Err(_) => None,
    };
    let signature = signature.as_ref();
    let mut client = Client::new()?;
    // As the functions do, it starts all the same where the table is not there.
    let _ = client.call().await;
    let client = &Mutex::new(client);
    lambda_runtime::run(service_fn(|_: LambdaEvent<Event>| async move {
        if let Some(signature) = signature {
            signature.verify()?;
        }
        for _ in 0..calls {
            client.lock().await.call().await?;
        }
        Ok::<_, Error>(Response { status_code: 200, body: "{}" })
    }))
    .await
}
