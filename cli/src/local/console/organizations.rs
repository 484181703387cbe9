//! Organizations and who belongs to them.

use askama::Template;
use hyper::StatusCode;
use operator::table::Record;
use shared::model::{CustomerAssociation, Organization, OrganizationId, UserId};

use super::answer::{self, HttpAnswer, Policy, Refusal};
use super::layout::{self, Layout};
use super::reading::{self, Scan};
use super::{Console, Query, utc};

#[derive(Template)]
#[template(path = "organizations.html")]
struct OrganizationsPage {
    layout: Layout<'static>,
    organizations: Vec<Organization>,
    scan: Scan,
    rest: Option<String>,
}

/// All organizations.
pub(super) async fn list(console: &Console, query: &Query) -> Result<HttpAnswer, Refusal> {
    let reading = reading::read(&console.table, query.parsed("after")?, |rows, record| {
        if let Record::Organization(organization) = record {
            rows.push(organization);
        }
    });
    let reading = reading.await?;
    let page = OrganizationsPage {
        layout: Layout::of(layout::ORGANIZATIONS),
        organizations: reading.rows,
        rest: reading.scan.rest(layout::ORGANIZATIONS, &[]),
        scan: reading.scan,
    };
    answer::page(StatusCode::OK, Policy::Page, &page)
}

#[derive(Template)]
#[template(path = "organization.html")]
struct OrganizationPage {
    layout: Layout<'static>,
    organization: Organization,
    people: Vec<Person>,
    scan: Scan,
    rest: Option<String>,
}

/// A user's relation to an organization.
struct Person {
    id: UserId,
    /// Empty if there is no such user.
    name: String,
    membership: Option<(String, UserId)>,
    customer_number: Option<String>,
}

/// One organization, with its members and customers.
pub(super) async fn one(console: &Console, query: &Query) -> Result<HttpAnswer, Refusal> {
    let id: OrganizationId = query.required("id")?;
    let organization = console.table.organization(&id).await?;
    let organization =
        organization.ok_or_else(|| Refusal::NotFound(format!("There is no organization {id}.")))?;
    let reading = reading::read(&console.table, query.parsed("after")?, |people, record| match record {
        Record::CustomerAssociation(CustomerAssociation { user_id, customer_number, organization_id })
            if organization_id == id =>
        {
            person(people, user_id, |person| person.customer_number = Some(customer_number.to_string()));
        }
        Record::Membership { user_id, organization_id, joined_at, added_by } if organization_id == id => {
            person(people, user_id, |person| person.membership = Some((utc(joined_at), added_by)));
        }
        _ => {}
    });
    let mut reading = reading.await?;
    for person in &mut reading.rows {
        let user = console.table.user(&person.id).await?;
        person.name = user.map(|user| format!("{} {}", user.first_name, user.last_name)).unwrap_or_default();
    }
    let page = OrganizationPage {
        layout: Layout::of(layout::ORGANIZATION),
        organization,
        people: reading.rows,
        rest: reading.scan.rest(layout::ORGANIZATION, &[("id", id.as_str())]),
        scan: reading.scan,
    };
    answer::page(StatusCode::OK, Policy::Page, &page)
}

/// The items of a user are adjacent, so the last row is the user's, or the user has no row yet.
fn person(people: &mut Vec<Person>, id: UserId, say: impl FnOnce(&mut Person)) {
    let mut person = match people.pop() {
        Some(last) if last.id == id => last,
        last => {
            people.extend(last);
            Person { id, name: String::new(), membership: None, customer_number: None }
        }
    };
    say(&mut person);
    people.push(person);
}
