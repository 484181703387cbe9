//! What all pages have in common.

/// The list of organizations.
pub(super) const ORGANIZATIONS: &str = "/console/organizations";
/// One organization: `?id=`.
pub(super) const ORGANIZATION: &str = "/console/organization";
/// The list of users.
pub(super) const USERS: &str = "/console/users";
/// One user: `?id=`.
pub(super) const USER: &str = "/console/user";
/// What the rate limiter has counted.
pub(super) const RATE_LIMITS: &str = "/console/rate-limits";
/// What the API was asked.
pub(super) const REQUESTS: &str = "/console/requests";
/// The search: `?q=`.
pub(super) const SEARCH: &str = "/console/search";

/// The pages that every page leads to.
const NAVIGATION: [(&str, &str); 5] = [
    ("/", "API reference"),
    (ORGANIZATIONS, "Organizations"),
    (USERS, "Users"),
    (RATE_LIMITS, "Rate limits"),
    (REQUESTS, "Requests"),
];

/// The frame of a page.
pub(super) struct Layout<'a> {
    path: &'static str,
    /// What was searched for.
    pub(super) searched: &'a str,
}

impl Layout<'static> {
    /// The frame of the page at `path`.
    pub(super) fn of(path: &'static str) -> Self {
        Self { path, searched: "" }
    }
}

impl<'a> Layout<'a> {
    /// The frame of a search's result.
    pub(super) fn of_search(searched: &'a str) -> Self {
        Self { path: SEARCH, searched }
    }

    /// Each page's address, its name, and the value of its `aria-current`.
    pub(super) fn navigation(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        NAVIGATION.into_iter().map(|(path, name)| {
            let current = match self.path {
                same if same == path => "page",
                ORGANIZATION if path == ORGANIZATIONS => "true",
                USER if path == USERS => "true",
                _ => "false",
            };
            (path, name, current)
        })
    }
}

/// The address of a page with parameters.
pub(super) fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{path}?{query}")
}

/// The address of an organization's page.
pub(super) fn organization(id: &shared::model::OrganizationId) -> String {
    link(ORGANIZATION, &[("id", id.as_str())])
}

/// The address of a user's page.
pub(super) fn user(id: &shared::model::UserId) -> String {
    link(USER, &[("id", id.as_str())])
}
