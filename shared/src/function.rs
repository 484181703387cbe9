//! A function: its start, its run loop, and the way of a request through it.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::de::IgnoredAny;
use tracing::Instrument as _;

use crate::app::{App, AppSettings};
use crate::auth::Policy;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::http::{Event, Request, Response, problem};
use crate::model::{OrganizationId, UserId};
use crate::settings::SettingsError;
use crate::table::Table;
use crate::telemetry;

/// An endpoint of the API: what API Gateway routes to a function, and the function's handler.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// The function's name.
    #[allow(dead_code, reason = "the local system and the tests name functions")]
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// The policy that a caller's token must fulfil; `None` where the endpoint is public.
    pub policy: Option<Policy>,
    /// Answers a request.
    pub handler: Handler,
}

/// An endpoint's own part: authorizes a request, parses it, uses the table and answers.
pub type Handler = for<'a> fn(&'a App, &'a Request) -> Answer<'a>;

/// The future of a handler's answer. An `Err` becomes a problem document; the Lambda runtime never sees it.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'a>>;

/// How long before Lambda would end the invocation an answer is given up.
const DEADLINE_MARGIN: Duration = Duration::from_millis(250);

/// Runs an endpoint's function in Lambda: reads the settings, opens the connection to the table and
/// answers events until Lambda ends the process.
#[must_use]
pub fn run(endpoint: Endpoint) -> ExitCode {
    run_in_lambda(async {
        let config = AppSettings::read(endpoint.policy.is_some(), |name| std::env::var(name).ok())?;
        let table = Table::from_lambda_environment(&config.table_name)?;
        let app = Arc::new(App::new(config, table, Clock::system()));
        app.warm_up().await;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
            let app = app.clone();
            async move {
                // Lambda gives the deadline as a time of day. One that has passed leaves no time.
                let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
                let response = respond(endpoint, &app, event.payload.into(), left).await;
                Ok::<_, Infallible>(response)
            }
        }))
        .await
    })
}

/// What a function does that no request but a schedule calls.
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

fn run_in_lambda(function: impl Future<Output = Result<(), lambda_runtime::Error>>) -> ExitCode {
    telemetry::init();
    log_panics_without_their_message();
    // One thread for what blocks, the hash of a password: on a fraction of a processor the one of the last
    // request may not be idle yet, and another would be started, time after time.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
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

/// Answers a request before `time_left` has passed, whatever happens, and logs its outcome.
///
/// An error of the handler is a problem document, a panic a 500, and a handler that is not done 250 ms before
/// the time is up a 503. There is one outcome line a request, and the metrics are in it.
pub async fn respond(endpoint: Endpoint, app: &App, request: Request, time_left: Duration) -> Response {
    let started = Instant::now();
    let _answering = telemetry::Answering::begin();
    // Called within the block: a handler that panics before it gives its future is caught too.
    let answer = AssertUnwindSafe(async { (endpoint.handler)(app, &request).await }).catch_unwind();
    let answer = answer.instrument(tracing::info_span!("request", request_id = request.id()));
    let answer = match tokio::time::timeout(time_left.saturating_sub(DEADLINE_MARGIN), answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::defect("the handler panicked")),
        Err(_) => Err(Error::unavailable("the invocation's time ran out")),
    };
    let answer = answer.and_then(|response| response.for_request(request.id()).if_it_fits());
    let cause = answer.as_ref().err().and_then(Error::log).map(ToOwned::to_owned);
    if matches!(&answer, Err(error) if matches!(error.kind(), ErrorKind::Defect)) {
        tracing::error!(request_id = request.id(), cause, "a defect");
    }
    let response = match answer {
        Ok(response) => response,
        Err(error) => problem::response(&error, request.id()),
    };
    // What is left of a quota is said by the answers that no handler gave, too.
    let response = match request.quota() {
        Some(quota) => response.with_quota(&quota),
        None => response,
    };
    tracing::info!(
        request_id = request.id(),
        route = format_args!("{} {}", endpoint.method, endpoint.path),
        status = response.status(),
        duration_ms = started.elapsed().as_secs_f64() * 1000.0,
        user_id = request.caller_user_id().map(UserId::as_str),
        organization_id = request.caller_organization_id().map(OrganizationId::as_str),
        cause,
        "answered"
    );
    response
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
