//! `GET /api/users/profile`: the profile of the currently authenticated user. The user id and the
//! organization id are read from the token's claims.
//!
//! One read of the table, [`shared::table::Table::member`]: who is no member has no profile there.

use shared::auth::{Caller, Policy};
use shared::http::{Request, Response, UserView};
use shared::{Access, App, Endpoint, Error};

/// Requires the Customer role.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "get-profile",
    method: "GET",
    path: "/api/users/profile",
    access: Access::Role(Policy::Customer, |app, customer, request| Box::pin(handle(app, customer, request))),
};

async fn handle(app: &App, customer: &Caller, request: &Request) -> Result<Response, Error> {
    let (user_id, organization_id) = (customer.user_id()?, customer.organization_id()?);
    request.query()?;

    let user = app.table.member(user_id, organization_id).await?.ok_or_else(Error::not_found)?;
    Response::ok(&UserView::with_preferred_email(&user))
}
