//! Logs and metrics: one JSON line for each in Lambda, readable lines on a terminal.
//!
//! What may be logged is request id, route, status, duration, user id and organization id. Never a
//! token, e-mail, name, phone number, address, password or body. So only this service's own lines
//! are written below `WARN`, at any `LOG_LEVEL`: the libraries' would quote requests.
//!
//! Metrics are no second channel: a line that carries a figure (a request's status and duration, the
//! age of the signing keys) is also a document in CloudWatch's Embedded Metric Format.

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
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
        lambda_lines(level, &function_name, std::io::stderr).try_init()
    } else {
        // Never in colours: `with_ansi(true)` panics in a debug build without tracing-subscriber's feature `ansi`,
        // which would go into every Lambda.
        let lines = TerminalLines(tracing_subscriber::fmt::format().compact().with_target(false));
        let layer = tracing_subscriber::fmt::layer().event_format(lines).with_writer(std::io::stderr);
        tracing_subscriber::registry().with(filter(level)).with(layer.with_ansi(false)).try_init()
    };
}

/// Starts logging as in Lambda, at the finest level that can be set, to what `writer` makes: so a test
/// reads the very lines that CloudWatch would. Calling it again changes nothing.
#[allow(dead_code, reason = "tests read the log")]
pub fn init_to<W: Write + 'static>(writer: impl Fn() -> W + Send + Sync + 'static) {
    let _ = lambda_lines(LevelFilter::TRACE, "test", writer).try_init();
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
    function_name: &str,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let lines = LambdaLines::new(function_name, Clock::system());
    let layer = tracing_subscriber::fmt::layer().event_format(lines).with_writer(writer).with_ansi(false);
    tracing_subscriber::registry().with(filter(level)).with(layer)
}

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Does the work of a request: each line that it logs has the request's id.
pub async fn of_request<Work: Future>(id: &str, work: Work) -> Work::Output {
    REQUEST_ID.scope(id.to_owned(), work).await
}

/// Gives the id of the request to a line that does not name it itself.
fn add_request_id(event: &Event<'_>, add: impl FnOnce(&str) -> fmt::Result) -> fmt::Result {
    if event.metadata().fields().field("request_id").is_some() {
        return Ok(());
    }
    REQUEST_ID.try_with(|id| add(id)).unwrap_or(Ok(()))
}

/// Readable lines, with the request's id at the end.
struct TerminalLines<F>(F);

impl<S, N, F> FormatEvent<S, N> for TerminalLines<F>
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
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(line.trim_end())?;
        add_request_id(event, |id| write!(writer, " request_id={id}"))?;
        writeln!(writer)
    }
}

/// JSON lines, with those that carry a figure in the Embedded Metric Format (CloudWatch User Guide,
/// "Specification: Embedded metric format"). They are written as text: every request pays for its line.
struct LambdaLines {
    /// As JSON.
    function_name: String,
    clock: Clock,
}

impl LambdaLines {
    fn new(function_name: &str, clock: Clock) -> Self {
        Self { function_name: serde_json::Value::from(function_name).to_string(), clock }
    }

    /// The part of a line that makes it a document of metrics, with a comma at its end; nothing if there are none.
    fn write_metrics(&self, writer: &mut Writer<'_>, figures: &Figures) -> fmt::Result {
        let metrics = figures.metrics();
        if metrics.is_empty() {
            return Ok(());
        }
        // No name needs an escape.
        write!(
            writer,
            "\"_aws\":{{\"Timestamp\":{},\"CloudWatchMetrics\":[{{\"Namespace\":\"{NAMESPACE}\",\
             \"Dimensions\":[[\"{DIMENSION}\"]],\"Metrics\":[",
            self.clock.now().millis()
        )?;
        for (number, (name, unit, _)) in metrics.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(writer, "{comma}{{\"Name\":\"{name}\",\"Unit\":\"{unit}\"}}")?;
        }
        write!(writer, "]}}]}},\"{DIMENSION}\":{}", self.function_name)?;
        for (name, _, value) in metrics {
            write!(writer, ",\"{name}\":{value}")?;
        }
        writer.write_char(',')
    }
}

impl<S, N> FormatEvent<S, N> for LambdaLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = JsonFields { text: Vec::with_capacity(256), figures: Figures::default() };
        event.record(&mut fields);
        writer.write_char('{')?;
        self.write_metrics(&mut writer, &fields.figures)?;
        writer.write_str("\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", event.metadata().level())?;
        add_request_id(event, |id| {
            fields.add("request_id", &id);
            Ok(())
        })?;
        writer.write_str(std::str::from_utf8(&fields.text).map_err(|_| fmt::Error)?)?;
        writer.write_str("}\n")
    }
}

/// The fields of an event as JSON, each with a comma before it, and the figures among them.
struct JsonFields {
    text: Vec<u8>,
    figures: Figures,
}

impl JsonFields {
    fn add(&mut self, name: &str, value: &impl Serialize) {
        self.text.extend_from_slice(b",\"");
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
        // A text or a number in memory: it cannot fail.
        let _ = serde_json::to_writer(&mut self.text, value);
    }
}

impl Visit for JsonFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.figures.record_f64(field, value);
        self.add(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.figures.record_u64(field, value);
        self.add(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), &format!("{value:?}"));
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

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
        let clock = Clock::manual(Timestamp::from_millis(1_767_323_045_000)).0;
        let format = LambdaLines::new("users-dev-create-user", clock);
        let layer = tracing_subscriber::fmt::layer().event_format(format);
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
    fn every_kind_of_value_is_json() {
        let lines = lines(|| {
            tracing::info!(
                text = "\"quoted\"\n\u{1F600}\u{7}\\",
                display = %"a \"b\"",
                debug = ?["a", "b"],
                number = -1_i64,
                fraction = 0.1,
                not_a_number = f64::NAN,
                yes = true,
                nothing = None::<&str>,
                "a message with a \"{}\"", "part"
            );
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let mut line = line.clone();
        let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(crate::table::timestamp_from_text(timestamp.as_str().unwrap()).is_some(), "{timestamp}");
        let due = json!({
            "level": "INFO",
            "message": "a message with a \"part\"",
            "text": "\"quoted\"\n\u{1F600}\u{7}\\",
            "display": "a \"b\"",
            "debug": "[\"a\", \"b\"]",
            "number": -1,
            "fraction": 0.1,
            "not_a_number": null,
            "yes": true,
        });
        assert_eq!(line, due);
    }

    #[test]
    fn every_line_of_a_request_has_its_id_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let lines = lines(|| {
            runtime.block_on(of_request("a \"request\"", async {
                tracing::warn!("beside");
                tracing::info!(request_id = "its own", "answered");
            }));
            tracing::warn!("outside");
        });
        let ids: Vec<_> = lines.iter().map(|line| line.get("request_id").and_then(Value::as_str)).collect();
        assert_eq!(ids, [Some("a \"request\""), Some("its own"), None]);
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
