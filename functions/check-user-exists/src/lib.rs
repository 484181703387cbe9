//! `GET /api/users/exists`: whether a user account exists for an e-mail address.
//!
//! It takes no token, so the [`shared::table::RateLimiter`] comes first: what it refuses is not looked up, and
//! an invalid address counts as any other request.

use serde::Serialize;
use shared::http::{Request, Response};
use shared::model::Email;
use shared::{App, Endpoint, Error};

/// Public, and rate limited: at most 10 requests in any 60 seconds for each client address.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "check-user-exists",
    method: "GET",
    path: "/api/users/exists",
    policy: None,
    handler: |app, request| Box::pin(handle(app, request)),
};

async fn handle(app: &App, request: &Request) -> Result<Response, Error> {
    // Every request counts, valid or not, and every answer says what is left.
    request.note_quota(app.exists_limiter.not_counted());
    let (quota, admitted) = app.exists_limiter.admit(request.client_address()?).await;
    request.note_quota(quota);
    admitted?;

    let email: Email = request.query()?.required("Email")?;
    let user_exists = app.table.user_id_of(&email).await?.is_some();
    Response::ok(&Existence { user_exists })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Existence {
    user_exists: bool,
}
