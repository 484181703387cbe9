//! Users, with what they belong to.

use std::collections::HashMap;

use askama::Template;
use hyper::StatusCode;
use shared::model::{CustomerAssociation, OrganizationId, User, UserId};
use shared::table::Record;

use super::answer::{self, HttpAnswer, Policy, Refusal};
use super::layout::{self, Layout};
use super::reading::{self, Scan};
use super::{Console, Query, utc};

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    layout: Layout<'static>,
    users: Vec<User>,
    scan: Scan,
    rest: Option<String>,
}

/// All users.
pub(super) async fn list(console: &Console, query: &Query) -> Result<HttpAnswer, Refusal> {
    let reading = reading::read(&console.table, query.parsed("after")?, |rows, record| {
        if let Record::User { user, .. } = record {
            rows.push(*user);
        }
    });
    let reading = reading.await?;
    let page = UsersPage {
        layout: Layout::of(layout::USERS),
        users: reading.rows,
        rest: reading.scan.rest(layout::USERS, &[]),
        scan: reading.scan,
    };
    answer::page(StatusCode::OK, Policy::Page, &page)
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    layout: Layout<'static>,
    user: User,
    created_at: String,
    created_by: UserId,
    has_password: bool,
    memberships: Vec<Membership>,
    associations: Vec<Association>,
}

struct Membership {
    organization: OrganizationId,
    organization_name: String,
    joined_at: String,
    added_by: UserId,
}

struct Association {
    organization: OrganizationId,
    organization_name: String,
    customer_number: String,
}

/// One user, with memberships and customer associations.
pub(super) async fn one(console: &Console, query: &Query) -> Result<HttpAnswer, Refusal> {
    let id: UserId = query.required("id")?;
    let (records, has_password) = console.table.records_of(&id).await?;
    let (mut found, mut memberships, mut associations) = (None, Vec::new(), Vec::new());
    for record in records {
        match record {
            Record::User { user, created_at, created_by } => found = Some((user, created_at, created_by)),
            Record::Membership { organization_id: organization, joined_at, added_by, .. } => {
                let (organization_name, joined_at) = (String::new(), utc(joined_at));
                memberships.push(Membership { organization, organization_name, joined_at, added_by });
            }
            Record::CustomerAssociation(CustomerAssociation { customer_number, organization_id, .. }) => {
                associations.push(Association {
                    organization: organization_id,
                    organization_name: String::new(),
                    customer_number: customer_number.to_string(),
                });
            }
            _ => {}
        }
    }
    let Some((user, created_at, created_by)) = found else {
        return Err(Refusal::NotFound(format!("There is no user {id}.")));
    };
    let ids = memberships.iter().map(|membership| &membership.organization);
    let mut ids: Vec<_> =
        ids.chain(associations.iter().map(|association| &association.organization)).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    let organizations = console.table.organizations(&ids).await?;
    let names: HashMap<_, _> = organizations
        .into_iter()
        .map(|organization| (organization.id, organization.name.to_string()))
        .collect();
    let name = |id: &OrganizationId| names.get(id).cloned().unwrap_or_default();
    for membership in &mut memberships {
        membership.organization_name = name(&membership.organization);
    }
    for association in &mut associations {
        association.organization_name = name(&association.organization);
    }
    let page = UserPage {
        layout: Layout::of(layout::USER),
        user: *user,
        created_at: utc(created_at),
        created_by,
        has_password,
        memberships,
        associations,
    };
    answer::page(StatusCode::OK, Policy::Page, &page)
}
