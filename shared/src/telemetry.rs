//! Logs and metrics: one JSON line for each in Lambda, readable lines on a terminal.
//!
//! What may be logged is request id, route, status, duration, user id and organization id. Never a
//! token, e-mail, name, phone number, address, password or body. So only this service's own lines
//! are written below `WARN`, at any `LOG_LEVEL`: the libraries' would quote requests.
//!
//! Metrics are no second channel: a line that carries a figure (a request's status and duration, the
//! age of the signing keys) is also a document in CloudWatch's Embedded Metric Format.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::clock::Clock;

/// The targets of this service's own log lines.
const OURS: &[&str] = &["shared", "users", "refresh_signing_keys"];
/// The metrics' namespace in CloudWatch.
const NAMESPACE: &str = "Users";
/// The metrics' one dimension: the function's name, as AWS's own metrics have it. Never a user, an
/// address or an e-mail.
const DIMENSION: &str = "FunctionName";

/// Starts logging to standard error, at `LOG_LEVEL` (`error`, `warn`, `info`, `debug`; `info` where
/// it is not given or not one of these). Calling it again changes nothing.
pub fn init() {
    let level = std::env::var("LOG_LEVEL").ok().and_then(|level| level.trim().parse().ok());
    let level = level.unwrap_or(LevelFilter::INFO);
    // Lambda sets this variable and nothing else does.
    let _ = if let Ok(function_name) = std::env::var("AWS_LAMBDA_FUNCTION_NAME") {
        lambda_lines(level, function_name, std::io::stderr).try_init()
    } else {
        // Never in colours: `with_ansi(true)` panics in a debug build without tracing-subscriber's feature `ansi`,
        // which would go into every Lambda.
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).compact();
        tracing_subscriber::registry()
            .with(filter(level))
            .with(lines.with_target(false).with_ansi(false))
            .try_init()
    };
}

/// Starts logging as in Lambda, at the finest level that can be set, to what `writer` makes: so a test
/// reads the very lines that CloudWatch would. Calling it again changes nothing.
#[allow(dead_code, reason = "tests read the log")]
pub fn init_to<W: Write + 'static>(writer: impl Fn() -> W + Send + Sync + 'static) {
    let _ = lambda_lines(LevelFilter::TRACE, "test".to_owned(), writer).try_init();
}

/// How many requests this process is answering.
static ANSWERING: AtomicUsize = AtomicUsize::new(0);

/// Marks that a request is being answered, until it is dropped.
///
/// The mark counts for the whole process and not for one thread: a request's work may be on any of them.
pub struct Answering(());

impl Answering {
    /// Sets the mark.
    #[must_use]
    pub fn begin() -> Self {
        ANSWERING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }

    /// Whether a request is being answered.
    #[must_use]
    pub fn now() -> bool {
        ANSWERING.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        ANSWERING.fetch_sub(1, Ordering::SeqCst);
    }
}

fn filter(level: LevelFilter) -> Targets {
    let ours = OURS.iter().map(|&target| (target, level));
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(ours)
}

fn lambda_lines(
    level: LevelFilter,
    function_name: String,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let lines = tracing_subscriber::fmt::format().json().flatten_event(true);
    let format = EmbeddedMetrics {
        lines: lines.with_span_list(false).with_target(false),
        function_name: function_name.into(),
        clock: Clock::system(),
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).json().event_format(format);
    tracing_subscriber::registry().with(filter(level)).with(layer)
}

/// JSON lines, with those that carry a figure in the Embedded Metric Format (CloudWatch User Guide,
/// "Specification: Embedded metric format").
struct EmbeddedMetrics<F> {
    lines: F,
    /// As JSON.
    function_name: Value,
    clock: Clock,
}

impl<S, N, F> FormatEvent<S, N> for EmbeddedMetrics<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut figures = Figures::default();
        event.record(&mut figures);
        let metrics = figures.metrics();
        if metrics.is_empty() {
            return self.lines.format_event(context, writer, event);
        }
        let mut line = String::with_capacity(512);
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        // Written out, not built as a value: every request pays for this line. No name needs an escape.
        write!(writer, "{{\"_aws\":{{\"Timestamp\":{},", self.clock.now().millis())?;
        write!(
            writer,
            "\"CloudWatchMetrics\":[{{\"Namespace\":\"{NAMESPACE}\",\"Dimensions\":[[\"{DIMENSION}\"]],"
        )?;
        writer.write_str("\"Metrics\":[")?;
        for (number, (name, unit, _)) in metrics.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(writer, "{comma}{{\"Name\":\"{name}\",\"Unit\":\"{unit}\"}}")?;
        }
        write!(writer, "]}}]}},\"{DIMENSION}\":{}", self.function_name)?;
        for (name, _, value) in metrics {
            write!(writer, ",\"{name}\":{value}")?;
        }
        // The line is an object of its own: what follows its brace goes on here.
        write!(writer, ",{}", line.trim_start_matches('{'))
    }
}

/// The figures that a log line may carry, by the names of its fields.
#[derive(Default)]
struct Figures {
    status: Option<u64>,
    duration_ms: Option<f64>,
    signing_keys_age_seconds: Option<u64>,
    refresh_failures: Option<u64>,
}

impl Figures {
    /// The metrics that the figures make: name, unit, value.
    fn metrics(&self) -> Vec<(&'static str, &'static str, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "no figure is near 2^52")]
        let number = |figure: u64| figure as f64;
        let mut metrics = Vec::new();
        if let (Some(status), Some(duration_ms)) = (self.status, self.duration_ms) {
            let one_if = |condition: bool| f64::from(u8::from(condition));
            metrics.extend([
                ("Requests", "Count", 1.0),
                ("ClientErrors", "Count", one_if((400..500).contains(&status) && status != 429)),
                ("RateLimited", "Count", one_if(status == 429)),
                ("Unavailable", "Count", one_if(status == 503)),
                ("ServerErrors", "Count", one_if(status >= 500 && status != 503)),
                ("DurationMs", "Milliseconds", duration_ms),
            ]);
        }
        metrics.extend(
            self.signing_keys_age_seconds.map(|age| ("SigningKeysAgeSeconds", "Seconds", number(age))),
        );
        metrics.extend(self.refresh_failures.map(|failures| ("RefreshFailures", "Count", number(failures))));
        metrics
    }
}

impl Visit for Figures {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "status" => self.status = Some(value),
            "signing_keys_age_seconds" => self.signing_keys_age_seconds = Some(value),
            "refresh_failures" => self.refresh_failures = Some(value),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "duration_ms" {
            self.duration_ms = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::clock::Timestamp;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged, a JSON object a line.
    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let sink = Sink::default();
        let writer = sink.clone();
        let format = EmbeddedMetrics {
            lines: tracing_subscriber::fmt::format().json().flatten_event(true),
            function_name: "users-dev-create-user".into(),
            clock: Clock::manual(Timestamp::from_millis(1_767_323_045_000)).0,
        };
        let layer = tracing_subscriber::fmt::layer().json().event_format(format);
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_outcome_line_is_also_a_document_of_metrics() {
        let lines =
            lines(|| tracing::info!(status = 503_u64, duration_ms = 1.25, route = "GET /x", "answered"));
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(
            (&line["message"], &line["route"], &line["status"]),
            (&json!("answered"), &json!("GET /x"), &json!(503))
        );
        assert_eq!(line["FunctionName"], "users-dev-create-user");
        assert_eq!(line["_aws"]["Timestamp"], 1_767_323_045_000_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&directive["Namespace"], &directive["Dimensions"]),
            (&json!("Users"), &json!([["FunctionName"]]))
        );
        let metrics: Vec<_> = directive["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| {
                let name = metric["Name"].as_str().unwrap();
                (name, line[name].as_f64().unwrap())
            })
            .collect();
        assert_eq!(
            metrics,
            [
                ("Requests", 1.0),
                ("ClientErrors", 0.0),
                ("RateLimited", 0.0),
                ("Unavailable", 1.0),
                ("ServerErrors", 0.0),
                ("DurationMs", 1.25),
            ]
        );
    }

    #[test]
    fn a_line_without_a_figure_is_a_plain_line() {
        let lines = lines(|| tracing::warn!(cause = "status", "something else"));
        assert!(lines[0].get("_aws").is_none(), "{lines:?}");
    }

    #[test]
    fn every_status_counts_once() {
        let counted = |status| {
            let figures = Figures { status: Some(status), duration_ms: Some(1.0), ..Figures::default() };
            let named = figures
                .metrics()
                .into_iter()
                .filter(|(name, _, value)| *value > 0.0 && !["Requests", "DurationMs"].contains(name));
            named.map(|(name, ..)| name).collect::<Vec<_>>()
        };
        assert_eq!(counted(201), [""; 0]);
        assert_eq!(counted(404), ["ClientErrors"]);
        assert_eq!(counted(429), ["RateLimited"]);
        assert_eq!(counted(500), ["ServerErrors"]);
        assert_eq!(counted(503), ["Unavailable"]);
    }
}
