//! Logs: JSON in Lambda, readable on a terminal.
//!
//! What may be logged is request id, route, status, duration, user id and organization id. Never a
//! token, e-mail, name, phone number, address, password or body. So only this service's own lines
//! are written below `WARN`, at any `LOG_LEVEL`: the libraries' would quote requests.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The targets of this service's own log lines.
const OURS: &[&str] = &["shared", "users"];

/// Starts logging to standard error, at `LOG_LEVEL` (`error`, `warn`, `info`, `debug`; `info` where
/// it is not given or not one of these). Calling it again changes nothing.
pub fn init() {
    let level = std::env::var("LOG_LEVEL").ok().and_then(|level| level.trim().parse().ok());
    let level = level.unwrap_or(LevelFilter::INFO);
    let ours = OURS.iter().map(|&target| (target, level));
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(ours);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // Lambda sets this variable and nothing else does.
    let in_lambda = std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some();
    let _ = if in_lambda {
        let json = lines.json().flatten_event(true).with_span_list(false).with_target(false);
        registry.with(json).try_init()
    } else {
        let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        registry.with(lines.compact().with_target(false).with_ansi(ansi)).try_init()
    };
}
