//! The whole service in one process: an HTTP server in API Gateway's place, the same handlers as in Lambda, and a real
//! DynamoDB API behind the same client.

mod console;
mod cors;
mod data_dir;
mod demo;
mod documents;
mod dynamodb;
mod examples;
mod gateway;
mod guard;
mod origin;
pub(crate) mod running;
mod server;
mod signing_key;

use std::fmt;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::tower::ServiceExt as _;
use lambda_http::{Context, LambdaEvent};
use operator::table::{OperatorTable, local_table, observed};
use serde_json::Value;
use shared::app::AppSettings;
use shared::clock::Clock;
use shared::lambda::function;
use shared::table::{StoredSigningKeys, Table};
use shared::{App, Endpoint};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use console::{Console, RequestLog};
use cors::Cors;
use data_dir::DataDir;
use documents::Documents;
use gateway::Gateway;
use guard::ApiGuard;
use server::Listeners;

pub(crate) use demo::claims_of_jane;
pub use demo::{ACME, GLOBEX, JANE};
pub(crate) use examples::{Example, examples};
pub use origin::{InvalidOrigin, Origin};
pub use signing_key::{SigningKey, TokenClaims};

/// The `iss` of the local system's tokens.
pub const ISSUER: &str = "https://users.local";
/// The `aud` of the local system's tokens.
pub const AUDIENCE: &str = "users-api";
/// The local table's usual name.
pub const TABLE_NAME: &str = "users";

/// How long requests in flight may take to finish during shutdown.
const DRAIN_TIME: Duration = Duration::from_millis(800);

// `ENDPOINTS`: `build.rs` finds them in `functions/`.
include!(concat!(env!("OUT_DIR"), "/endpoints.rs"));

/// The options of a local system.
#[derive(Clone)]
pub struct Options {
    /// The address that the API listens on, in addition to loopback. The console and the DynamoDB API always answer
    /// only this machine.
    pub host: IpAddr,
    /// The API's port; 0 for any that is free.
    pub port: u16,
    /// The DynamoDB API's port; 0 for any that is free.
    pub dynamodb_port: u16,
    /// Whether pages of this machine and of `allowed_origins` may call the API from a browser.
    pub cors: bool,
    /// The origins of other machines whose pages may call the API.
    pub allowed_origins: Vec<Origin>,
    /// A DynamoDB API that runs elsewhere, instead of an embedded one.
    pub dynamodb_url: Option<String>,
    /// The table's name.
    pub table_name: String,
    /// Where all data is stored; `None` to store nothing.
    pub data_dir: Option<PathBuf>,
    /// The time.
    pub clock: Clock,
    /// Gets every call that a function makes to the table.
    pub observer: Option<FunctionObserver>,
}

/// Gets the function, the operation and the body of a call to the table; see
/// [`operator::table::CallObserver`].
pub type FunctionObserver = Arc<dyn Fn(&'static str, &str, &[u8]) + Send + Sync>;

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("port", &self.port)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    /// Free ports, nothing stored, the system's time.
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            dynamodb_port: 0,
            cors: true,
            allowed_origins: Vec::new(),
            dynamodb_url: None,
            table_name: TABLE_NAME.to_owned(),
            data_dir: None,
            clock: Clock::system(),
            observer: None,
        }
    }
}

/// Why a local system did not start, in a line that says what to do.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// A local system that runs until [`LocalSystem::stop`] or until it is dropped.
pub struct LocalSystem {
    /// Where the API answers.
    pub api_address: SocketAddr,
    /// Where the DynamoDB API answers.
    pub dynamodb_url: String,
    /// Its table.
    pub table: OperatorTable,
    /// The key that signs its tokens.
    pub signing_key: Arc<SigningKey>,
    clock: Clock,
    data_dir: Option<PathBuf>,
    /// What was changed about the data directory, in a sentence.
    pub remark: Option<String>,
    /// Keeps other systems off the data directory.
    _lock: Option<File>,
    stop_gateway: watch::Sender<bool>,
    gateway: JoinHandle<()>,
    stop_dynamodb: watch::Sender<bool>,
    /// `None` if it runs elsewhere.
    dynamodb: Option<JoinHandle<()>>,
}

impl LocalSystem {
    /// Starts everything; it answers when this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options {
            host,
            port,
            dynamodb_port,
            cors,
            allowed_origins,
            dynamodb_url,
            table_name,
            data_dir,
            clock,
            observer,
        } = options;
        // Locked first, so that a second system on the same directory reports that, and not that its ports are in use.
        let prepared = data_dir.as_deref().map(data_dir::prepare).transpose().map_err(StartError)?;
        let (lock, remark) = prepared.map(|DataDir { lock, remark }| (lock, remark)).unzip();
        let api_listeners = Listeners::bind(host, port, "--port").await?;
        let api_address = api_listeners.address();
        let has_own_dynamodb = dynamodb_url.is_none();
        let (dynamodb_url, dynamodb_listeners) = if let Some(url) = dynamodb_url {
            (url, None)
        } else {
            let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let listeners = Listeners::bind(loopback, dynamodb_port, "--dynamodb-port").await?;
            (format!("http://{}", listeners.address()), Some(listeners))
        };
        let signing_key = match &data_dir {
            Some(data_dir) => SigningKey::kept_in(data_dir),
            None => SigningKey::generate(),
        };
        let signing_key = Arc::new(signing_key.map_err(StartError)?);

        let (stop_dynamodb, stopped) = watch::channel(false);
        let start = |listeners| dynamodb::start(listeners, data_dir.as_deref(), stopped);
        let dynamodb = dynamodb_listeners.map(start).transpose().map_err(StartError)?;
        let functions_table = local_table(&table_name, &dynamodb_url);
        let table = OperatorTable::new(&functions_table);
        prepare(&table, &signing_key, &clock).await.map_err(|error| {
            let why = error.log().unwrap_or("?");
            StartError(match &data_dir {
                Some(data_dir) if has_own_dynamodb => {
                    let data_dir = data_dir.display();
                    format!("the table was not made ready: {why}: can {data_dir} be written to, and is its disk not full?")
                }
                _ if has_own_dynamodb => format!("the table was not made ready: {why}"),
                _ => format!("the table was not made ready: {why}: does a DynamoDB API answer at {dynamodb_url}?"),
            })
        })?;

        let functions = functions(&functions_table, &clock, observer.as_ref()).await?;
        let guard = Arc::new(ApiGuard { is_open: !host.to_canonical().is_loopback(), allowed_origins });
        let console = Console {
            table: table.clone(),
            signing_key: signing_key.clone(),
            exists_limit: config(check_user_exists::ENDPOINT, table.name())?.exists_limit,
            requests: RequestLog::new(clock.clone()),
            clock: clock.clone(),
        };
        let cors = cors.then(|| Cors::new(guard.clone()));
        let documents = Documents { table: functions_table };
        let gateway = Gateway { guard, cors, functions, console, documents };
        let (stop_gateway, stopped) = watch::channel(false);
        let gateway = tokio::spawn(gateway.serve(api_listeners, stopped));
        Ok(Self {
            api_address,
            dynamodb_url,
            table,
            signing_key,
            clock,
            data_dir,
            remark: remark.flatten(),
            _lock: lock,
            stop_gateway,
            gateway,
            stop_dynamodb,
            dynamodb,
        })
    }

    /// Where programs on this machine reach the API.
    #[must_use]
    pub fn api_url(&self) -> String {
        let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.api_address.port());
        format!("http://{}", if self.is_private() { self.api_address } else { loopback })
    }

    /// Whether no other machine can reach it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.api_address.ip().to_canonical().is_loopback()
    }

    /// The API's addresses for other machines; none if it answers only this machine.
    #[must_use]
    pub fn outside_addresses(&self) -> Vec<SocketAddr> {
        let (host, port) = (self.api_address.ip(), self.api_address.port());
        let hosts = match host {
            IpAddr::V4(host) if host.is_unspecified() => vec![route_address(V4_ELSEWHERE)],
            IpAddr::V6(host) if host.is_unspecified() => {
                vec![route_address(V4_ELSEWHERE), route_address(V6_ELSEWHERE)]
            }
            _ if self.is_private() => vec![],
            host => vec![Some(host)],
        };
        hosts.into_iter().flatten().map(|host| SocketAddr::new(host, port)).collect()
    }

    /// A token of this system.
    #[must_use]
    pub fn token(&self, claims: &TokenClaims) -> String {
        self.signing_key.token(claims, self.clock.now())
    }

    /// The clock that it uses.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Resolves when the stored data is gone, for example because its directory was removed. Later writes would be
    /// lost.
    pub async fn data_gone(&self) {
        match &self.data_dir {
            Some(data_dir) => data_dir::gone(data_dir.join(dynamodb::FILE)).await,
            None => std::future::pending().await,
        }
    }

    /// Stops the system. Requests in flight may finish first, for at most 0.8 s.
    pub async fn stop(self) {
        let _ = self.stop_gateway.send(true);
        let _ = tokio::time::timeout(DRAIN_TIME, self.gateway).await;
        let _ = self.stop_dynamodb.send(true);
        if let Some(dynamodb) = self.dynamodb {
            let _ = tokio::time::timeout(Duration::from_millis(100), dynamodb).await;
        }
    }
}

/// Addresses that no machine has (RFC 5737, RFC 3849): only routes to other networks lead to them.
const V4_ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);
const V6_ELSEWHERE: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9);

/// This machine's address on the route to `target`, if there is such a route. Nothing is sent.
fn route_address(target: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr =
        if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// A function of the local system. Like a deployed Lambda, it has its own app.
pub(crate) struct Function {
    pub(crate) endpoint: Endpoint,
    pub(crate) app: Arc<App>,
}

/// Invokes a function as Lambda does: with the text of an event, and a deadline. Gives the answer's JSON.
///
/// # Panics
/// Where `lambda_http` panics, as the function would in Lambda.
pub async fn invoke(endpoint: Endpoint, app: &Arc<App>, event: &Value, time_left: Duration) -> Value {
    let mut context = Context::default();
    "local".clone_into(&mut context.request_id);
    let deadline = (SystemTime::now() + time_left).duration_since(UNIX_EPOCH).unwrap_or_default();
    context.deadline = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    // No JSON is refused.
    let Ok(event) = serde_json::from_str(&event.to_string()) else { return Value::Null };
    let answer = function(endpoint, app.clone()).oneshot(LambdaEvent::new(event, context)).await;
    answer.map_or(Value::Null, |answer| serde_json::to_value(answer).unwrap_or_default())
}

/// All functions, started as in Lambda.
async fn functions(
    table: &Table,
    clock: &Clock,
    observer: Option<&FunctionObserver>,
) -> Result<Arc<[Function]>, StartError> {
    let mut functions = Vec::new();
    for endpoint in ENDPOINTS {
        let observer = observer.cloned();
        let show = Arc::new(move |operation: &str, body: &[u8]| {
            console::note_call(operation);
            if let Some(observer) = &observer {
                observer(endpoint.name, operation, body);
            }
        });
        let table = observed(table, show);
        let app = App::new(config(endpoint, table.name())?, table, clock.clone());
        app.warm_up().await;
        functions.push(Function { endpoint, app: Arc::new(app) });
    }
    Ok(functions.into())
}

/// The settings of the functions, which read their keys from the table as they do when deployed.
fn config(endpoint: Endpoint, table_name: &str) -> Result<AppSettings, StartError> {
    let config = AppSettings::read(endpoint.takes_token(), |name| setting(table_name, name));
    config.map_err(|error| StartError(error.to_string()))
}

/// The roles that a token may carry, by the names that the settings give them.
pub(crate) fn roles() -> [String; 3] {
    let role = |setting: &str, usual: &str| std::env::var(setting).unwrap_or_else(|_| usual.to_owned());
    [role("ROLE_ADMIN", "Admin"), role("ROLE_CUSTOMER", "Customer"), "SalesRep".to_owned()]
}

/// A setting of the functions.
pub(crate) fn setting(table_name: &str, name: &str) -> Option<String> {
    match name {
        "TABLE_NAME" => Some(table_name.to_owned()),
        "TOKEN_ISSUER" => Some(ISSUER.to_owned()),
        "TOKEN_AUDIENCE" => Some(AUDIENCE.to_owned()),
        // Settings from the environment apply here too, except those that decide whose tokens are accepted.
        "SIGNING_KEYS" | "CLAIM_AUDIENCE" | "CLAIM_TOKEN_TYPE" | "TOKEN_TYPE" => None,
        _ => std::env::var(name).ok(),
    }
}

async fn prepare(
    table: &OperatorTable,
    signing_key: &SigningKey,
    clock: &Clock,
) -> Result<(), shared::Error> {
    table.create().await?;
    if table.is_empty().await? {
        demo::put(table, clock.now()).await?;
    }
    // `refresh-signing-keys` does this when deployed.
    table.put_signing_keys(&StoredSigningKeys { jwks: signing_key.jwks(), fetched_at: clock.now() }).await
}
