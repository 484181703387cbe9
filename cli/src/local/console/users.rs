//! Users, with what they belong to.

use std::collections::{BTreeSet, HashMap};

use askama::Template;
use hyper::StatusCode;
use operator::table::{Account, PersonalData, Record};
use shared::model::{OrganizationId, User, UserId};

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
    let data = console.table.personal_data(&id).await?;
    let Some(PersonalData {
        account: Some(account), memberships, customer_associations, has_password, ..
    }) = data
    else {
        return Err(Refusal::NotFound(format!("There is no user {id}.")));
    };
    let ids = memberships.iter().map(|membership| &membership.organization_id);
    let ids = ids.chain(customer_associations.iter().map(|association| &association.organization_id));
    let ids: BTreeSet<_> = ids.cloned().collect();
    let organizations = console.table.existing_organizations(&Vec::from_iter(ids)).await?;
    let names: HashMap<_, _> = organizations
        .into_iter()
        .map(|organization| (organization.id, organization.name.to_string()))
        .collect();
    let name = |id: &OrganizationId| names.get(id).cloned().unwrap_or_default();
    let memberships = memberships.into_iter().map(|membership| Membership {
        organization_name: name(&membership.organization_id),
        organization: membership.organization_id,
        joined_at: utc(membership.joined_at),
        added_by: membership.added_by,
    });
    let associations = customer_associations.into_iter().map(|association| Association {
        organization_name: name(&association.organization_id),
        organization: association.organization_id,
        customer_number: association.customer_number.to_string(),
    });
    let Account { user, created_at, created_by } = account;
    let page = UserPage {
        layout: Layout::of(layout::USER),
        user: *user,
        created_at: utc(created_at),
        created_by,
        has_password,
        memberships: memberships.collect(),
        associations: associations.collect(),
    };
    answer::page(StatusCode::OK, Policy::Page, &page)
}
