//! The table that the measured functions talk to: DynamoDB's protocol over HTTP/1.1, kept alive, with TLS like the real
//! one. It gives prepared answers, counts calls and bytes, and measures its own time.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::answers;

/// The name of its host: resolved and verified like the real one's.
const HOST: &str = "localhost";

/// The traffic of the table.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    /// Calls.
    pub calls: u32,
    /// Connections that were opened.
    pub connections: u32,
    /// Bytes on the wire, both ways, TLS and headers included.
    pub bytes: u64,
    /// From the first byte of a call to the last of its answer, as seen by the table: TLS, the
    /// choice of the answer and the delay are in it.
    pub service: Duration,
}

/// What a table is like.
#[derive(Clone, Copy)]
pub struct TableSettings {
    /// Whether it speaks HTTP without TLS.
    pub plain: bool,
    /// How long every answer is held back.
    pub delay: Duration,
    /// How many organizations the user is in.
    pub list_length: usize,
}

/// The table.
pub struct Table {
    /// Where it is.
    pub url: String,
    /// The root certificate that clients must trust, in PEM.
    pub ca_bundle: PathBuf,
    tally: Arc<Mutex<Tally>>,
    refuses: Arc<AtomicBool>,
    _folder: TempDir,
}

impl Table {
    /// Starts it, with these signing keys.
    pub async fn start(settings: TableSettings, jwks: &str) -> Result<Self, String> {
        let fault = |what: &str, error: &dyn Display| format!("the table: {what}: {error}");
        let folder = tempfile::tempdir().map_err(|error| fault("no folder", &error))?;
        let (acceptor, root) = acceptor().map_err(|error| fault("no certificate", &error))?;
        let ca_bundle = folder.path().join("ca.pem");
        std::fs::write(&ca_bundle, root).map_err(|error| fault("no certificate file", &error))?;
        let address = address().await.ok_or("the table: localhost has no address")?;
        let listener = TcpListener::bind(address).await.map_err(|error| fault("no port", &error))?;
        let port = listener.local_addr().map_err(|error| fault("no port", &error))?.port();
        let tally = Arc::new(Mutex::new(Tally::default()));
        let refuses = Arc::new(AtomicBool::new(false));
        let server = Server {
            acceptor: (!settings.plain).then_some(acceptor),
            delay: settings.delay,
            answers: Arc::new(answers::Answers::new(jwks, settings.list_length)),
            tally: tally.clone(),
            refuses: refuses.clone(),
        };
        tokio::spawn(server.accept(listener));
        let scheme = if settings.plain { "http" } else { "https" };
        let url = format!("{scheme}://{HOST}:{port}");
        Ok(Self { url, ca_bundle, tally, refuses, _folder: folder })
    }

    /// The traffic since the last call of this function.
    pub fn take_tally(&self) -> Tally {
        std::mem::take(&mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// While it refuses, it ends every new connection at once.
    pub fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }
}

async fn address() -> Option<SocketAddr> {
    tokio::net::lookup_host((HOST, 0)).await.ok()?.next()
}

/// A certificate for [`HOST`] by an authority of its own, and the authority's certificate in PEM.
fn acceptor() -> Result<(TlsAcceptor, String), Box<dyn std::error::Error>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // Of two certificates of one name OpenSSL takes the server's for the authority's own.
    authority.distinguished_name.push(DnType::CommonName, "The bench's authority");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([HOST.to_owned()])?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(config).into(), authority.pem()))
}

#[derive(Clone)]
struct Server {
    acceptor: Option<TlsAcceptor>,
    delay: Duration,
    answers: Arc<answers::Answers>,
    tally: Arc<Mutex<Tally>>,
    refuses: Arc<AtomicBool>,
}

impl Server {
    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            if self.refuses.load(Ordering::Relaxed) {
                continue;
            }
            let server = self.clone();
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                server.count(|tally| tally.connections += 1);
                let stream =
                    Watched { stream, tally: server.tally.clone(), busy_since: None, written: false };
                match server.acceptor.clone() {
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            server.serve(stream).await;
                        }
                    }
                    None => server.serve(stream).await,
                }
            });
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let answer = service_fn(|request| self.answer(request));
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        self.count(|tally| tally.calls += 1);
        self.delay().await;
        Ok(self.answers.to(&head.headers, &body))
    }

    /// The runtime's clock has a resolution of milliseconds and wakes late, so the last two milliseconds are a busy
    /// wait.
    async fn delay(&self) {
        if self.delay.is_zero() {
            return;
        }
        let until = Instant::now() + self.delay;
        tokio::time::sleep(self.delay.saturating_sub(Duration::from_millis(2))).await;
        while Instant::now() < until {
            tokio::task::yield_now().await;
        }
    }

    fn count(&self, add: impl FnOnce(&mut Tally)) {
        add(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A stream whose bytes and time are counted.
struct Watched {
    stream: TcpStream,
    tally: Arc<Mutex<Tally>>,
    /// Since when the time has not been counted yet.
    busy_since: Option<Instant>,
    /// Whether the last operation was a write.
    written: bool,
}

impl Watched {
    fn count(&mut self, bytes: usize, write: bool) {
        if bytes == 0 {
            return;
        }
        let now = Instant::now();
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.bytes += bytes as u64;
        match self.busy_since {
            // The next call has come: the time since the answer was the caller's.
            Some(_) if self.written && !write => self.busy_since = Some(now),
            Some(since) if write => {
                tally.service += now - since;
                self.busy_since = Some(now);
            }
            Some(_) => {}
            None => self.busy_since = Some(now),
        }
        self.written = write;
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.count(buffer.filled().len() - before, false);
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        if let Poll::Ready(Ok(bytes)) = written {
            self.count(bytes, true);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        if let Poll::Ready(Ok(bytes)) = written {
            self.count(bytes, true);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
