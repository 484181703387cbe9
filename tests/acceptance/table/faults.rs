//! Every fault at every call: a proxy between the real client and the local table does to one
//! call of one endpoint what networks and tables do, once or always. The answer is the right one or a
//! 503, never a 500 and never late, and the table is whole.
//!
//! A snapshot records the answer to each case; `docs/faults.md` explains them. `cargo accept faults` rewrites the
//! snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use operator::table::OperatorTable;
use serde_json::{Value, json};
use shared::http::LIST_BUDGET;
use shared::{App, Endpoint};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::endpoints::{BATCH, CLAIM, QUERY, Row, TRANSACTION, TableCall, row, rows};
use crate::harness::{ACME, Answer, ENDPOINTS, GLOBEX, JANE, World, respond};

/// What is left of an invocation's time when a request comes.
const TIME_LEFT: Duration = Duration::from_secs(10);
/// How much later than the last moment an answer may come on a machine that is busy with hundreds of
/// others: a bound against hanging.
const GRACE: Duration = Duration::from_secs(20);

/// What happens to a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    Refused,
    ClosedBeforeRequest,
    ClosedAfterRequest,
    ClosedInAnswer,
    AppliedAnswerLost,
    AppliedAnswerLate,
    BlackHole,
    Throttled,
    ThroughputExceeded,
    Error500,
    Error503,
    Conflict,
    InProgress,
    TokenMismatch,
    TruncatedJson,
    MalformedJson,
    Html,
    Unprocessed,
    CredentialsExpired,
    /// Of the key alone that the call is about; not in the matrix.
    KeyThrottled,
}

use Fault::{
    AppliedAnswerLate, AppliedAnswerLost, BlackHole, ClosedAfterRequest, ClosedBeforeRequest, ClosedInAnswer,
    Conflict, CredentialsExpired, Error500, Error503, Html, InProgress, KeyThrottled, MalformedJson, Refused,
    Throttled, ThroughputExceeded, TokenMismatch, TruncatedJson, Unprocessed,
};

const FAULTS: [(Fault, &str); 19] = [
    (Refused, "connection refused"),
    (ClosedBeforeRequest, "closed before the request"),
    (ClosedAfterRequest, "closed after the request"),
    (ClosedInAnswer, "applied, closed in the middle of the answer"),
    (AppliedAnswerLost, "applied, answer lost"),
    (AppliedAnswerLate, "applied, answer too late"),
    (BlackHole, "no answer ever"),
    (Throttled, "`ThrottlingException`"),
    (ThroughputExceeded, "`ProvisionedThroughputExceededException`"),
    (Error500, "500"),
    (Error503, "503"),
    (Conflict, "conflict in the transaction"),
    (InProgress, "applied, `TransactionInProgressException`"),
    (TokenMismatch, "`IdempotentParameterMismatchException`"),
    (TruncatedJson, "truncated JSON"),
    (MalformedJson, "malformed JSON"),
    (Html, "HTML"),
    (Unprocessed, "`UnprocessedKeys`"),
    (CredentialsExpired, "`ExpiredTokenException`"),
];

/// What an endpoint is asked, what it answers when all is well, and its calls to the table.
struct Path {
    name: &'static str,
    endpoint: &'static str,
    status: u16,
    calls: Vec<TableCall>,
}

pub const KEYS: TableCall = ("GetItem", "SIGNING_KEYS");

/// The way of each endpoint's row, and the others.
static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    let of_row = |row: &Row| {
        let endpoint = row.endpoint();
        let keys = endpoint.policy().map(|_| KEYS);
        let calls = keys.into_iter().chain(row.waves.concat()).collect();
        Path { name: row.way, endpoint: endpoint.name, status: row.status, calls }
    };
    let other = |name, endpoint, status, calls| Path { name, endpoint, status, calls };
    let mut paths: Vec<_> = rows().iter().map(of_row).collect();
    paths.extend([
        other("create-user, new", "create-user", 201, vec![KEYS, BATCH, TRANSACTION]),
        other("list-organizations, by e-mail", "list-organizations", 200, vec![KEYS, QUERY, CLAIM, BATCH]),
        other(
            "list-customer-associations, of a stranger",
            "list-customer-associations",
            200,
            vec![QUERY, BATCH],
        ),
    ]);
    paths
});

fn path(name: &str) -> &'static Path {
    PATHS.iter().find(|path| path.name == name).unwrap()
}

/// Whether a fault can happen to a call, and how often.
fn can_happen(fault: Fault, (operation, _): TableCall, always: bool) -> bool {
    match fault {
        // One refused connection among others is what a closed one is.
        Refused => always,
        Conflict | InProgress | TokenMismatch => operation == "TransactWriteItems",
        Unprocessed => operation == "BatchGetItem",
        _ => true,
    }
}

/// A proxy that does faults to some requests and passes on the rest, until it is dropped.
pub struct Proxy {
    pub url: String,
    /// How many requests were of the call that [`Proxy::start`] names.
    matched: Arc<AtomicUsize>,
    _listener: JoinSet<()>,
}

/// Says what is to happen to a request; `None`: it is passed on.
type Schedule = dyn Fn(&[u8]) -> Option<Fault> + Send + Sync;

impl Proxy {
    /// Does one fault to the calls that match, the first or all.
    async fn start(table: SocketAddr, call: TableCall, fault: Fault, always: bool) -> Self {
        let matched = Arc::new(AtomicUsize::new(0));
        let counter = matched.clone();
        let schedule = move |request: &[u8]| {
            let hit = is(call, request) && (counter.fetch_add(1, Ordering::SeqCst) == 0 || always);
            hit.then_some(fault)
        };
        Self { matched, ..Self::scheduled(table, schedule).await }
    }

    /// Does to each request what the schedule says of it.
    pub async fn scheduled(
        table: SocketAddr,
        schedule: impl Fn(&[u8]) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let schedule: Arc<Schedule> = Arc::new(schedule);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, table, schedule.clone()));
            }
        });
        Self { url, matched: Arc::default(), _listener: tasks }
    }
}

async fn serve(mut client: TcpStream, table: SocketAddr, schedule: Arc<Schedule>) -> Option<()> {
    loop {
        let request = read_message(&mut client).await?;
        let Some(fault) = schedule(&request) else {
            client.write_all(&forward(table, &request).await?).await.ok()?;
            continue;
        };
        let answer = match fault {
            Refused | ClosedBeforeRequest | ClosedAfterRequest => return None,
            ClosedInAnswer => {
                let answer = forward(table, &request).await?;
                client.write_all(&answer[..answer.len() - 2]).await.ok()?;
                return None;
            }
            AppliedAnswerLost => {
                forward(table, &request).await?;
                return None;
            }
            AppliedAnswerLate => {
                let answer = forward(table, &request).await?;
                // Until after the client has given this try up, which it shows by hanging up.
                let _ = client.read_u8().await;
                answer
            }
            BlackHole => {
                let _ = client.read_u8().await;
                return None;
            }
            KeyThrottled => {
                let reason = json!({ "reason": "TableWriteKeyRangeThroughputExceeded" });
                let exception = json!({
                    "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
                    "throttlingReasons": [reason],
                });
                message("400 Bad Request", &exception.to_string())
            }
            Throttled => exception("ThrottlingException"),
            ThroughputExceeded => exception("ProvisionedThroughputExceededException"),
            CredentialsExpired => exception("ExpiredTokenException"),
            InProgress => {
                forward(table, &request).await?;
                exception("TransactionInProgressException")
            }
            TokenMismatch => exception("IdempotentParameterMismatchException"),
            Error500 => message("500 Internal Server Error", r#"{"__type":"InternalServerError"}"#),
            Error503 => message("503 Service Unavailable", "{}"),
            Conflict => {
                let parts = body(&request)["TransactItems"].as_array()?.len();
                let reasons: Vec<_> = (0..parts)
                    .map(|part| json!({ "Code": if part == 0 { "TransactionConflict" } else { "None" } }))
                    .collect();
                let exception = json!({
                    "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                    "Message": "Transaction cancelled", "CancellationReasons": reasons,
                });
                message("400 Bad Request", &exception.to_string())
            }
            TruncatedJson => message("200 OK", r#"{"Item":{"PK":{"S":"#),
            MalformedJson => message("200 OK", r#"{"Item":,}"#),
            Html => message("200 OK", "<html><body>It works!</body></html>"),
            Unprocessed => {
                let unprocessed =
                    json!({ "Responses": {}, "UnprocessedKeys": body(&request)["RequestItems"] });
                message("200 OK", &unprocessed.to_string())
            }
        };
        client.write_all(&answer).await.ok()?;
    }
}

pub fn is((operation, key): TableCall, request: &[u8]) -> bool {
    let head = String::from_utf8_lossy(request);
    let called = head
        .to_ascii_lowercase()
        .contains(&format!("dynamodb_20120810.{}\r", operation.to_ascii_lowercase()));
    called && body(request)["Key"]["PK"]["S"].as_str().unwrap_or("").starts_with(key)
}

fn body(message: &[u8]) -> Value {
    let at = message.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    serde_json::from_slice(&message[at..]).unwrap()
}

/// The operation that a request asks for, such as `GetItem`.
pub fn operation_of(request: &[u8]) -> String {
    let head = String::from_utf8_lossy(request);
    let (_, target) = head.split_once("DynamoDB_20120810.").unwrap();
    target.chars().take_while(char::is_ascii_alphabetic).collect()
}

/// A whole HTTP/1.1 message with a `Content-Length`.
pub async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let start = loop {
        if let Some(at) = message.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, &mut message).await?;
    };
    let head = String::from_utf8(message[..start].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    while message.len() < start + length.trim().parse::<usize>().unwrap() {
        read_more(stream, &mut message).await?;
    }
    Some(message)
}

/// `None` where the other side has hung up.
async fn read_more(stream: &mut TcpStream, message: &mut Vec<u8>) -> Option<()> {
    stream.read_buf(message).await.ok().filter(|&bytes| bytes > 0).map(drop)
}

/// What the table answers to a request.
pub async fn forward(table: SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
    let mut upstream = TcpStream::connect(table).await.ok()?;
    upstream.write_all(request).await.ok()?;
    read_message(&mut upstream).await
}

fn message(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn exception(code: &str) -> Vec<u8> {
    message(
        "400 Bad Request",
        &json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}") }).to_string(),
    )
}

/// One cell of the matrix.
#[derive(Clone, Copy)]
struct Case {
    number: usize,
    path: &'static Path,
    call: TableCall,
    fault: Fault,
    always: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for path in PATHS.iter() {
        for &call in &path.calls {
            for (fault, _) in FAULTS {
                for always in [false, true] {
                    if can_happen(fault, call, always) {
                        cases.push(Case { number: cases.len(), path, call, fault, always });
                    }
                }
            }
        }
    }
    cases
}

impl Case {
    fn email(&self) -> String {
        format!("case{}@example.com", self.number)
    }

    fn request(&self, world: &World) -> (Endpoint, Value) {
        let endpoint = ENDPOINTS.into_iter().find(|endpoint| endpoint.name == self.path.endpoint).unwrap();
        let role = endpoint.policy().map_or("Admin", |policy| policy.role());
        let mut payload = world.payload();
        payload["role"] = role.into();
        if self.path.name.ends_with("by e-mail") {
            payload["sub"] = "kp_unknown".into();
            payload["email"] = "jane@example.com".into();
        }
        let stranger = self.path.name.ends_with("stranger");
        let query = if stranger { "UserId=kp_unknown" } else { row(self.path.endpoint).query };
        // Each client of its own, so that no limit is met.
        let source_ip = format!("10.0.{}.{}", self.number / 200, self.number % 200);
        let body = json!({ "FirstName": "A", "LastName": "B", "Email": self.email() });
        let event = json!({
            "rawQueryString": query,
            "headers": { "authorization": world.signed(&payload), "content-type": "application/json" },
            "requestContext": { "requestId": "r", "http": { "sourceIp": source_ip } },
            "body": body.to_string(),
        });
        (endpoint, event)
    }

    /// Sends the request with the fault in its way; the answer, and how often the call was tried.
    async fn run(&self, world: &World) -> (Answer, usize) {
        if self.path.name.ends_with("registered") {
            let mut user = crate::harness::user(&format!("kp_case{}", self.number), &self.email());
            user.phone_number = Some("911".parse().unwrap());
            world.put_user(user, &[GLOBEX]).await;
        }
        let proxy = Proxy::start(world.dynamodb_address(), self.call, self.fault, self.always).await;
        let app = app(world, &proxy.url);
        let (endpoint, event) = self.request(world);
        let started = Instant::now();
        let response = respond(endpoint, &app, event, TIME_LEFT).await;
        assert!(started.elapsed() < TIME_LEFT + GRACE, "{}: late", self.describe());
        (response, proxy.matched.load(Ordering::SeqCst))
    }

    async fn refused(&self, world: &World) -> Answer {
        // Bound, so that nobody else gets the port, and never listening.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let (endpoint, event) = self.request(world);
        respond(endpoint, &app(world, &url), event, TIME_LEFT).await
    }

    fn describe(&self) -> String {
        let often = if self.always { "always" } else { "once" };
        format!("{}, {:?}: {:?} {often}", self.path.name, self.call, self.fault)
    }

    /// Whether the account that the case asked for is whole, or not there at all.
    async fn assert_account_whole(&self, world: &World, status: u16) {
        let Some(id) = world.user_id_of(&self.email()).await else {
            assert_eq!(status, 503, "{}: answered {status} and not there", self.describe());
            return;
        };
        let id = id.parse().unwrap();
        let user = world.table().user(&id).await.unwrap();
        assert_eq!(user.expect("a claim has its user").email.as_str(), self.email(), "{}", self.describe());
        let organizations = world.table().organization_ids_of(&id, None, LIST_BUDGET).await.unwrap().unwrap();
        let joined = organizations.iter().any(|organization| organization.as_str() == ACME);
        let created_here = self.path.name.ends_with("new");
        assert!(joined || (status == 503 && !created_here), "{}: no membership", self.describe());
    }
}

/// A function's app, cold: its first request also reads the signing keys.
fn app(world: &World, table_url: &str) -> Arc<App> {
    let settings = |name: &str| match name {
        "TABLE_NAME" => Some(world.table().name().to_owned()),
        "TOKEN_ISSUER" => Some(users::local::ISSUER.to_owned()),
        "TOKEN_AUDIENCE" => Some(users::local::AUDIENCE.to_owned()),
        _ => None,
    };
    let config = shared::app::AppSettings::read(true, settings).unwrap();
    Arc::new(App::new(
        config,
        operator::table::local_table(world.table().name(), table_url),
        world.system.clock().clone(),
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_call_is_answered_as_recorded() {
    let world = &World::start().await;
    let results: BTreeMap<usize, (Case, u16)> = stream::iter(cases())
        .map(|case| async move {
            let (response, tries) = match case.fault {
                Refused => (case.refused(world).await, 1),
                _ => case.run(world).await,
            };
            let status = response.status;
            let described = case.describe();
            assert!(tries > 0, "{described}: the call was not made");
            // Three tries of the client; conflicts and unprocessed keys, which it does not retry, are
            // tried again by us; list-organizations by e-mail queries twice.
            let bound = match case.fault {
                Conflict | TokenMismatch => 8,
                Unprocessed => 5,
                _ => 6,
            };
            assert!(tries <= bound, "{described}: {tries} tries");
            assert!([case.path.status, 503].contains(&status), "{described}: {response:?}");
            if status == 503 {
                let retry_after = response.header("retry-after").is_some();
                assert!(retry_after && response.body.contains("\"status\":503"), "{described}: {response:?}");
            }
            if case.path.endpoint == "create-user" {
                case.assert_account_whole(world, status).await;
            }
            (case.number, (case, status))
        })
        .buffer_unordered(40)
        .collect()
        .await;

    // What was lost is made good by sending the request again, with nothing in its way.
    for (case, _) in
        results.values().filter(|(case, status)| case.path.endpoint == "create-user" && *status == 503)
    {
        let (endpoint, event) = case.request(world);
        let url = world.system.dynamodb_url.clone();
        let again = respond(endpoint, &app(world, &url), event, TIME_LEFT).await;
        assert!([200, 201].contains(&again.status), "{}: {again:?}", case.describe());
        case.assert_account_whole(world, again.status).await;
    }

    insta::assert_snapshot!(report(&results));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_limiter_key_is_a_429_and_is_left_alone() {
    let world = World::start().await;
    let path = path("check-user-exists");
    let proxy = Proxy::start(world.dynamodb_address(), path.calls[0], KeyThrottled, true).await;
    let app = app(&world, &proxy.url);
    let case = Case { number: 0, path, call: path.calls[0], fault: KeyThrottled, always: true };
    let ask = async || {
        let (endpoint, event) = case.request(&world);
        respond(endpoint, &app, event, TIME_LEFT).await
    };
    let header = |response: &Answer, name: &str| response.header(name).unwrap_or_default().to_owned();
    let first = ask().await;
    assert_eq!((first.status, header(&first, "Retry-After").as_str()), (429, "1"), "{first:?}");
    assert_eq!(header(&first, "RateLimit"), "\"exists\";r=0;t=1");
    let tries = proxy.matched.load(Ordering::SeqCst);
    assert_eq!(ask().await.status, 429);
    assert_eq!(proxy.matched.load(Ordering::SeqCst), tries, "refused from memory");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ask().await.status, 429);
    assert!(proxy.matched.load(Ordering::SeqCst) > tries);
}

/// A transaction's token makes it one for ten minutes (DynamoDB API Reference, `TransactWriteItems`,
/// `ClientRequestToken`): what the client sends again must have the same, what we commit anew another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_keeps_its_token_only_when_it_is_sent_again() {
    let world = World::start().await;
    for (number, fault, tries, tokens) in [
        (0, AppliedAnswerLost, 2, 1),
        (1, InProgress, 2, 1),
        (2, Error500, 2, 1),
        (3, Conflict, 2, 2),
        (4, TokenMismatch, 2, 2),
    ] {
        let proxy = Proxy::start(world.dynamodb_address(), TRANSACTION, fault, false).await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let table = operator::table::local_table(world.table().name(), &proxy.url);
        let table = operator::table::observed(&table, {
            let seen = seen.clone();
            Arc::new(move |operation, body| {
                if operation == "TransactWriteItems" {
                    let body: Value = serde_json::from_slice(body).unwrap();
                    seen.lock().unwrap().push(body["ClientRequestToken"].as_str().unwrap().to_owned());
                }
            })
        });
        let app = crate::harness::app(table, world.system.clock().clone(), &[]);
        let case = Case { number, path: path("create-user, new"), call: TRANSACTION, fault, always: false };
        let (endpoint, event) = case.request(&world);
        let response = respond(endpoint, &app, event, TIME_LEFT).await;
        assert_eq!(response.status, 201, "{fault:?}: {response:?}");
        case.assert_account_whole(&world, 201).await;
        let seen = seen.lock().unwrap();
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (tries, tokens), "{fault:?}");
    }
}

/// The client sends again what was applied already: the second try must not be taken for somebody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_created_whole_where_an_answer_is_lost() {
    let world = World::start().await;
    for (number, operation) in ["CreateTable", "UpdateTimeToLive"].into_iter().enumerate() {
        let proxy = Proxy::start(world.dynamodb_address(), (operation, ""), AppliedAnswerLost, false).await;
        let table = OperatorTable::local(&format!("{}-lost-{number}", world.table().name()), &proxy.url);
        assert!(table.create().await.unwrap(), "{operation}");
        assert_eq!(proxy.matched.load(Ordering::SeqCst), 2, "{operation}");
        let description = table.describe().await.unwrap().unwrap();
        assert_eq!(description.ttl_attribute.as_deref(), Some("ExpiresAt"), "{operation}");
        assert!(!table.create().await.unwrap(), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_table_is_not_multiplied() {
    let world = World::start().await;
    let always = |fault| Proxy::start(world.dynamodb_address(), BATCH, fault, true);
    let proxy = always(Error500).await;
    let app = app(&world, &proxy.url);
    let case = Case { number: 0, path: path("create-user, new"), call: BATCH, fault: Error500, always: true };
    let calls = (0..60).map(|_| {
        let (endpoint, event) = case.request(&world);
        respond(endpoint, &app, event, TIME_LEFT)
    });
    for response in futures_util::future::join_all(calls).await {
        assert_eq!(response.status, 503);
    }
    // Without a budget 180: three tries each.
    let tries = proxy.matched.load(Ordering::SeqCst);
    assert!((60..=60 + 100 / 5).contains(&tries), "{tries}");
}

fn report(results: &BTreeMap<usize, (Case, u16)>) -> String {
    let mut report = format!(
        "{} cases. A cell holds the status if the fault happens once, and if it persists. –: it cannot happen.\n",
        results.len()
    );
    for path in PATHS.iter() {
        let columns: Vec<_> = path
            .calls
            .iter()
            .map(|(operation, key)| {
                format!("{operation} {}", if key.is_empty() { String::new() } else { format!("`{key}`") })
            })
            .collect();
        let names: Vec<_> = columns.iter().map(|column| column.trim_end().to_owned()).collect();
        report += &format!(
            "\n## {}\n\n| fault | {} |\n|---|{}\n",
            path.name,
            names.join(" | "),
            "---|".repeat(names.len())
        );
        for (fault, name) in FAULTS {
            let cells: Vec<_> = path
                .calls
                .iter()
                .map(|call| {
                    let status = |always| {
                        let cell = results.values().find(|(case, _)| {
                            std::ptr::eq(case.path, path)
                                && case.call == *call
                                && case.fault == fault
                                && case.always == always
                        });
                        cell.map_or("–".to_owned(), |(_, status)| status.to_string())
                    };
                    let (once, always) = (status(false), status(true));
                    if once == always { once } else { format!("{once}, {always}") }
                })
                .collect();
            if cells.iter().collect::<BTreeSet<_>>() != BTreeSet::from([&"–".to_owned()]) {
                report += &format!("| {name} | {} |\n", cells.join(" | "));
            }
        }
    }
    report
}

/// A table whose clock shows the first moments of a year and that accepts a signature of that time alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_is_corrected_by_the_tables_date() {
    for (signed, date) in
        [("20990101T0", "Thu, 01 Jan 2099 00:00:00 GMT"), ("20010101T0", "Mon, 01 Jan 2001 00:00:00 GMT")]
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let counter = counter.clone();
                tokio::spawn(async move {
                    while let Some(request) = read_message(&mut client).await {
                        counter.fetch_add(1, Ordering::SeqCst);
                        let signed = format!("x-amz-date: {signed}");
                        let accepted = String::from_utf8_lossy(&request).contains(&signed);
                        let refusal = r#"{"__type":"com.amazon.coral.service#InvalidSignatureException"}"#;
                        let (status, body) =
                            if accepted { ("200 OK", "{}") } else { ("400 Bad Request", refusal) };
                        let status = format!("{status}\r\ndate: {date}");
                        client.write_all(&message(&status, body)).await.unwrap();
                    }
                });
            }
        });
        let table = operator::table::local_table("users", &url);
        let id = JANE.parse().unwrap();
        for tries in [2, 3, 4] {
            assert!(table.user(&id).await.unwrap().is_none());
            assert_eq!(requests.load(Ordering::SeqCst), tries, "{date}");
        }
    }
}
