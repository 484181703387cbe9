//! `GET /api/users/profile`: the profile of the currently authenticated user. The user id and the
//! organization id are read from the token's claims.
//!
//! One read of the table, [`shared::table::Table::member`]: who is no member has no profile there.

use shared::auth::{Caller, Policy};
use shared::http::{Response, UserView};
use shared::{Access, App, Endpoint, Error};

/// Requires the Customer role.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "get-profile",
    method: "GET",
    path: "/api/users/profile",
    access: Access::Role(Policy::Customer, |app, customer, _| Box::pin(handle(app, customer))),
};

async fn handle(app: &App, customer: &Caller) -> Result<Response, Error> {
    let (user_id, organization_id) = (customer.user_id()?, customer.organization_id()?);

    let user = app.table.member(user_id, organization_id).await?.ok_or_else(Error::not_found)?;
    Response::ok(&UserView::with_preferred_email(&user))
}
