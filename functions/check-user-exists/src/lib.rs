//! `GET /api/users/exists`: whether a user account exists for an e-mail address.
//!
//! It takes no token, so it is [`Access::RateLimited`]: a request that the limiter refuses is not looked up, and
//! one with an invalid address counts like any other.

use serde::Serialize;
use shared::http::{Request, Response};
use shared::model::Email;
use shared::{Access, App, Endpoint, Error};

/// Public, and rate limited: at most 10 requests in any 60 seconds for each client address.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "check-user-exists",
    method: "GET",
    path: "/api/users/exists",
    access: Access::RateLimited(|app, request| Box::pin(handle(app, request))),
};

async fn handle(app: &App, request: &Request) -> Result<Response, Error> {
    let email: Email = request.parameter("Email")?;
    let user_exists = app.table.user_id_of(&email).await?.is_some();
    Response::ok(&Existence { user_exists })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Existence {
    user_exists: bool,
}
