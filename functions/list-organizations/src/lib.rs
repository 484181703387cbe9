//! `GET /api/users/organizations`: the organizations that the currently authenticated user belongs
//! to. The user id and the e-mail address are read from the token's claims.
//!
//! [`shared::table::Table::organization_ids_of`] has the memberships, [`shared::table::Table::organizations`]
//! their names.

use serde::Serialize;
use shared::auth::{Caller, Policy};
use shared::http::{LIST_BUDGET, Response};
use shared::model::{Organization, OrganizationId};
use shared::{Access, App, Endpoint, Error};

/// Requires the Admin role.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "list-organizations",
    method: "GET",
    path: "/api/users/organizations",
    access: Access::Role(Policy::Admin, |app, admin, _| Box::pin(handle(app, admin))),
};

async fn handle(app: &App, admin: &Caller) -> Result<Response, Error> {
    let organization_ids = organization_ids(app, admin).await?;
    let organizations = app.table.organizations(&organization_ids, LIST_BUDGET).await?;
    Response::ok(&Organizations { organizations: organizations.iter().map(OrganizationView::of).collect() })
}

/// The organizations of the user of the token's user id; where no such record exists, of its e-mail
/// address.
async fn organization_ids(app: &App, admin: &Caller) -> Result<Vec<OrganizationId>, Error> {
    if let Some(organization_ids) = app.table.organization_ids_of(admin.user_id()?, None, LIST_BUDGET).await?
    {
        return Ok(organization_ids);
    }
    organization_ids_by_email(app, admin).await?.ok_or_else(|| {
        Error::invalid("UserId", "The user cannot be found based on the access token's identity claims.")
    })
}

async fn organization_ids_by_email(app: &App, admin: &Caller) -> Result<Option<Vec<OrganizationId>>, Error> {
    let Some(email) = admin.email() else { return Ok(None) };
    let Some(user_id) = app.table.user_id_of(email).await? else { return Ok(None) };
    app.table.organization_ids_of(&user_id, Some(email), LIST_BUDGET).await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Organizations<'a> {
    organizations: Vec<OrganizationView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OrganizationView<'a> {
    organization_id: &'a str,
    name: &'a str,
    slug: &'a str,
}

impl<'a> OrganizationView<'a> {
    fn of(organization: &'a Organization) -> Self {
        Self {
            organization_id: organization.id.as_str(),
            name: organization.name.as_str(),
            slug: organization.slug.as_str(),
        }
    }
}
