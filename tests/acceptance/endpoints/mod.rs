//! What the tests know of each endpoint, and whether every place that must know of an endpoint does:
//! `cargo test -p acceptance endpoints::` says of a new one what is still to be done, file by file.

mod check_user_exists;
pub mod contract;
mod create_user;
pub mod document;
pub mod door;
pub mod events;
mod get_customer_association;
mod get_profile;
mod list_customer_associations;
mod list_organizations;
pub mod refresh_signing_keys;
pub mod requests;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use shared::Endpoint;

use crate::harness::reference::{Due, Model};
use crate::harness::{Call, ENDPOINTS, Invocation, World, endpoint, updates};

/// An endpoint, who may call it, a request of it that is right, and what comes of that on the demo data.
pub struct Row {
    pub route: &'static str,
    /// What is asked: the function's name, and where it has several ways, which one.
    pub way: &'static str,
    /// The role that opens it; `None` where it is public.
    pub role: Option<&'static str>,
    /// The claims that it reads for ids.
    pub reads: &'static [&'static str],
    pub query: &'static str,
    pub body: &'static str,
    /// The status of that request by who may call.
    pub status: u16,
    /// Its calls to the table once the signing keys are read; those of a wave do not depend on each other.
    pub waves: &'static [&'static [TableCall]],
    /// The personal data in its answer.
    pub shows: &'static [&'static str],
    /// Of an endpoint about the user that `UserId` in its query names: what is due about a user to an organization.
    pub about: Option<fn(&Model, user: &str, organization: &str) -> Due>,
}

/// A call to the table: its operation, and the start of the one key that it is about.
pub type TableCall = (&'static str, &'static str);

pub const CLAIM: TableCall = ("GetItem", "EMAIL#");
pub const OF_USER: TableCall = ("GetItem", "USER#");
pub const BATCH: TableCall = ("BatchGetItem", "");
pub const QUERY: TableCall = ("Query", "");
pub const TRANSACTION: TableCall = ("TransactWriteItems", "");

const ROWS: &[Row] = &[
    create_user::ROW,
    get_profile::ROW,
    check_user_exists::ROW,
    list_organizations::ROW,
    get_customer_association::ROW,
    list_customer_associations::ROW,
];

impl Row {
    pub fn endpoint(&self) -> Endpoint {
        endpoint(self.route)
    }

    /// The request over HTTP, without a token.
    pub fn call(&self, world: &World) -> Call {
        let (method, path) = self.route.split_once(' ').unwrap();
        let path = if self.query.is_empty() { path.to_owned() } else { format!("{path}?{}", self.query) };
        if method == "POST" { world.post(&path, self.body) } else { world.get(&path) }
    }

    /// The request straight to the function, without a token.
    pub fn invocation(&self) -> Invocation {
        let invocation = Invocation::of(self.endpoint()).query(self.query);
        if self.body.is_empty() { invocation } else { invocation.body(self.body) }
    }
}

/// The rows of all endpoints, after the check that none lacks one.
pub fn rows() -> &'static [Row] {
    let routes: BTreeSet<_> = ENDPOINTS.iter().map(route).collect();
    let known: BTreeSet<_> = ROWS.iter().map(|row| row.route.to_owned()).collect();
    assert_eq!(
        routes, known,
        "tests/acceptance/endpoints/mod.rs: an endpoint without a row, or a row without its endpoint"
    );
    ROWS
}

/// The row of a function.
pub fn row(function: &str) -> &'static Row {
    rows().iter().find(|row| row.endpoint().name == function).unwrap()
}

/// The rows of the endpoints that take a token.
pub fn secured_rows() -> impl Iterator<Item = &'static Row> {
    rows().iter().filter(|row| row.role.is_some())
}

pub fn route(endpoint: &Endpoint) -> String {
    format!("{} {}", endpoint.method, endpoint.path)
}

/// The function of whom `template.yaml` says nothing but what it says of every one that takes tokens.
const PLAIN: &str = "get-profile";

#[test]
fn every_place_that_must_know_of_an_endpoint_does() {
    let missing: Vec<_> = ENDPOINTS.iter().flat_map(missing_of).collect();
    assert!(missing.is_empty(), "still to be done:\n{}", missing.join("\n"));
}

/// What lacks an endpoint: the file, and what is to stand there.
fn missing_of(endpoint: &Endpoint) -> Vec<String> {
    let (name, route) = (endpoint.name, route(endpoint));
    let mut missing = Vec::new();
    let mut demand = |file: &str, there: bool, what: &str| {
        if !there {
            missing.push(format!("{file}: {what}"));
        }
    };
    let module = name.replace('-', "_");
    let tests = format!("tests/acceptance/endpoints/{module}.rs");
    demand(&tests, root().join(&tests).exists(), &format!("the tests of {name}, and its ROW"));
    let row = ROWS.iter().any(|row| row.route == route);
    demand("tests/acceptance/endpoints/mod.rs", row, &format!("mod {module}; and {module}::ROW among ROWS"));
    demand("openapi.yaml", read("openapi.yaml").contains(&format!("\n  {}:\n", endpoint.path)), &route);

    let template = read("template.yaml");
    let route_event = format!("Method: {}, Path: {},", endpoint.method, endpoint.path);
    demand("template.yaml", template.contains(&route_event), &route_event);
    for label in [format!("{{\"label\": \"{name}\"}}"), format!("{{\"label\": \"500 of {name}\"}}")] {
        demand("template.yaml", template.contains(&label), &format!("on the dashboard: {label}"));
    }
    let (plain, said) = (said_of(&template, PLAIN), said_of(&template, name));
    let times = |lines: &[String], line: &String| lines.iter().filter(|one| *one == line).count();
    for line in plain.iter().filter(|line| !line.contains("\"label\"")) {
        let due = renamed(line, PLAIN, name);
        // A list of functions is one line that names them all.
        let there = line.contains(&pascal(name)) || times(&said, &due) >= times(&plain, line);
        let what = if line.trim_start().starts_with("- [") {
            format!("{} in the list {}", pascal(name), line.trim())
        } else {
            format!("as of {PLAIN}: {}", due.trim())
        };
        demand("template.yaml", there, &what);
    }
    missing
}

#[test]
fn every_function_gets_the_settings_that_it_reads() {
    let (template, page) = (read("template.yaml"), read("docs/settings.md"));
    let (_, globals) = template.split_once("\nGlobals:\n").unwrap();
    let (globals, resources) = globals.split_once("\nResources:\n").unwrap();
    let mut given = 0;
    for section in page.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap().trim_matches('`');
        let own = resources.split_once(&format!("\n  {}Function:\n", pascal(heading)));
        let own = own.map_or("", |(_, rest)| rest.split("\n\n").next().unwrap());
        let names = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        // A stack has no proxy, no certification authorities of its own and no special endpoints.
        let of_the_network = [
            "AWS_CA_BUNDLE",
            "AWS_USE_DUALSTACK_ENDPOINT",
            "AWS_USE_FIPS_ENDPOINT",
            "HTTPS_PROXY",
            "JWKS_CA_BUNDLE",
        ];
        for name in names.filter(|name| !of_the_network.contains(name)) {
            let variable = format!(" {name}: ");
            let there = globals.contains(&variable) || own.contains(&variable);
            assert!(there, "template.yaml: {heading} lacks {name}");
            given += 1;
        }
    }
    assert!(given > 20, "{given}");
}

/// The lines of a template that name a function, in their order, without what differs from one to the next: the number in a
/// formula, the comma of a list.
fn said_of(template: &str, function: &str) -> Vec<String> {
    let names = [
        format!("-{function}"),
        format!(" {function}"),
        format!("/{function}"),
        format!("'{function}"),
        pascal(function),
    ];
    let lines = template.lines().filter(|line| !line.trim_start().starts_with('#'));
    let named = lines.filter(|line| names.iter().any(|name| line.contains(name.as_str())));
    named.map(|line| numberless(line.trim_end_matches(','))).collect()
}

/// Without the number in an `Id: t5`.
fn numberless(line: &str) -> String {
    match line.split_once("{Id: ") {
        Some((start, rest)) => {
            let (id, rest) = rest.split_once(',').unwrap();
            format!("{start}{{Id: {},{rest}", id.trim_end_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    }
}

fn renamed(line: &str, from: &str, to: &str) -> String {
    line.replace(from, to).replace(&pascal(from), &pascal(to))
}

/// `get-profile` as `GetProfile`.
fn pascal(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// Compares the rows of a page's table with those that are due. `cargo accept` writes them.
pub fn assert_table(file: &str, head: &str, due: &[String]) {
    let page = read(file);
    let (before, table) = page.split_once(head).unwrap_or_else(|| panic!("{file}: no table {head}"));
    // What is left of the head, and the line below it.
    let (rule, rows) = table.split_at(table.match_indices('\n').nth(1).unwrap().0 + 1);
    let length = rows.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    let written = format!("{before}{head}{rule}{}\n{}", due.join("\n"), &rows[length..]);
    if updates() && written != page {
        fs::write(root().join(file), &written).unwrap();
    }
    assert_eq!(read(file), written, "{file}: `cargo accept` writes this table");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}
