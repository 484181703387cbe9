//! Frozen and thawed: between two requests Lambda stops a function's process for as long as it likes,
//! while the table's side closes the connections that are idle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_rustls::TlsAcceptor;

use crate::harness::{ACME, JANE, World, tls_server};
use crate::tooling::binaries::{RuntimeApi, event, start};

/// When DynamoDB closes an idle connection, about.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// The table's side, over TLS as DynamoDB speaks: passes on to the local table and closes
/// connections that are idle for too long, with a FIN or without a word.
struct TableSide {
    port: u16,
    root: tempfile::NamedTempFile,
    connections: Arc<AtomicUsize>,
    /// Connections on which something came after they were dead.
    used_dead: Arc<AtomicUsize>,
}

impl TableSide {
    async fn start(table: SocketAddr, silent: bool) -> Self {
        let (pem, config) = tls_server(tokio_rustls::rustls::DEFAULT_VERSIONS);
        let root = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(root.path(), pem).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let [connections, used_dead] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let counters = (connections.clone(), used_dead.clone());
        let acceptor = TlsAcceptor::from(config);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let ((connections, used_dead), acceptor) = (counters.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let mut client = acceptor.accept(stream).await.ok()?;
                    connections.fetch_add(1, Ordering::SeqCst);
                    let mut table = TcpStream::connect(table).await.ok()?;
                    let passed = pass_on(&mut client, &mut table).await;
                    if passed.is_none() && silent {
                        // Dead, and nobody has told the client so.
                        let mut byte = [0];
                        if client.read(&mut byte).await.is_ok_and(|read| read > 0) {
                            used_dead.fetch_add(1, Ordering::SeqCst);
                        }
                        std::future::pending::<()>().await;
                    }
                    Some(())
                });
            }
        });
        Self { port, root, connections, used_dead }
    }
}

/// Passes bytes both ways. `None` once nothing has passed for [`IDLE_LIMIT`].
async fn pass_on(
    client: &mut tokio_rustls::server::TlsStream<TcpStream>,
    table: &mut TcpStream,
) -> Option<()> {
    let (mut up, mut down) = (vec![0; 16_384], vec![0; 16_384]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(read) if read > 0 => table.write_all(&up[..read]).await.ok(),
                _ => return Some(()),
            },
            read = table.read(&mut down) => match read {
                Ok(read) if read > 0 => client.write_all(&down[..read]).await.ok(),
                _ => return Some(()),
            },
            () = tokio::time::sleep(IDLE_LIMIT) => return None,
        };
    }
}

fn signal(process: &Child, name: &str) {
    let id = process.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

/// Invokes a function, stops its process for so long, and invokes it again; how many connections
/// each of the two invocations opened.
async fn thaw(world: &World, frozen: Duration, silent: bool) -> (usize, usize) {
    let table = TableSide::start(world.dynamodb_address(), silent).await;
    let mut runtime_api = RuntimeApi::start().await;
    let url = format!("https://localhost:{}", table.port);
    let settings = [
        ("TABLE_NAME", world.table().name()),
        ("TOKEN_ISSUER", users::local::ISSUER),
        ("TOKEN_AUDIENCE", users::local::AUDIENCE),
        ("AWS_ENDPOINT_URL_DYNAMODB", &url),
        ("AWS_CA_BUNDLE", table.root.path().to_str().unwrap()),
    ];
    let process = start("get-profile", &runtime_api, &settings);
    let bearer = world.bearer("Customer", JANE, ACME);
    let request = || event("GET", "/api/users/profile", "", &bearer, None);
    assert_eq!(runtime_api.invoke(request()).await["statusCode"], 200);
    let before = table.connections.load(Ordering::SeqCst);

    signal(&process, "STOP");
    // The one thing here that is a time: how long the process is stopped.
    tokio::time::sleep(frozen).await;
    signal(&process, "CONT");
    assert_eq!(runtime_api.invoke(request()).await["statusCode"], 200, "{frozen:?}");
    // Nothing was sent on a connection that was dead, so no try was lost or had to time out.
    assert_eq!(table.used_dead.load(Ordering::SeqCst), 0, "{frozen:?}, silent: {silent}");
    (before, table.connections.load(Ordering::SeqCst) - before)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_freeze_costs_no_connection() {
    let world = World::start_now().await;
    assert_eq!(thaw(&world, Duration::from_secs(1), false).await, (1, 0));
}

#[cfg(unix)]
#[ignore = "takes 200 s: .ci/run asks for it"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_costs_at_most_one_connection() {
    let world = World::start_now().await;
    let world = &world;
    let cases = [(1, 0), (40, 0), (70, 1), (200, 1)];
    let cases = cases.iter().flat_map(|case| [(case, false), (case, true)]);
    join_all(cases.map(|(&(seconds, connections), silent)| async move {
        let opened = thaw(world, Duration::from_secs(seconds), silent).await;
        assert_eq!(opened, (1, connections), "{seconds} s, silent: {silent}");
    }))
    .await;
}

/// The other side of the next test: tells its clocks for every line that it reads.
#[ignore = "is started by another test"]
#[test]
fn tell_the_clocks() {
    let monotonic = std::time::Instant::now();
    for line in std::io::stdin().lines() {
        let time_of_day = shared::clock::Clock::system().now().millis();
        println!("clocks {} {} {time_of_day}", line.unwrap(), monotonic.elapsed().as_millis());
    }
}

/// What the age of a connection is counted on: the time of day goes on while a process is stopped.
/// Whether the monotonic clock does is up to what stops it; the test says what it saw.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_day_goes_on_over_a_freeze() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "table::freeze::tell_the_clocks", "--ignored", "--nocapture"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut clocks = async || {
        stdin.write_all(b"now\n").await.unwrap();
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some((_, clocks)) = line.split_once("clocks now ") {
                let (monotonic, time_of_day) = clocks.split_once(' ').unwrap();
                return (monotonic.parse::<i64>().unwrap(), time_of_day.parse::<i64>().unwrap());
            }
        }
    };
    let (monotonic, time_of_day) = clocks().await;
    signal(&process, "STOP");
    tokio::time::sleep(Duration::from_millis(500)).await;
    signal(&process, "CONT");
    let thawed = clocks().await;
    println!("monotonic: {} ms, time of day: {} ms", thawed.0 - monotonic, thawed.1 - time_of_day);
    assert!(thawed.1 - time_of_day >= 490);
}
