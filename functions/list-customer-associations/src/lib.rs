//! `GET /api/users/customer-associations`: all customer associations of a user across all
//! organizations.
//!
//! Across organizations only for a user whom the caller's own organization knows;
//! [`shared::table::Table::customer_associations`] says how that is kept from strangers.

use shared::auth::Policy;
use shared::http::{CustomerAssociationView, LIST_BUDGET, Request, Response};
use shared::model::UserId;
use shared::{App, Endpoint, Error};

/// Requires the Admin role.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "list-customer-associations",
    method: "GET",
    path: "/api/users/customer-associations",
    policy: Some(Policy::Admin),
    handler: |app, request| Box::pin(handle(app, request)),
};

async fn handle(app: &App, request: &Request) -> Result<Response, Error> {
    let admin = app.authorize(request, Policy::Admin).await?;
    let organization_id = admin.organization_id()?;
    let user_id: UserId = request.query()?.required("UserId")?;

    let associations = app.table.customer_associations(&user_id, organization_id, LIST_BUDGET).await?;
    let associations: Vec<_> = associations.iter().map(CustomerAssociationView::of).collect();
    Response::ok(&associations)
}
