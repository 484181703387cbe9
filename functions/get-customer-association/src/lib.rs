//! `GET /api/users/customer-association`: the customer record linked to a user within the caller's
//! organization, which is read from the token's claims.
//!
//! One read of the table, [`shared::table::Table::customer_association`].

use shared::auth::{Caller, Policy};
use shared::http::{CustomerAssociationView, Request, Response};
use shared::model::UserId;
use shared::{Access, App, Endpoint, Error};

/// Requires the Admin role.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "get-customer-association",
    method: "GET",
    path: "/api/users/customer-association",
    access: Access::Role(Policy::Admin, |app, admin, request| Box::pin(handle(app, admin, request))),
};

async fn handle(app: &App, admin: &Caller, request: &Request) -> Result<Response, Error> {
    let organization_id = admin.organization_id()?;
    let user_id: UserId = request.parameter("UserId")?;

    let association = app.table.customer_association(&user_id, organization_id).await?;
    let association = association.ok_or_else(Error::not_found)?;
    Response::ok(&CustomerAssociationView::of(&association))
}
