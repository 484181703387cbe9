//! Listeners, and the HTTP server behind each.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::StartError;

/// An answer over HTTP.
pub(super) type Answer = Response<Full<Bytes>>;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often another free port is tried, if the first is free in only one address family.
const PORT_ATTEMPTS: u32 = 16;

/// The sockets of one server, all on the same port.
pub(super) struct Listeners {
    sockets: Vec<TcpListener>,
    address: SocketAddr,
}

impl Listeners {
    /// Listens on `host` and on the loopback addresses of both families, so that `localhost` works whatever it resolves
    /// to.
    pub(super) async fn bind(host: IpAddr, port: u16, flag: &str) -> Result<Self, StartError> {
        let mut attempts = if port == 0 { PORT_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match Self::try_bind(host, port).await {
                Err((_, error)) if error.kind() == ErrorKind::AddrInUse && attempts > 0 => {}
                Err((_, error)) if error.kind() == ErrorKind::AddrInUse => {
                    return Err(StartError(format!(
                        "port {port} is in use: choose another with {flag}, or {flag} 0 for any that is free"
                    )));
                }
                Err((host, error)) => {
                    return Err(StartError(format!("cannot listen on {host} port {port}: {error}")));
                }
                Ok(listeners) => return Ok(listeners),
            }
        }
    }

    async fn try_bind(host: IpAddr, port: u16) -> Result<Self, (IpAddr, std::io::Error)> {
        let first = TcpListener::bind((host, port)).await.map_err(|error| (host, error))?;
        let address = first.local_addr().map_err(|error| (host, error))?;
        let mut sockets = vec![first];
        for loopback in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            // `::` accepts IPv4 as well.
            if loopback == host || host.is_unspecified() && (host.is_ipv6() || loopback.is_ipv4()) {
                continue;
            }
            match TcpListener::bind((loopback, address.port())).await {
                Ok(socket) => sockets.push(socket),
                // Otherwise another program would answer under the name localhost.
                Err(error) if error.kind() == ErrorKind::AddrInUse => return Err((loopback, error)),
                // This machine has no addresses of the family.
                Err(_) => {}
            }
        }
        Ok(Self { sockets, address })
    }

    /// The address that was asked for, with its port.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stopped` becomes true, then until every request in flight has its answer. A connection on which
    /// the next request's head takes longer than `head_timeout` is closed, an idle one included.
    pub(super) async fn serve<S, F>(
        self,
        service: Arc<S>,
        head_timeout: Duration,
        mut stopped: watch::Receiver<bool>,
    ) where
        S: Fn(IpAddr, Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(head_timeout);
        let connections = GracefulShutdown::new();
        let stop = async move {
            let _ = stopped.wait_for(|&stopped| stopped).await;
        };
        tokio::pin!(stop);
        let mut accepting = JoinSet::new();
        for socket in self.sockets {
            accepting.spawn(accept(socket));
        }
        loop {
            let (socket, (stream, peer)) = tokio::select! {
                () = &mut stop => break,
                accepted = accepting.join_next() => match accepted {
                    Some(Ok(accepted)) => accepted,
                    // A task that only accepts does not panic, and nothing cancels it.
                    Some(Err(_)) => continue,
                    None => break,
                },
            };
            accepting.spawn(accept(socket));
            let service = service.clone();
            let answer = service_fn(move |request| {
                let answer = service(peer.ip(), request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = connections.watch(http.serve_connection(TokioIo::new(stream), answer));
            tokio::spawn(async move {
                // A client that went away needs no answer.
                let _ = connection.await;
            });
        }
        accepting.shutdown().await;
        connections.shutdown().await;
    }
}

/// The next connection, and the socket that it came to.
async fn accept(socket: TcpListener) -> (TcpListener, (TcpStream, SocketAddr)) {
    loop {
        match socket.accept().await {
            Ok(accepted) => return (socket, accepted),
            // For example, there are no file handles left. A connection that ends frees one.
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Reads a body of at most `max_bytes`. `Err` is the status to answer with.
pub(super) async fn read_body(body: Incoming, max_bytes: usize) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, max_bytes).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// An answer with a body.
pub(super) fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
