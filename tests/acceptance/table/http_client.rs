//! The HTTP client, against servers that do what servers do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::{Request, Response};
use shared::clock::{Clock, ManualClock};
use shared::http_client::{HttpClient, HttpClientError, Proxies, TrustedRoots};
use shared::settings::{SettingsError, SettingsReader};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::harness::{START, tls_server, until};

/// How long the tests' client keeps an idle connection.
const KEEP_IDLE: Duration = Duration::from_secs(50);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A server that answers every request on a connection with the same bytes.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    hang_up: watch::Sender<()>,
}

impl Server {
    async fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let [connections, requests, open] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let (hang_up, hung_up) = watch::channel(());
        let counters = (connections.clone(), requests.clone(), open.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (connections, requests, open) = counters.clone();
                connections.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                let mut hung_up = hung_up.clone();
                hung_up.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = answer_all(stream, answer, &requests) => {}
                        _ = hung_up.changed() => {}
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, connections, requests, open, hang_up }
    }

    fn url(&self) -> String {
        format!("http://{}/path?query", self.address)
    }

    /// Connections so far, and requests.
    fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }

    /// Closes every connection, as DynamoDB does with those that are idle.
    async fn hang_up(&self) {
        self.hang_up.send(()).unwrap();
        until("every connection is closed", async || self.open.load(Ordering::SeqCst) == 0).await;
    }
}

async fn answer_all(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &[u8],
    requests: &AtomicUsize,
) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("GET /path?query HTTP/1.1\r\n"), "{head}");
        assert_eq!(head.matches("host: ").count(), 1, "{head}");
        requests.fetch_add(1, Ordering::SeqCst);
        stream.write_all(answer).await.ok()?;
        if !answer.ends_with(b"\r\nContent-Length: 5\r\n\r\nhello") {
            return None;
        }
    }
}

fn client() -> (HttpClient, ManualClock) {
    let (clock, hand) = Clock::manual(START);
    (HttpClient::new(TrustedRoots::mozilla(), Proxies::none(), KEEP_IDLE, clock), hand)
}

async fn get(client: &HttpClient, url: &str) -> Result<Response<Bytes>, HttpClientError> {
    client.send(Request::get(url).body(Full::default()).unwrap(), 100).await
}

async fn assert_hello(client: &HttpClient, server: &Server) {
    assert_eq!(get(client, &server.url()).await.unwrap().into_body(), "hello");
}

#[tokio::test]
async fn a_connection_is_kept_until_its_idle_time_by_the_clock() {
    let server = Server::start(OK).await;
    let (client, clock) = client();
    for (pause, connections) in [(0, 1), (49_999, 1), (49_999, 1), (50_000, 2), (70_000, 3), (49_999, 3)] {
        clock.advance(Duration::from_millis(pause));
        assert_hello(&client, &server).await;
        assert_eq!(server.seen().0, connections, "after {pause} ms");
    }
    // A clock that was set back says nothing of how old a connection is.
    clock.set(START);
    assert_hello(&client, &server).await;
    assert_eq!(server.seen(), (4, 7));
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_replaced() {
    let server = Server::start(OK).await;
    let (client, _clock) = client();
    for n in 1..=20 {
        assert_hello(&client, &server).await;
        assert_eq!(server.seen(), (n, n));
        server.hang_up().await;
    }
}

#[tokio::test]
async fn many_closed_connections_cost_one_new_one_each() {
    let server = Server::start(OK).await;
    let (client, _clock) = client();
    let all = || join_all((0..20).map(|_| assert_hello(&client, &server)));
    all().await;
    let first = server.seen().0;
    server.hang_up().await;
    all().await;
    assert_eq!(server.seen().1, 40);
    assert!((first + 1..=first + 20).contains(&server.seen().0));
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_is_called_once() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let (client, _) = client();
    for calls in 1..=100 {
        assert!(matches!(get(&client, &url).await, Err(HttpClientError::Connection(_))));
        until("the connection is seen", async || connections.load(Ordering::SeqCst) >= calls).await;
        assert_eq!(connections.load(Ordering::SeqCst), calls);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_is_an_error() {
    let server = Server::start(b"").await;
    let (client, _clock) = client();
    let error = get(&client, &server.url()).await.unwrap_err();
    assert!(matches!(error, HttpClientError::Connection(_)), "{error}");
    assert_eq!(server.seen(), (1, 1));
}

#[tokio::test]
async fn a_connection_that_brought_a_server_error_is_not_kept() {
    let (client, _clock) = client();
    let ill = Server::start(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nhello").await;
    for n in 1..=3 {
        let answer = get(&client, &ill.url()).await.unwrap();
        assert_eq!((answer.status().as_u16(), ill.seen()), (500, (n, n)));
    }
}

#[tokio::test]
async fn an_answer_is_read_whole_or_is_an_error() {
    let (client, _clock) = client();
    let chunked = Server::start(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    )
    .await;
    assert_hello(&client, &chunked).await;
    let until_closed = Server::start(b"HTTP/1.0 200 OK\r\n\r\nhello").await;
    assert_hello(&client, &until_closed).await;
    let cut = Server::start(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello").await;
    let error = get(&client, &cut.url()).await.unwrap_err();
    assert!(matches!(error, HttpClientError::Interrupted(_)), "{error}");
    let large: Vec<u8> =
        [b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n".as_slice(), &[b'x'; 101]].concat();
    let large = Server::start(large.leak()).await;
    let error = get(&client, &large.url()).await.unwrap_err();
    assert!(matches!(error, HttpClientError::TooLarge), "{error}");
    let nonsense = Server::start(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    let error = get(&client, &nonsense.url()).await.unwrap_err();
    assert!(matches!(error, HttpClientError::Connection(_)), "{error}");
    for no_server in ["/path", "path.example"] {
        let error = get(&client, no_server).await.unwrap_err();
        assert!(matches!(error, HttpClientError::NoServer), "{error}");
    }
}

/// A TLS server at `localhost` that answers one request a connection.
async fn tls_listener(config: Arc<tokio_rustls::rustls::ServerConfig>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream: TcpStream = stream;
                let stream = acceptor.accept(stream).await.ok()?;
                answer_all(stream, OK, &AtomicUsize::new(0)).await
            });
        }
    });
    port
}

#[tokio::test]
async fn speaks_tls_1_2_and_1_3_with_trusted_servers_by_name() {
    for version in [&TLS12, &TLS13] {
        let (root, config) = tls_server(&[version]);
        let port = tls_listener(config).await;
        let trusting = |roots| HttpClient::new(roots, Proxies::none(), KEEP_IDLE, Clock::system());
        let client = trusting(TrustedRoots::from_pem(root.as_bytes()).unwrap());
        let answer = get(&client, &format!("https://localhost:{port}/path?query")).await.unwrap();
        assert_eq!(answer.into_body(), "hello");
        // Another name than the certificate's.
        let error = get(&client, &format!("https://127.0.0.1:{port}/path?query")).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
        let (other, _) = tls_server(&[version]);
        for roots in [TrustedRoots::mozilla(), TrustedRoots::from_pem(other.as_bytes()).unwrap()] {
            let url = format!("https://localhost:{port}/path?query");
            let error = get(&trusting(roots), &url).await.unwrap_err();
            assert!(error.to_string().contains("certificate"), "{error}");
        }
    }
}

/// An HTTP proxy that admits one user, and what it was asked.
pub async fn proxy() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            log.lock().unwrap().push(head.lines().next().unwrap().to_owned());
            // `user:secret`, as RFC 7617 writes it.
            if !head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq=") {
                let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
                continue;
            }
            let server = head.split(' ').nth(1).unwrap().to_owned();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn https_goes_through_the_proxy_that_the_settings_name() {
    let (root, config) = tls_server(&[&TLS13]);
    let port = tls_listener(config).await;
    let (proxy, asked) = proxy().await;
    let url = format!("https://localhost:{port}/path?query");
    let client = |proxies| {
        HttpClient::new(TrustedRoots::from_pem(root.as_bytes()).unwrap(), proxies, KEEP_IDLE, Clock::system())
    };
    let at = format!("http://user:secret@{proxy}");
    let named = |name: &'static str, value: &str| proxies(&[(name, value)]).unwrap();
    let without_scheme = format!("user:secret@{proxy}/");
    for proxies in [
        named("HTTPS_PROXY", &at),
        named("https_proxy", &format!(" {at}\n")),
        named("ALL_PROXY", &without_scheme),
        named("all_proxy", &at),
    ] {
        assert_eq!(get(&client(proxies), &url).await.unwrap().into_body(), "hello");
        let asked: Vec<_> = asked.lock().unwrap().drain(..).collect();
        assert_eq!(asked, [format!("CONNECT localhost:{port} HTTP/1.1")]);
    }
    // An address of version 6 keeps its brackets.
    let error = get(&client(named("HTTPS_PROXY", &at)), "https://[::1]:1/").await.unwrap_err();
    assert!(matches!(error, HttpClientError::Connection(_)), "{error}");
    assert_eq!(asked.lock().unwrap().drain(..).collect::<Vec<_>>(), ["CONNECT [::1]:1 HTTP/1.1"]);

    // What is not for it does not reach it: a host of NO_PROXY, and HTTP.
    for name in ["NO_PROXY", "no_proxy"] {
        let proxies = proxies(&[("HTTPS_PROXY", &at), (name, "example.com,localhost")]).unwrap();
        get(&client(proxies), &url).await.unwrap();
    }
    let server = Server::start(OK).await;
    get(&client(named("HTTPS_PROXY", &at)), &server.url()).await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 0);

    // What it refuses.
    let error = get(&client(named("HTTPS_PROXY", &format!("http://{proxy}"))), &url).await.unwrap_err();
    assert!(error.to_string().contains("the proxy: "), "{error}");
}

/// What these variables name.
fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, SettingsError> {
    let mut reader = SettingsReader::new(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    });
    let proxies = Proxies::read(&mut reader);
    reader.finish(proxies)
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused() {
    for secret in [
        "https://user:secret@127.0.0.1:3128",
        "socks5://user:secret@127.0.0.1:3128",
        "ftp://user:secret@127.0.0.1",
        "http//user:secret@127.0.0.1",
        "http://DOMAIN\\user:secret@127.0.0.1:3128",
        "http://user:secret word@127.0.0.1:3128",
        "http://user:secret[@127.0.0.1:3128",
        "http://user:secretä@127.0.0.1:3128",
        "not a url, secret",
    ] {
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            assert_eq!(
                proxies(&[(name, secret)]).err().unwrap().to_string(),
                format!(
                    "wrong settings: {name} must be the http:// address of a proxy, user and password percent-encoded"
                ),
            );
        }
    }
    for none in [&[][..], &[("HTTPS_PROXY", "")], &[("NO_PROXY", "*")]] {
        proxies(none).unwrap();
    }
}

#[test]
fn roots_that_are_none_are_refused() {
    let roots = |file: &str| {
        let mut reader = SettingsReader::new(|name| (name == "JWKS_CA_BUNDLE").then(|| file.to_owned()));
        let roots = TrustedRoots::read(&mut reader, "JWKS_CA_BUNDLE");
        reader.finish(roots).map_err(|error| error.to_string())
    };
    for (pem, why) in [
        ("", "holds no certificate"),
        ("not PEM", "holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "holds a certificate that is not a root",
        ),
        ("-----BEGIN CERTIFICATE-----\n", "holds a certificate that cannot be read"),
    ] {
        assert_eq!(TrustedRoots::from_pem(pem.as_bytes()).err(), Some(why), "{pem}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, pem).unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(roots(path).err().unwrap(), format!("wrong settings: JWKS_CA_BUNDLE ({path}): {why}"));
    }
    let error = roots("/no/such/file").err().unwrap();
    assert!(error.starts_with("wrong settings: JWKS_CA_BUNDLE (/no/such/file): "), "{error}");
    // A byte order mark hides no certificate.
    let (root, _) = tls_server(&[&TLS13]);
    TrustedRoots::from_pem(format!("\u{feff}{root}").as_bytes()).unwrap();
}
