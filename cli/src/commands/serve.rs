//! `users serve`

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use shared::telemetry;

use super::{DATA_DIR, DYNAMODB_PORT, Failure, Output, print};
use crate::local::{self, JANE, LocalSystem, Options, Origin};

#[derive(Args)]
pub(super) struct Serve {
    /// The API's port; 0 for any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The DynamoDB API's port; 0 for any that is free
    #[arg(long, default_value_t = DYNAMODB_PORT)]
    dynamodb_port: u16,
    /// A DynamoDB API that runs already, such as DynamoDB Local, in place of its own; asked without AWS credentials
    #[arg(long, conflicts_with = "dynamodb_port")]
    endpoint_url: Option<String>,
    /// The table's name; it is created and gets demo data where there is none
    #[arg(long, default_value = local::TABLE_NAME)]
    table: String,
    /// The address that the API listens on; 0.0.0.0 opens it to other machines. The console and the DynamoDB API answer
    /// this machine alone, whatever it is
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// A web origin (scheme, host and port) whose pages may call the API; may be given more than once. Pages of this
    /// machine, on any port, always may
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<Origin>,
    /// Answer without CORS headers, like an installation without `AllowedOrigins`
    #[arg(long, conflicts_with = "allow_origin")]
    no_cors: bool,
    /// Where the table and the signing key are kept
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Keep the table and the signing key in memory alone, gone at the end
    #[arg(long, conflicts_with = "data_dir")]
    memory: bool,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            port: 3000,
            dynamodb_port: DYNAMODB_PORT,
            endpoint_url: None,
            table: local::TABLE_NAME.to_owned(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            allow_origin: Vec::new(),
            no_cors: false,
            data_dir: DATA_DIR.into(),
            memory: false,
        }
    }
}

/// Where everything is, for `--json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    api: String,
    dynamo_db: String,
    table_name: String,
    data: String,
}

pub(super) async fn run(arguments: Serve, output: Output) -> Result<(), Failure> {
    shared::function::log_panics_without_their_message();
    let Serve {
        port,
        dynamodb_port,
        endpoint_url: dynamodb_url,
        table: table_name,
        host,
        allow_origin: allowed_origins,
        no_cors,
        data_dir,
        memory,
    } = arguments;
    let kept = if memory { "in memory, gone at the end".to_owned() } else { data_dir.display().to_string() };
    let kept = if dynamodb_url.is_some() { format!("in the table; the signing key: {kept}") } else { kept };
    let data_dir = (!memory).then_some(data_dir);
    let options = Options {
        host,
        port,
        dynamodb_port,
        cors: !no_cors,
        allowed_origins,
        dynamodb_url,
        table_name,
        data_dir,
        ..Options::default()
    };
    // Asked for before anything is said, so that a signal right after is not lost.
    let told_to_end = told_to_end()?;
    let system = LocalSystem::start(options).await.map_err(|error| Failure::refused(error.to_string()))?;
    // From here on: what goes wrong before is what `start` returns.
    telemetry::init();
    if output.json {
        output.record(&View {
            api: system.api_url(),
            dynamo_db: system.dynamodb_url.clone(),
            table_name: system.table.name().to_owned(),
            data: kept.clone(),
        })?;
    } else {
        print(&greeting(&system, &kept))?;
    }
    tokio::select! {
        () = told_to_end => {}
        () = system.data_gone() => {
            let message = format!("{kept} is gone, and what was kept there: the system ends, for it would keep nothing");
            return Err(Failure::refused(message));
        }
    }
    system.stop().await;
    Ok(())
}

/// Resolves at Ctrl-C or SIGTERM.
fn told_to_end() -> Result<impl Future<Output = ()>, Failure> {
    let fault = |error: std::io::Error| Failure::refused(format!("cannot listen for signals: {error}"));
    #[cfg(unix)]
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(fault)?;
    #[cfg(unix)]
    let mut interrupt =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).map_err(fault)?;
    #[cfg(not(unix))]
    let mut interrupt = tokio::signal::windows::ctrl_c().map_err(fault)?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        #[cfg(not(unix))]
        interrupt.recv().await;
    })
}

/// What other machines can reach, and where: lines with a name each. None if the system answers this machine alone.
fn exposure(system: &LocalSystem) -> Vec<(&'static str, String)> {
    if system.is_private() {
        return Vec::new();
    }
    let addresses = system.outside_addresses().into_iter().map(|address| format!("http://{address}"));
    let addresses: Vec<_> = addresses.collect();
    let addresses = if addresses.is_empty() {
        "no address that leads elsewhere".to_owned()
    } else {
        addresses.join(", ")
    };
    vec![
        ("Outside", addresses),
        (
            "Exposed",
            "the API, to every machine that reaches this one; not the console, not DynamoDB".to_owned(),
        ),
    ]
}

/// Where everything is, and a command to copy for each endpoint.
fn greeting(system: &LocalSystem, kept: &str) -> String {
    let bold = anstyle::Style::new().bold();
    let dim = anstyle::Style::new().dimmed();
    let api = system.api_url();
    let token =
        |role: &str| format!("-H \"Authorization: Bearer {}\"", system.token(&local::claims_of_jane(role)));
    let (admin, customer) = (token("Admin"), token("Customer"));
    let new_user = r#"{"FirstName":"Ada","LastName":"Lovelace","Email":"ada@example.com","Password":"SecurePass123!","PhoneNumber":"561-555-1212"}"#;

    let mut text = String::new();
    let places = [
        ("API", api.clone()),
        ("Console", format!("{api}/")),
        ("DynamoDB", format!("{}, table {}", system.dynamodb_url, system.table.name())),
        ("Data", kept.to_owned()),
    ];
    for (name, place) in places.into_iter().chain(exposure(system)) {
        let _ = writeln!(text, "{bold}{name:<10}{bold:#}{place}");
    }
    let examples = [
        ("Does an account exist?", format!("curl \"{api}/api/users/exists?Email=john%40example.com\"")),
        ("Who am I? (Customer)", format!("curl {api}/api/users/profile {customer}")),
        (
            "Create a user (Admin)",
            format!(
                "curl -X POST {api}/api/users -H \"Content-Type: application/json\" -d '{new_user}' {admin}"
            ),
        ),
        ("My organizations (Admin)", format!("curl {api}/api/users/organizations {admin}")),
        (
            "A user's customer account here (Admin)",
            format!("curl \"{api}/api/users/customer-association?UserId={JANE}\" {admin}"),
        ),
        (
            "A user's customer accounts everywhere (Admin)",
            format!("curl \"{api}/api/users/customer-associations?UserId={JANE}\" {admin}"),
        ),
    ];
    for (title, command) in examples {
        let _ = write!(text, "\n{dim}# {title}{dim:#}\n{command}\n");
    }
    let _ =
        write!(text, "\n{dim}Tokens last a day; `users token --help` makes others. Ctrl-C ends it.{dim:#}");
    text
}
