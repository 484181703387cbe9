//! `users serve`

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use shared::telemetry;

use super::table_arguments::table_name;
use super::{
    DATA_DIR, DATA_DIR_VARIABLE, DYNAMODB_PORT, ENDPOINT_URL_VARIABLE, Failure, Line, Output, TABLE_VARIABLE,
    print, program, variable,
};
use crate::local::{self, LocalSystem, Options, Origin, running};

/// The API's port if none is given.
const API_PORT: u16 = 3000;

#[derive(Args)]
pub(super) struct Serve {
    /// The API's port; 0 for any free port
    #[arg(long, default_value_t = API_PORT)]
    port: u16,
    /// The DynamoDB API's port; 0 for any free port [default: 8000]
    #[arg(long)]
    dynamodb_port: Option<u16>,
    /// A DynamoDB API that already runs, such as DynamoDB Local, instead of its own; called without AWS credentials
    /// [env: USERS_ENDPOINT_URL]
    #[arg(long, conflicts_with = "dynamodb_port")]
    endpoint_url: Option<String>,
    /// The table's name; if it does not exist, it is created with demo data
    #[arg(long, default_value = local::TABLE_NAME, env = TABLE_VARIABLE, hide_env_values = true,
        value_parser = table_name)]
    table: String,
    /// The address that the API listens on; 0.0.0.0 opens it to other machines. The console and the DynamoDB API always
    /// answer only this machine
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// A web origin (scheme, host and port) whose pages may call the API; may be given more than once. Pages of this
    /// machine, on any port, always may
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<Origin>,
    /// Answer without CORS headers, like an installation without `AllowedOrigins`
    #[arg(long, conflicts_with = "allow_origin")]
    no_cors: bool,
    /// Where the table and the signing key are kept [default: .users] [env: USERS_DATA_DIR]
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Keep the table and the signing key only in memory, until the end
    #[arg(long, conflicts_with = "data_dir")]
    memory: bool,
}

/// The addresses, for `--json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    api: String,
    console: String,
    dynamo_db: String,
    table_name: String,
    data: String,
    /// The command that prints a token.
    token: String,
}

pub(super) async fn run(arguments: Serve, output: Output) -> Result<(), Failure> {
    shared::lambda::log_panics_without_their_message();
    let Serve {
        port,
        dynamodb_port,
        endpoint_url,
        table: table_name,
        host,
        allow_origin: allowed_origins,
        no_cors,
        data_dir,
        memory,
    } = arguments;
    // A flag overrides a variable, even if the flag excludes the option that the variable sets.
    let from_variable = || if dynamodb_port.is_none() { variable(ENDPOINT_URL_VARIABLE) } else { None };
    let dynamodb_url = endpoint_url.or_else(from_variable);
    let dynamodb_port = dynamodb_port.unwrap_or(DYNAMODB_PORT);
    let data_dir = data_dir.or_else(|| variable(DATA_DIR_VARIABLE).map(PathBuf::from));
    let data_dir = data_dir.unwrap_or_else(|| DATA_DIR.into());
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
    // Registered before anything is printed, so that an early signal is not lost.
    let told_to_end = told_to_end()?;
    let system = LocalSystem::start(options).await.map_err(|error| Failure::refused(error.to_string()))?;
    // Logging starts here. `start` returns earlier errors.
    telemetry::init();
    if let Some(remark) = &system.remark {
        output.warn(remark);
    }
    let published = running::publish(&system);
    if let Err(error) = &published {
        output.warn(&format!(
            "`users token` will not find this system, whose address cannot be written down ({error}): give it --data-dir"
        ));
    }
    if output.json {
        let api = system.api_url();
        output.record(&View {
            console: format!("{api}/"),
            api,
            dynamo_db: system.dynamodb_url.clone(),
            table_name: system.table.name().to_owned(),
            data: kept.clone(),
            token: this_system("token", &system),
        })?;
    } else {
        print(greeting(&system, &kept))?;
    }
    tokio::select! {
        () = told_to_end => {}
        () = system.data_gone() => {
            let message = format!("{kept} is gone, and what was kept there: the system ends, because it would keep nothing");
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

/// What other machines can reach, and where: one named line each. None if the system answers only this machine.
fn exposure(system: &LocalSystem) -> Vec<(&'static str, String)> {
    if system.is_private() {
        return Vec::new();
    }
    let addresses = system.outside_addresses().into_iter().map(|address| format!("http://{address}"));
    let addresses: Vec<_> = addresses.collect();
    let addresses = if addresses.is_empty() {
        "no address that other machines can reach".to_owned()
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

/// The addresses, and what to try first. It fits a terminal of 24 lines and 80 columns.
fn greeting(system: &LocalSystem, kept: &str) -> Vec<Line> {
    let bold = anstyle::Style::new().bold();
    let dim = anstyle::Style::new().dimmed();
    let api = system.api_url();
    let places = [
        ("API", api.clone()),
        ("Console", format!("{api}/")),
        ("DynamoDB", format!("{}, table {}", system.dynamodb_url, system.table.name())),
        ("Data", kept.to_owned()),
    ];
    let tries = [
        ("Try it", format!("curl \"{api}/api/users/exists?Email=john%40example.com\"")),
        ("A token, for a day", format!("export TOKEN=$({})", this_system("token", system))),
        ("A command for each endpoint, with a token", this_system("examples", system)),
    ];
    let mut lines = Vec::new();
    for (name, place) in places.into_iter().chain(exposure(system)) {
        lines.push(Line::default().styled(bold, &format!("{name:<10}")).text(&place));
    }
    for (title, command) in tries {
        let title = Line::default().styled(dim, &format!("# {title}"));
        lines.extend([Line::default(), title, Line::from(command)]);
    }
    lines.extend([Line::default(), Line::default().styled(dim, "Ctrl-C to stop")]);
    lines
}

/// A command about this system.
fn this_system(command: &str, system: &LocalSystem) -> String {
    let port = system.api_address.port();
    let chosen = if port == API_PORT { String::new() } else { format!(" --port {port}") };
    format!("{} {command}{chosen}", program())
}
