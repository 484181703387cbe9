//! An endpoint, who may call it, and the way of a request through it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use crate::app::App;
use crate::auth::{Caller, Policy};
use crate::error::{Error, ErrorKind};
use crate::http::{Request, Response, problem};
use crate::model::{OrganizationId, Quota, UserId};
use crate::telemetry;

/// An endpoint of the API: what API Gateway routes to a function, who may call it, and its handler.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// The function's name.
    #[allow(dead_code, reason = "the local system and the tests name functions")]
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// Who may call it, and what answers them.
    pub access: Access,
}

/// Who may call an endpoint, and the handler that answers them.
#[derive(Clone, Copy)]
pub enum Access {
    /// Anybody.
    #[allow(dead_code, reason = "every endpoint of today has a limit or a role")]
    Public(PublicHandler),
    /// Anybody, as often as the limit on their address allows. Every request counts, valid or not, and every
    /// answer says what is left.
    RateLimited(PublicHandler),
    /// A caller whose token carries the policy's role.
    Role(Policy, SecuredHandler),
}

/// A handler that knows nothing of who calls.
pub type PublicHandler = for<'a> fn(&'a App, &'a Request) -> Handling<'a>;

/// A handler that is called by somebody: only a verified token makes a [`Caller`].
pub type SecuredHandler = for<'a> fn(&'a App, &'a Caller, &'a Request) -> Handling<'a>;

/// The future of a handler's answer. An `Err` becomes a problem document; Lambda never sees it.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'a>>;

/// What admission found out about a request.
pub struct Admission {
    /// The bearer of a token that counts, with or without the role.
    caller: Option<Caller>,
    /// What is left of the client's quota.
    quota: Option<Quota>,
}

impl Admission {
    /// What is known before a request is looked at: a client that is not counted has no quota left.
    #[must_use]
    pub fn new(endpoint: &Endpoint, app: &App) -> Self {
        let limited = matches!(endpoint.access, Access::RateLimited(_));
        Self { caller: None, quota: limited.then(|| app.exists_limiter.not_counted()) }
    }
}

/// How long before Lambda would end the invocation an answer is given up.
const DEADLINE_MARGIN: Duration = Duration::from_millis(250);

impl Endpoint {
    /// The policy that a caller's token must fulfil; `None` if the endpoint takes no token.
    #[must_use]
    pub const fn policy(&self) -> Option<Policy> {
        match self.access {
            Access::Role(policy, _) => Some(policy),
            Access::Public(_) | Access::RateLimited(_) => None,
        }
    }

    /// Whether a caller needs a token.
    #[must_use]
    pub const fn takes_token(&self) -> bool {
        self.policy().is_some()
    }

    /// Admits a request and lets the handler answer it.
    ///
    /// `admission` holds what is known so far, also while this future is pending and after it was dropped.
    ///
    /// # Errors
    /// Why the request is not admitted, or the handler's error.
    pub async fn answer(
        &self,
        app: &App,
        request: &Request,
        admission: &mut Admission,
    ) -> Result<Response, Error> {
        let visitor = app.front.admit(request).await?;
        match self.access {
            Access::Public(handler) => handler(app, request).await,
            Access::RateLimited(handler) => {
                let (left, admitted) = app.exists_limiter.admit(visitor.address()?).await;
                admission.quota = Some(left);
                admitted?;
                handler(app, request).await
            }
            Access::Role(policy, handler) => {
                let tokens = app.token_verifier();
                let tokens = tokens.ok_or_else(|| Error::defect("this function takes no tokens"))?;
                let caller = admission.caller.insert(tokens.caller(request.authorization()).await?);
                tokens.check_role(caller, policy)?;
                handler(app, caller, request).await
            }
        }
    }
}

/// Answers a request before `time_left` has passed, whatever happens, and logs its outcome.
///
/// An error is a problem document, a panic a 500, and a handler that is not done 250 ms before the time is up a
/// 503. There is one outcome line per request, and the metrics are in it.
pub async fn respond(endpoint: &Endpoint, app: &App, request: Request, time_left: Duration) -> Response {
    let started = Instant::now();
    let _answering = telemetry::Answering::begin();
    let mut admission = Admission::new(endpoint, app);
    let time_left = time_left.saturating_sub(DEADLINE_MARGIN);
    let out_of_time = || Error::unavailable("the invocation's time ran out");
    // A handler may panic before it gives its future, so it is called within the block.
    let answer = AssertUnwindSafe(async {
        // A timer fires a millisecond late, and a handler could write in that time.
        if time_left.is_zero() {
            return Err(out_of_time());
        }
        endpoint.answer(app, &request, &mut admission).await
    });
    let answer = telemetry::of_request(request.id(), answer.catch_unwind());
    let answer = match tokio::time::timeout(time_left, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::defect("the handler panicked")),
        Err(_) => Err(out_of_time()),
    };
    let answer = answer.and_then(|response| response.for_request(request.id()).check_size());
    let cause = answer.as_ref().err().and_then(Error::log).map(ToOwned::to_owned);
    if matches!(&answer, Err(error) if matches!(error.kind(), ErrorKind::Defect)) {
        tracing::error!(request_id = request.id(), cause, "a defect");
    }
    let response = match answer {
        Ok(response) => response,
        Err(error) => problem::response(&error, request.id()),
    };
    let Admission { caller, quota } = admission;
    let response = match quota {
        Some(quota) => response.with_quota(&quota),
        None => response,
    };
    tracing::info!(
        request_id = request.id(),
        route = format_args!("{} {}", endpoint.method, endpoint.path),
        status = response.status(),
        duration_ms = started.elapsed().as_secs_f64() * 1000.0,
        user_id = caller.as_ref().and_then(Caller::known_user_id).map(UserId::as_str),
        organization_id = caller.as_ref().and_then(Caller::known_organization_id).map(OrganizationId::as_str),
        affected_user_id = response.affected_user_id().map(UserId::as_str),
        cause,
        "answered"
    );
    response
}
