//! A client of HTTP/1.1 servers: TLS by *rustls* and *ring*, kept connections, answers read whole.
//!
//! It calls the [`table`](crate::table) and fetches the identity provider's
//! documents. The AWS SDK's own HTTP client counts the age of an idle connection on a clock that need not run
//! while Lambda has the process frozen; this one on the time of day.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use lambda_http::tower::{BoxError, Service, ServiceExt as _, service_fn};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::clock::{Clock, Timestamp};
use crate::settings::SettingsReader;

/// How long a TCP connection may take, the look-up of its name and the answer of a proxy included. What comes after
/// it, a slow CPU may make slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

const AGENT: HeaderValue = HeaderValue::from_static(concat!("users/", env!("CARGO_PKG_VERSION")));

/// Why there is no answer. Holds nothing of the request.
#[derive(Debug)]
pub enum HttpClientError {
    /// No connection within its time.
    ConnectTimeout,
    /// No connection, or one that broke.
    Connection(BoxError),
    /// An answer that ended before it was whole.
    Interrupted(BoxError),
    /// An answer with more bytes than were asked for.
    TooLarge,
    /// A request that names no server.
    NoServer,
}

impl fmt::Display for HttpClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectTimeout => f.write_str("no connection in time"),
            Self::Connection(error) => write!(f, "no connection: {error}"),
            Self::Interrupted(error) => write!(f, "the answer ended early: {error}"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::NoServer => f.write_str("the request names no server"),
        }
    }
}

impl std::error::Error for HttpClientError {}

/// The certification authorities whose word counts.
pub struct TrustedRoots(RootCertStore);

impl TrustedRoots {
    /// Those of Mozilla's list, compiled in: nothing is read when a process starts.
    #[must_use]
    pub fn mozilla() -> Self {
        Self(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    /// Reads those of the PEM file that the setting `name` has; without one, they are [`TrustedRoots::mozilla`]. The
    /// reader is told why a file cannot be used.
    pub fn read(reader: &mut SettingsReader<'_>, name: &str) -> Option<Self> {
        let Some(file) = reader.optional(name) else { return Some(Self::mozilla()) };
        let pem = std::fs::read(&file).map_err(|error| error.to_string());
        let roots = pem.and_then(|pem| Self::from_pem(&pem).map_err(ToOwned::to_owned));
        roots.map_err(|why| reader.report(name, format_args!("({file}): {why}"))).ok()
    }

    /// These alone: certificates in PEM (RFC 7468), with or without a byte order mark.
    ///
    /// # Errors
    /// Says that there is none among them, or one that is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        let mut roots = RootCertStore::empty();
        let pem = pem.strip_prefix("\u{feff}".as_bytes()).unwrap_or(pem);
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| "holds a certificate that cannot be read")?;
            roots.add(certificate).map_err(|_| "holds a certificate that is not a root")?;
        }
        if roots.is_empty() { Err("holds no certificate") } else { Ok(Self(roots)) }
    }
}

/// The proxies that stand before HTTPS servers. Nothing but HTTPS ever goes through a proxy.
pub struct Proxies(Option<Matcher>);

impl Proxies {
    /// No proxy.
    #[must_use]
    #[allow(dead_code, reason = "functions read their environment")]
    pub fn none() -> Self {
        Self(None)
    }

    /// Reads the proxy that `HTTPS_PROXY` or `ALL_PROXY` names, but for the hosts of `NO_PROXY`, in upper or lower
    /// case, by the rules of curl. The reader is told of one that cannot be used.
    pub fn read(reader: &mut SettingsReader<'_>) -> Option<Self> {
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let named = names.into_iter().find_map(|name| Some((name, reader.optional(name)?)));
        let Some((name, https)) = named else { return Some(Self(None)) };
        let no = ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| reader.optional(name));
        let https = if https.contains("://") { https } else { format!("http://{https}") };
        let matcher = |no| Matcher::builder().https(https.clone()).no(no).build();
        let proxy = matcher(String::new()).intercept(&Uri::from_static("https://any.example/"));
        let is_http = proxy.is_some_and(|proxy| proxy.uri().scheme() == Some(&Scheme::HTTP));
        if !is_http || https.parse::<Uri>().is_ok_and(|uri| uri.path() != "/") {
            // Without the value, which may hold a password.
            reader.report(name, "must be the http:// address of a proxy, user and password percent-encoded");
            return None;
        }
        Some(Self(Some(matcher(no.unwrap_or_default()))))
    }

    fn before(&self, server: &Uri) -> Option<Intercept> {
        self.0.as_ref().filter(|_| server.scheme() == Some(&Scheme::HTTPS))?.intercept(server)
    }
}

/// A client; a clone shares its connections.
#[derive(Clone)]
pub struct HttpClient(Arc<Shared>);

struct Shared {
    tls: TlsConnector,
    proxies: Proxies,
    clock: Clock,
    keep_idle: Duration,
    idle: Mutex<Vec<Idle>>,
}

type Connection = SendRequest<Full<Bytes>>;

/// A connection that waits for its next request.
struct Idle {
    origin: Origin,
    connection: Connection,
    since: Timestamp,
}

#[derive(Clone, PartialEq, Eq)]
struct Origin {
    scheme: Scheme,
    authority: Authority,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl HttpClient {
    /// A client that keeps a connection until it has been idle for `keep_idle` by the clock.
    #[must_use]
    #[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "ring has what these versions need")]
    pub fn new(roots: TrustedRoots, proxies: Proxies, keep_idle: Duration, clock: Clock) -> Self {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(tokio_rustls::rustls::DEFAULT_VERSIONS)
            .map(|config| config.with_root_certificates(roots.0).with_no_client_auth());
        let config = config.expect("ring speaks TLS 1.2 and 1.3");
        Self(Arc::new(Shared {
            tls: TlsConnector::from(Arc::new(config)),
            proxies,
            clock,
            keep_idle,
            idle: Mutex::default(),
        }))
    }

    /// Sends a request to the server that its URI names; the answer, of at most `max_bytes`.
    ///
    /// A kept connection that turns out closed before any of the request was written is replaced at
    /// once.
    pub async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        max_bytes: usize,
    ) -> Result<Response<Bytes>, HttpClientError> {
        let origin = address(&mut request)?;
        loop {
            let (mut connection, kept) = match self.take_idle(&origin) {
                Some(connection) => (connection, true),
                None => (self.connect(&origin).await?, false),
            };
            if let Err(error) = connection.ready().await {
                if kept {
                    continue;
                }
                return Err(HttpClientError::Connection(error.into()));
            }
            let answer = match connection.try_send_request(request).await {
                Ok(answer) => answer,
                Err(mut error) => match error.take_message() {
                    Some(unsent) if kept => {
                        request = unsent;
                        continue;
                    }
                    _ => return Err(HttpClientError::Connection(error.into_error().into())),
                },
            };
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, max_bytes).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    HttpClientError::TooLarge
                } else {
                    HttpClientError::Interrupted(error)
                }
            })?;
            // What is behind this connection may be ill, and another's may not.
            if !head.status.is_server_error() {
                self.keep(origin, connection);
            }
            return Ok(Response::from_parts(head, body.to_bytes()));
        }
    }

    /// The connection to the server that was used last, if it is young enough.
    fn take_idle(&self, origin: &Origin) -> Option<Connection> {
        let now = self.0.clock.now();
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // A moment that is still to come was told by a clock that has been set back since.
        idle.retain(|idle| {
            idle.since <= now && now.since(idle.since) < self.0.keep_idle && !idle.connection.is_closed()
        });
        let last = idle.iter().rposition(|idle| idle.origin == *origin)?;
        Some(idle.remove(last).connection)
    }

    fn keep(&self, origin: Origin, connection: Connection) {
        if !self.0.keep_idle.is_zero() {
            let since = self.0.clock.now();
            let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(Idle { origin, connection, since });
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Connection, HttpClientError> {
        let uri = origin.uri().ok_or(HttpClientError::NoServer)?;
        let connecting = async {
            match self.0.proxies.before(&uri) {
                // By `CONNECT` (RFC 9110, section 9.3.6).
                Some(proxy) => {
                    let tunnel = Tunnel::new(proxy.uri().clone(), tcp());
                    let tunnel = proxy
                        .basic_auth()
                        .iter()
                        .fold(tunnel, |tunnel, auth| tunnel.with_auth((*auth).clone()));
                    tunnel.oneshot(uri).await.map_err(|error| format!("the proxy: {}", cause(&error)).into())
                }
                None => tcp().oneshot(uri).await.map_err(|error| cause(&*error.into()).into()),
            }
        };
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| HttpClientError::ConnectTimeout)?
            .map_err(HttpClientError::Connection)?;
        if origin.scheme != Scheme::HTTPS {
            return shake_hands(stream).await;
        }
        let host = origin.authority.host().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| HttpClientError::NoServer)?;
        let stream = self.0.tls.connect(name, stream.into_inner()).await;
        shake_hands(TokioIo::new(stream.map_err(|error| HttpClientError::Connection(error.into()))?)).await
    }
}

impl Origin {
    fn uri(&self) -> Option<Uri> {
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        uri.path_and_query("/").build().ok()
    }
}

/// What an error comes from, in words.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

/// Connects by TCP. Of a server with addresses of both families, the other is tried too if the first does not answer
/// soon (RFC 8305).
fn tcp() -> impl Service<Uri, Response = TokioIo<TcpStream>, Error: Into<BoxError>, Future: Send> {
    let resolver = service_fn(|name: Name| async move {
        looked_up(move || (name.as_str(), 0).to_socket_addrs().map(Iterator::collect))
            .await
            .map(Vec::into_iter)
    });
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.enforce_http(false);
    // A request is one small write: there is nothing to wait for.
    connector.set_nodelay(true);
    connector
}

/// The addresses of a name. The look-up has a thread of its own, which ends with it: whoever waits can stop waiting,
/// and the process does not keep a pool of threads.
async fn looked_up(
    look_up: impl FnOnce() -> std::io::Result<Vec<SocketAddr>> + Send + 'static,
) -> std::io::Result<Vec<SocketAddr>> {
    let (sender, addresses) = oneshot::channel();
    thread::Builder::new().name("look-up".into()).spawn(move || {
        let _ = sender.send(look_up());
    })?;
    addresses.await.map_err(std::io::Error::other)?
}

async fn shake_hands<Io>(io: Io) -> Result<Connection, HttpClientError>
where
    Io: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(io).await.map_err(|error| HttpClientError::Connection(error.into()))?;
    tokio::spawn(async move {
        // What breaks it, the request under way is told.
        let _ = connection.await;
    });
    Ok(sender)
}

/// Turns a request's absolute URI into what is sent: a path and a `Host` header (RFC 9112, section 3.2). Returns where
/// to. Adds who asks.
fn address(request: &mut Request<Full<Bytes>>) -> Result<Origin, HttpClientError> {
    let uri = std::mem::take(request.uri_mut()).into_parts();
    let (Some(scheme), Some(authority)) = (uri.scheme, uri.authority) else {
        return Err(HttpClientError::NoServer);
    };
    let path = uri.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| HttpClientError::NoServer)?;
    request.headers_mut().entry(HOST).or_insert(host);
    // A firewall may refuse who gives no name.
    request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
    Ok(Origin { scheme, authority })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_up_that_hangs_can_be_given_up() {
        let (end, hanging) = std::sync::mpsc::channel::<()>();
        let look_up = looked_up(move || {
            let _ = hanging.recv();
            Ok(Vec::new())
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), look_up).await.is_err());
        drop(end);
    }
}
