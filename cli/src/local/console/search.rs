//! The search: an e-mail address, a user's id, an organization's id.

use askama::Template;
use hyper::StatusCode;
use shared::model::{Email, Organization, OrganizationId, User, UserId};

use super::answer::{self, HttpAnswer, Policy, Refusal};
use super::layout::{self, Layout};
use super::{Console, Query};

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    layout: Layout<'a>,
    searched: &'a str,
    /// A user and an organization of one id.
    both: Option<(User, Organization)>,
}

/// Redirects to the only match, or shows all matches.
pub(super) async fn find(console: &Console, query: &Query) -> Result<HttpAnswer, Refusal> {
    let searched = query.text("q").unwrap_or_default().trim();
    if let Ok(email) = searched.parse::<Email>()
        && let Some(id) = console.table.user_id_of(&email).await?
    {
        return answer::redirect(&layout::user(&id));
    }
    let user = match searched.parse::<UserId>() {
        Ok(id) => console.table.user(&id).await?,
        Err(_) => None,
    };
    let organization = match searched.parse::<OrganizationId>() {
        Ok(id) => console.table.organization(&id).await?,
        Err(_) => None,
    };
    let (status, both) = match (user, organization) {
        (Some(user), None) => return answer::redirect(&layout::user(&user.id)),
        (None, Some(organization)) => return answer::redirect(&layout::organization(&organization.id)),
        (Some(user), Some(organization)) => (StatusCode::OK, Some((user, organization))),
        (None, None) => (StatusCode::NOT_FOUND, None),
    };
    let page = SearchPage { layout: Layout::of_search(searched), searched, both };
    answer::page(status, Policy::Page, &page)
}
