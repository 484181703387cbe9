//! `GET /api/users/customer-associations`: all customer associations of a user across all
//! organizations.
//!
//! Across organizations only for a user whom the caller's own organization knows;
//! [`shared::table::Table::customer_associations`] says how that is kept from strangers.

use shared::auth::{Caller, Policy};
use shared::http::{CustomerAssociationView, LIST_BUDGET, Request, Response};
use shared::model::UserId;
use shared::{Access, App, Endpoint, Error};

/// Requires the Admin role.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "list-customer-associations",
    method: "GET",
    path: "/api/users/customer-associations",
    access: Access::Role(Policy::Admin, |app, admin, request| Box::pin(handle(app, admin, request))),
};

async fn handle(app: &App, admin: &Caller, request: &Request) -> Result<Response, Error> {
    let organization_id = admin.organization_id()?;
    let user_id: UserId = request.parameter("UserId")?;

    let associations = app.table.customer_associations(&user_id, organization_id, LIST_BUDGET).await?;
    let associations: Vec<_> = associations.iter().map(CustomerAssociationView::of).collect();
    Response::ok(&associations)
}
