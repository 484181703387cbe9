//! The console at the local system's root, over HTTP. `.ci/console` drives it in a browser.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{ACME, Answer, GLOBEX, JANE, JOHN, World, user};

const ORGANIZATIONS: &str = "/console/organizations";
const USERS: &str = "/console/users";
const RATE_LIMITS: &str = "/console/rate-limits";
const REQUESTS: &str = "/console/requests";

/// A page that is there.
async fn page(world: &World, path: &str) -> String {
    let answer = world.get(path).send().await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_kept_to_itself(path, &answer);
    answer.body
}

async fn user_page(world: &World, id: &str) -> String {
    page(world, &format!("/console/user?id={id}")).await
}

/// Where the search sends its reader.
async fn found(world: &World, searched: &str) -> Option<String> {
    let answer = world.get(&format!("/console/search?q={searched}")).send().await;
    assert_eq!(answer.status, if answer.header("location").is_some() { 303 } else { 404 }, "{answer:?}");
    answer.header("location").map(ToOwned::to_owned)
}

/// Checks the headers of a page, and that nothing in it is run or comes from elsewhere.
#[track_caller]
fn assert_kept_to_itself(path: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.ends_with("; base-uri 'none'; frame-ancestors 'none'"), "{policy}");
    let sources: BTreeSet<_> = policy.split([' ', ';']).filter(|word| !word.ends_with("-src")).collect();
    for source in sources {
        let known = ["", "'none'", "'self'", "data:", "form-action", "base-uri", "frame-ancestors"];
        assert!(known.contains(&source), "{path}: {policy}");
    }
    assert_eq!(policy.contains("script-src"), path == "/", "only the reference runs scripts");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    for tag in tags(&answer.body) {
        let inline = tag.starts_with("style") || tag.contains(" style=") || tag.contains(" on");
        assert!(!inline, "{path}: {tag}");
        assert!(!tag.starts_with("script") || tag.starts_with("script src=\"/"), "{path}: {tag}");
        for name in ["href", "src", "action"] {
            let address = attribute(tag, name).unwrap_or_default();
            let here = address.starts_with('#') || address.starts_with('/') && !address.starts_with("//");
            assert!(address.is_empty() || here, "{path}: {tag}");
        }
    }
}

/// What stands between `<` and `>`.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag)).collect()
}

/// The value of a tag's attribute, as a browser reads it.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let mut value = rest.split_once('"')?.0.to_owned();
    for (reference, character) in
        [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
    {
        value = value.replace(reference, character);
    }
    Some(value)
}

/// The addresses on a page that its reader can go to, or its browser loads.
fn addresses(html: &str) -> BTreeSet<String> {
    let tags = tags(html).into_iter();
    let all = tags.flat_map(|tag| ["href", "src"].map(|name| attribute(tag, name)));
    all.flatten().filter(|address| !address.starts_with('#')).collect()
}

/// The link that goes on with a list.
fn rest(html: &str) -> Option<String> {
    tags(html).into_iter().find(|tag| tag.contains("class=\"button\"")).and_then(|tag| attribute(tag, "href"))
}

/// An answer's head, and its body as it is.
async fn raw(world: &World, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(world.system.api_address).await.unwrap();
    stream.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

#[tokio::test]
async fn every_link_of_a_page_exists_and_none_leads_elsewhere() {
    let world = World::start().await;
    world.get("/api/users/exists?Email=jane%40example.com").send().await.assert_ok(200);
    // Added by one who is no user: a link to a user who is not there is the one that may end in a 404.
    let nobody = "/console/user?id=kp_admin";
    world.put_user(user("kp_more", "more@example.com"), &[GLOBEX]).await;
    let (mut seen, mut queue) = (BTreeMap::new(), vec!["/".to_owned()]);
    while let Some(path) = queue.pop() {
        let (head, body) = raw(&world, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n")).await;
        let status = if path == nobody { "HTTP/1.1 404" } else { "HTTP/1.1 200" };
        assert!(head.starts_with(status), "{path}: {head}");
        if head.contains("text/html") {
            let html = String::from_utf8(body).unwrap();
            queue.extend(addresses(&html).into_iter().filter(|address| !seen.contains_key(address)));
            if path != nobody {
                page(&world, &path).await;
            }
        }
        seen.insert(path, head);
    }
    let user = |id: &str| format!("/console/user?id={id}");
    let organization = |id: &str| format!("/console/organization?id={id}");
    for path in
        [user(JANE), user(JOHN), user("kp_more"), organization(ACME), organization(GLOBEX), nobody.into()]
    {
        assert!(seen.contains_key(&path), "{path}: {:?}", seen.keys());
    }
    for path in
        ["/console/console.css", "/console/swagger-ui.js", "/console/swagger-ui.css", REQUESTS, RATE_LIMITS]
    {
        assert!(seen.contains_key(path), "{path}: {:?}", seen.keys());
    }
    let contract = world.get("/console/openapi.yaml").send().await;
    assert_eq!(contract.body, include_str!("../../../openapi.yaml"));
}

#[tokio::test]
async fn other_hosts_get_nothing_and_other_paths_a_gateways_answer() {
    let world = World::start().await;
    for host in ["example.com", "localhost.example.com:3000", "192.0.2.1:3000"] {
        for path in ["/", USERS, "/console/openapi.yaml", "/console/nothing"] {
            let answer = world.get(path).header("host", host).send().await;
            assert_eq!(answer.status, 403, "{host} {path} {answer:?}");
            assert!(answer.body.starts_with("The console answers this machine alone"), "{answer:?}");
        }
    }
    for (method, path) in [
        (Method::POST, "/"),
        (Method::HEAD, "/"),
        (Method::OPTIONS, USERS),
        (Method::DELETE, USERS),
        (Method::GET, "/nothing"),
        (Method::GET, "/console"),
        (Method::GET, "/favicon.ico"),
        (Method::POST, "/api/users/profile"),
    ] {
        let answer = world.call(method.clone(), path).send().await;
        assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(method == Method::HEAD || answer.json() == json!({ "message": "Not Found" }), "{answer:?}");
    }
    for (path, status) in [
        ("/console/nothing", 404),
        ("/console/user?id=kp_nobody", 404),
        ("/console/organization?id=org_none", 404),
        ("/console/user", 400),
        ("/console/user?id=a%20b", 400),
        ("/console/users?after=x", 400),
        ("/console/users?after=OTHER%23a+PROFILE", 400),
    ] {
        let answer = world.get(path).send().await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_kept_to_itself(path, &answer);
    }
}

#[tokio::test]
async fn any_name_is_shown_and_none_is_markup() {
    let world = World::start().await;
    let (organization, id) = ("org&\"><b>'/..%2e?", "kp&\"><i>'/..%2e?=");
    world.put_organization(organization, "<script>alert(1)</script>", "odd").await;
    let mut odd = user(id, "odd@example.com");
    odd.first_name = "<script>alert(2)</script>".parse().unwrap();
    odd.last_name = "\"onload=\"alert(3)".parse().unwrap();
    odd.preferred_email = Some("\"<script>\"@example.com".parse().unwrap());
    world.put_user(odd, &[organization]).await;
    world.associate(id, organization, "<b>C</b>").await;
    let searched = "/console/search?q=%22%3E%3Cscript%3Ealert(4)";
    for path in [ORGANIZATIONS, USERS, searched] {
        let answer = world.get(path).send().await;
        assert_kept_to_itself(path, &answer);
        assert!(answer.body.contains("&#60;script&#62;alert("), "{path}: {answer:?}");
    }
    // From the list to the user and on to the organization, by the links as they are.
    let go = async |from: &str, part: &str| {
        let addresses = addresses(&page(&world, from).await);
        addresses
            .into_iter()
            .find(|address| address.contains(part))
            .unwrap_or_else(|| panic!("{from} {part}"))
    };
    let of_the_user = go(USERS, "user?id=kp%26").await;
    let shown = page(&world, &of_the_user).await;
    for part in ["&#60;script&#62;alert(2)&#60;/script&#62;", "&#34;onload=&#34;", "&#60;b&#62;C&#60;/b&#62;"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let of_the_organization = go(&of_the_user, "organization?id=org%26").await;
    let shown = page(&world, &of_the_organization).await;
    assert!(shown.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{shown}");
    assert_eq!(go(&of_the_organization, "user?id=kp%26").await, of_the_user);
}

#[tokio::test]
async fn the_tokens_of_the_reference_are_good_for_their_role() {
    let world = World::start().await;
    let reference = page(&world, "/").await;
    let token = |role: &str| {
        let tags = tags(&reference).into_iter();
        let mut tokens = tags.filter(|tag| attribute(tag, "data-role").as_deref() == Some(role));
        format!("Bearer {}", attribute(tokens.next().unwrap(), "data-token").unwrap())
    };
    let profile = |bearer| world.get("/api/users/profile").bearer(bearer).send();
    profile(token("Customer")).await.assert_ok(200);
    profile(token("Admin")).await.assert_problem(403);
    let organizations = world.get("/api/users/organizations").bearer(token("Admin")).send().await;
    assert_eq!(organizations.assert_ok(200)["Organizations"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_first_page_has_a_command_for_each_endpoint() {
    let world = World::start().await;
    let commands = page(&world, "/").await;
    for endpoint in crate::harness::ENDPOINTS {
        let url = format!("http://{}{}", world.system.api_address, endpoint.path);
        let ends = [" ", "?", "&#34;"].map(|end| format!("{url}{end}"));
        let matching: usize = ends.iter().map(|called| commands.matches(called).count()).sum();
        assert_eq!(matching, 1, "{url}: {commands}");
    }
}

#[tokio::test]
async fn the_last_hundred_requests_are_shown_newest_first() {
    let world = World::start().await;
    assert!(page(&world, REQUESTS).await.contains("The API was not asked yet."));
    world.get("/api/users/exists?Email=jane%40example.com").send().await.assert_ok(200);
    let organizations = world.get("/api/users/organizations").bearer(world.bearer("Admin", JANE, ACME));
    organizations.send().await.assert_ok(200);
    world.get("/nothing?secret=1").send().await;
    let shown = page(&world, REQUESTS).await;
    let rows: Vec<_> = shown.split("<tr role=\"row\">").skip(2).collect();
    assert_eq!(rows.len(), 3, "{shown}");
    for (row, parts) in rows.iter().zip([
        ["GET /nothing<", ">404<", ">none<"],
        ["GET /api/users/organizations<", ">200<", ">Query\u{a0}×\u{a0}1, BatchGetItem\u{a0}×\u{a0}1<"],
        ["GET /api/users/exists<", ">200<", ">UpdateItem\u{a0}×\u{a0}1, GetItem\u{a0}×\u{a0}1<"],
    ]) {
        assert!(parts.iter().all(|part| row.contains(part)), "{parts:?}: {row}");
        assert!(row.contains(" ms<") && row.contains("2026-01-02 03:04:05 UTC"), "{row}");
    }
    assert!(!shown.contains("secret") && !shown.contains("jane"), "{shown}");
    for n in 0..110 {
        world.get(&format!("/n{n}")).send().await;
    }
    let shown = page(&world, REQUESTS).await;
    assert_eq!(shown.matches("GET /n").count(), 100, "{shown}");
    assert!(shown.find("GET /n109<").unwrap() < shown.find("GET /n10<").unwrap());
}

#[tokio::test]
async fn the_limiters_state_is_what_the_limiter_says() {
    let world = World::start().await;
    assert!(page(&world, RATE_LIMITS).await.contains("No client was counted lately."));
    let look_up = || world.get("/api/users/exists?Email=jane%40example.com").send();
    for _ in 0..4 {
        look_up().await.assert_ok(200);
    }
    let shown = page(&world, RATE_LIMITS).await;
    assert!(shown.contains("127.0.0.1") && shown.contains(">4 of 10<") && shown.contains(">now<"), "{shown}");
    world.clock.advance(Duration::from_secs(20));
    for _ in 0..6 {
        look_up().await.assert_ok(200);
    }
    assert_eq!(look_up().await.header("retry-after"), Some("40"));
    let shown = page(&world, RATE_LIMITS).await;
    assert!(shown.contains(">10 of 10<"), "{shown}");
    assert!(shown.contains(">in 40 s, at 2026-01-02 03:05:05 UTC<"), "{shown}");
    world.clock.advance(Duration::from_secs(40));
    let shown = page(&world, RATE_LIMITS).await;
    assert!(shown.contains(">6 of 10<") && shown.contains(">now<"), "{shown}");
}

#[tokio::test]
async fn a_user_is_shown_with_all_that_belongs_to_it_but_never_a_hash() {
    let world = World::start().await;
    let body = json!({ "FirstName": "Ada", "LastName": "Lovelace", "Email": "ada@example.com", "Password": "another password" });
    world.create(ACME, &body).await.assert_ok(201);
    let ada = world.user_id_of("ada@example.com").await.unwrap();
    let shown = user_page(&world, &ada).await;
    assert!(shown.contains("<dt>Has a password</dt><dd>yes</dd>"), "{shown}");
    assert!(!shown.contains("argon2") && !shown.contains("another password"), "{shown}");
    assert!(user_page(&world, JOHN).await.contains("<dt>Has a password</dt><dd>no</dd>"));
    // An association stands without a membership too, on both pages.
    world.associate(&ada, GLOBEX, "C-31337").await;
    let shown = user_page(&world, &ada).await;
    assert!(shown.contains("C-31337") && shown.contains("Acme Corp") && shown.contains("Globex"), "{shown}");
    let shown = page(&world, &format!("/console/organization?id={GLOBEX}")).await;
    assert!(
        shown.contains("C-31337") && shown.contains("Ada Lovelace") && shown.contains("no member"),
        "{shown}"
    );
    assert_eq!(found(&world, "ADA%40example.com").await, Some(format!("/console/user?id={ada}")));
    assert_eq!(found(&world, &format!("+{JANE}+")).await, Some(format!("/console/user?id={JANE}")));
    assert_eq!(found(&world, ACME).await, Some(format!("/console/organization?id={ACME}")));
    assert_eq!(found(&world, "nobody%40example.com").await, None);
    assert_eq!(found(&world, "").await, None);
    // Two of one id: the reader chooses.
    world.put_organization(JOHN, "Of John's id", "john").await;
    let both = page(&world, &format!("/console/search?q={JOHN}")).await;
    assert!(both.contains("John Doe") && both.contains("Of John"), "{both}");
}

#[tokio::test]
async fn lists_show_each_row_once_and_name_broken_items() {
    let world = World::start().await;
    let users: BTreeSet<_> = (0..118).map(|n| format!("kp_{n:03}")).collect();
    for id in &users {
        world.put_user(user(id, &format!("{id}@example.com")), &[ACME]).await;
    }
    world.put_item(&json!({ "PK": { "S": "USER#kp_broken" }, "SK": { "S": "PROFILE" } })).await;
    for (path, all) in [
        (USERS.to_owned(), &[JANE, JOHN][..]),
        (format!("/console/organization?id={ACME}"), &[JANE, JOHN][..]),
    ] {
        let (mut seen, mut sizes, mut broken) = (BTreeSet::new(), Vec::new(), 0);
        let mut next = Some(path);
        while let Some(path) = next {
            let shown = page(&world, &path).await;
            let rows =
                shown.split("<th role=\"rowheader\"").skip(1).map(|row| row.split("</th>").next().unwrap());
            let ids: Vec<_> = rows.flat_map(addresses).collect();
            sizes.push(ids.len());
            for id in ids {
                assert!(seen.insert(id.clone()), "{id} twice");
            }
            broken += shown.matches("An item cannot be read").count();
            next = rest(&shown);
            assert_eq!(next.is_none(), shown.contains("That is the end of it."));
        }
        let all = users.iter().map(String::as_str).chain(all.iter().copied());
        assert_eq!(seen, all.map(|id| format!("/console/user?id={id}")).collect::<BTreeSet<_>>());
        assert_eq!(sizes, [50, 50, 20]);
        assert!(broken >= 1);
    }
}
