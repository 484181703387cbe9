//! The log: JSON lines in Lambda, readable lines on a terminal.
//!
//! What may be logged is request id, route, status, duration, user id and organization id. Never a
//! token, e-mail, name, phone number, address, password or body. So only this service's own lines
//! are written below `WARN`, at any `LOG_LEVEL`: the libraries' would quote requests.
//!
//! Metrics are no second channel: metric filters in `template.yaml` count the lines by their fields (`message`, `status`,
//! `cause`, `signing_keys_age_seconds`, `refresh_failures`).

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

/// The targets of this service's own log lines.
const OURS: &[&str] = &["shared", "users", "refresh_signing_keys"];

/// Starts logging to standard error, at `LOG_LEVEL` (`error`, `warn`, `info`, `debug`; `info` where
/// it is not given or not one of these). Calling it again changes nothing.
pub fn init() {
    let level = std::env::var("LOG_LEVEL").ok().and_then(|level| level.trim().parse().ok());
    let level = level.unwrap_or(LevelFilter::INFO);
    // Lambda sets this variable and nothing else does.
    let _ = if std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some() {
        lambda_lines(level, std::io::stderr).try_init()
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
    let _ = lambda_lines(LevelFilter::TRACE, writer).try_init();
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
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let layer =
        tracing_subscriber::fmt::layer().event_format(LambdaLines).with_writer(writer).with_ansi(false);
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

/// JSON lines. They are written as text: every request pays for its line.
struct LambdaLines;

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
        let mut fields = JsonFields(Vec::with_capacity(256));
        event.record(&mut fields);
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", event.metadata().level())?;
        add_request_id(event, |id| {
            fields.add("request_id", &id);
            Ok(())
        })?;
        writer.write_str(std::str::from_utf8(&fields.0).map_err(|_| fmt::Error)?)?;
        writer.write_str("}\n")
    }
}

/// The fields of an event as JSON, each with a comma before it.
struct JsonFields(Vec<u8>);

impl JsonFields {
    fn add(&mut self, name: &str, value: &impl Serialize) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        // A text or a number in memory: it cannot fail.
        let _ = serde_json::to_writer(&mut self.0, value);
    }
}

impl Visit for JsonFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_request_ends_with_its_mark() {
        drop((Answering::begin(), Answering::begin()));
        // Other tests answer requests, too.
        let ended = (0..10_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            !Answering::now()
        });
        assert!(ended);
    }

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
        let layer = tracing_subscriber::fmt::layer().event_format(LambdaLines);
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
}
