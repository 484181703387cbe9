//! A function in Lambda: its start, and its run loop over `lambda_http`.

use std::convert::Infallible;
use std::future::Future;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime};

use lambda_http::lambda_runtime::{self, Error as RunError};
use lambda_http::{LambdaEvent, RequestExt as _, Service, service_fn};
use serde::de::IgnoredAny;

use crate::app::{App, AppSettings};
use crate::clock::Clock;
use crate::door::{Answer, Door, Event};
use crate::endpoint::{Endpoint, respond};
use crate::error::Error;
use crate::settings::{SettingsError, SettingsReader};
use crate::table::Table;
use crate::table::storage::table_client;
use crate::telemetry;

/// Runs an endpoint's function in Lambda: reads the settings, opens the connection to the table and
/// answers events until Lambda ends the process.
///
/// It takes one event at a time, or as many as `AWS_LAMBDA_MAX_CONCURRENCY` says, which Lambda Managed
/// Instances set.
#[must_use]
pub fn run(endpoint: Endpoint) -> ExitCode {
    run_in_lambda(async {
        let mut reader = SettingsReader::of_environment();
        let settings = AppSettings::read(endpoint.takes_token(), |name| std::env::var(name).ok());
        let (settings, client) = (reader.take(settings), table_client(&mut reader));
        let (settings, client) = reader.finish(settings.zip(client))?;
        let table = Table::new(client, &settings.table_name);
        let app = Arc::new(App::new(settings, table, Clock::system()));
        app.warm_up().await;
        lambda_runtime::run_concurrent(function(endpoint, app)).await
    })
}

/// An endpoint's function: takes the events that Lambda hands out and gives the answers that Lambda takes.
pub fn function(
    endpoint: Endpoint,
    app: Arc<App>,
) -> impl Service<LambdaEvent<Event>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + 'static
{
    Door::new(service_fn(move |request: lambda_http::Request| {
        let app = app.clone();
        async move {
            let time_left = time_left(&request);
            Ok::<_, Infallible>(respond(&endpoint, &app, request.into(), time_left).await)
        }
    }))
}

/// The longest time-out of a function ("Lambda quotas").
const MAX_TIMEOUT: Duration = Duration::from_mins(15);

/// Lambda gives the deadline as a time of day. A deadline that has passed leaves no time.
fn time_left(request: &lambda_http::Request) -> Duration {
    let deadline = request.lambda_context_ref().map(lambda_http::Context::deadline);
    deadline.map_or(Duration::ZERO, |deadline| until(deadline, SystemTime::now()))
}

/// `cargo lambda watch` gives a length of time in place of a time of day. As one, it is long past: no deadline of Lambda's
/// passed longer ago than its longest time-out.
fn until(deadline: SystemTime, now: SystemTime) -> Duration {
    match deadline.duration_since(now) {
        Ok(left) => left,
        Err(passed) if passed.duration() > MAX_TIMEOUT => MAX_TIMEOUT,
        Err(_) => Duration::ZERO,
    }
}

/// What a function does that is called by a schedule and not by a request.
pub trait ScheduledTask: Sized + Send + Sync + 'static {
    /// Reads the settings; `variable` gives the value of an environment variable.
    ///
    /// # Errors
    /// Names every setting that is missing or wrong.
    fn start(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError>;

    /// Does it once.
    fn run(&self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Runs a scheduled task's function in Lambda. A run that fails is an error of the invocation, which
/// Lambda counts.
#[must_use]
pub fn run_scheduled<Task: ScheduledTask>() -> ExitCode {
    run_in_lambda(async {
        let task = Arc::new(Task::start(|name| std::env::var(name).ok())?);
        lambda_runtime::run(service_fn(move |_: LambdaEvent<IgnoredAny>| {
            let task = task.clone();
            async move {
                let done = task.run().await;
                done.map_err(|error| error.log().unwrap_or("it failed").to_owned())
            }
        }))
        .await
    })
}

fn run_in_lambda(function: impl Future<Output = Result<(), RunError>>) -> ExitCode {
    telemetry::init();
    log_panics_without_their_message();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(blocking_threads())
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(function),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// How many threads may hash passwords.
///
/// One where requests come one by one: on a fraction of a processor the thread of the last request may not be
/// idle yet, and tokio would start another, time after time. Otherwise one per processor.
fn blocking_threads() -> usize {
    match std::env::var("AWS_LAMBDA_MAX_CONCURRENCY") {
        Ok(_) => available_parallelism().map_or(1, NonZero::get),
        Err(_) => 1,
    }
}

/// While a request is answered, a panic's message may quote what a caller sent: the log gets only its place.
/// Any other panic is reported with its message on standard error, as usual.
pub fn log_panics_without_their_message() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if telemetry::Answering::now() {
            let place = panic.location().map(ToString::to_string);
            tracing::error!(place, "a panic");
        } else {
            report(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_no_time_of_day_is_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let second = Duration::from_secs(1);
        assert_eq!(until(now + second, now), second);
        assert_eq!(until(now - second, now), Duration::ZERO);
        assert_eq!(until(now - MAX_TIMEOUT, now), Duration::ZERO);
        // What `cargo lambda watch` 1.9 sends: 600,000 ms.
        assert_eq!(until(SystemTime::UNIX_EPOCH + 600 * second, now), MAX_TIMEOUT);
    }
}
