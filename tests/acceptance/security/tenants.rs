//! Tenants: two organizations whose ids look alike and users in one, both or none of them. Every
//! endpoint is asked by every caller about every user, and every answer held against the reference
//! [`Model`]. Of whom a caller's organization does not
//! know, the answer, its headers and the calls to the table are those of a user who does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use operator::table::CallObserver;
use serde_json::{Value, json};
use shared::App;
use users::local::ENDPOINTS;

use crate::endpoints::{Row, row, rows};
use crate::harness::reference::{Account, Due, Membership, Model, pair};
use crate::harness::{Answer, Invocation, World, endpoint, text, warm_up};
use crate::security::policies::Policies;

/// Two organizations that are there, and one that is not.
struct Organizations {
    a: &'static str,
    b: &'static str,
    missing: &'static str,
}

/// Ids of which one begins with another, that differ in case, and that are words of the table's keys.
const LOOK_ALIKES: [Organizations; 3] = [
    Organizations { a: "org_a", b: "org_a1", missing: "org_" },
    Organizations { a: "org_a", b: "ORG_A", missing: "Org_a" },
    Organizations { a: "MEMBERSHIP", b: "CUSTOMER", missing: "PROFILE" },
];

/// Where users live who are neither in A nor in B.
const ELSEWHERE: &str = "org_elsewhere";

/// When everybody joined.
const JOINED_AT: &str = "2026-01-01T00:00:00Z";

#[derive(Clone)]
struct Caller {
    role: &'static str,
    user: String,
    organization: String,
}

/// A right request; its one input is a user's id or an e-mail address.
#[derive(Clone)]
enum Request {
    Create(String),
    Profile,
    Exists(String),
    Organizations,
    /// Of an endpoint that is about the user in its query.
    About(&'static Row, String),
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (query, body) = self.input(&json!({}));
        write!(f, "{} {query} {}", self.route(), body.unwrap_or_default())
    }
}

/// What is due by the reference model, which changes as the service does; a new account gets the id.
fn due(model: &mut Model, caller: &Caller, request: &Request, new_id: &str) -> Due {
    let role = match request {
        Request::Exists(email) => return (200, json!({ "UserExists": model.exists(email) })),
        Request::Profile => "Customer",
        Request::About(row, _) => row.role.unwrap(),
        Request::Create(_) | Request::Organizations => "Admin",
    };
    if caller.role != role {
        return (403, Value::Null);
    }
    let Caller { user, organization, .. } = caller;
    match request {
        Request::Exists(_) => unreachable!(),
        Request::Profile => model.profile(user, organization),
        Request::Organizations => model.organizations_of(user, None),
        Request::About(row, target) => row.about.unwrap()(model, target, organization),
        Request::Create(email) => {
            let membership = Membership { added_by: user.clone(), joined_at: JOINED_AT.into() };
            let new = || {
                let account = Account {
                    first_name: "New".into(),
                    last_name: "One".into(),
                    email: email.clone(),
                    has_password: true,
                    ..Account::default()
                };
                (new_id.into(), account)
            };
            model.create(organization, email, membership, new)
        }
    }
}

impl Request {
    fn invocation(&self) -> Invocation {
        self.with("", &json!({}))
    }

    /// The request with more parameters in its query and more members in its body.
    fn with(&self, query: &str, members: &Value) -> Invocation {
        let (input, body) = self.input(members);
        let invocation = Invocation::of(endpoint(self.route())).query(&format!("{input}&{query}"));
        match body {
            Some(body) => invocation.body(&body),
            None => invocation,
        }
    }

    /// Its query, and its body with more members.
    fn input(&self, members: &Value) -> (String, Option<String>) {
        match self {
            Self::Profile | Self::Organizations => (String::new(), None),
            Self::Exists(email) => (format!("Email={email}"), None),
            Self::About(_, user) => (format!("UserId={user}"), None),
            Self::Create(email) => {
                let mut body = json!({
                    "FirstName": "New", "LastName": "One", "Email": email, "Password": "SecurePass123!",
                });
                body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
                (String::new(), Some(body.to_string()))
            }
        }
    }

    fn route(&self) -> &'static str {
        match self {
            Self::Create(_) => "POST /api/users",
            Self::Profile => "GET /api/users/profile",
            Self::Exists(_) => "GET /api/users/exists",
            Self::Organizations => "GET /api/users/organizations",
            Self::About(row, _) => row.route,
        }
    }
}

/// What a caller can see of a request: the answer, and by the calls to the table the time it took.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    calls: Vec<String>,
}

/// A world with the functions of one instance, whose calls to the table are written down.
struct Tenants {
    world: World,
    model: Model,
    apps: BTreeMap<&'static str, Arc<App>>,
    calls: Arc<Mutex<Vec<String>>>,
    /// The table's items when they were last compared.
    known: BTreeSet<String>,
}

impl Tenants {
    /// Organizations with users of every combination of memberships and associations in A and B. Each
    /// user's id begins with the ids of those before.
    async fn start(Organizations { a, b, .. }: &Organizations) -> Self {
        let world = World::start().await;
        let mut model = Model::default();
        for id in [a, b, ELSEWHERE] {
            model.organizations.insert(id.into(), (format!("Name of {id}"), "slug".into()));
        }
        for bits in 0..16 {
            let has = |bit: usize| bits >> bit & 1 == 1;
            let id = format!("kp_{}", "u".repeat(bits + 1));
            let email = format!("{id}@example.com");
            let account = Account {
                first_name: format!("First{bits}"),
                last_name: "One".into(),
                email: email.clone(),
                preferred_email: has(3).then(|| format!("preferred_{id}@example.com")),
                phone_number: has(1).then(|| "911".to_owned()),
                created_by: "kp_operator".into(),
                created_at: JOINED_AT.into(),
                ..Account::default()
            };
            model.add_account(&email, &id, account);
            let membership = || Membership { added_by: "kp_operator".into(), joined_at: JOINED_AT.into() };
            for (there, organization) in [(has(0), *a), (has(1), *b), (!has(0) && !has(1), ELSEWHERE)] {
                if there {
                    model.memberships.insert(pair(&id, organization), membership());
                }
            }
            // What a stranger has elsewhere is nobody's business either.
            for (there, organization) in [(true, ELSEWHERE), (has(2), *a), (has(3), *b)] {
                if there {
                    let number = format!("C-{organization}-{bits}");
                    model.associations.insert(pair(&id, organization), number);
                }
            }
        }
        // Put there past the code.
        for items in model.items().chunks(25) {
            let puts: Vec<_> = items.iter().map(|item| json!({ "PutRequest": { "Item": item } })).collect();
            let input = json!({ "RequestItems": { world.table().name(): puts } });
            assert_eq!(world.dynamodb("BatchWriteItem", &input).await["UnprocessedItems"], json!({}));
        }
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let mut apps = BTreeMap::new();
        for endpoint in ENDPOINTS {
            let log = calls.clone();
            let observer: CallObserver = Arc::new(move |operation: &str, body: &[u8]| {
                Policies::of_the_template().assert_allowed(endpoint.name, operation, body);
                log.lock().unwrap().push(operation.to_owned());
            });
            let settings = [
                ("PASSWORD_HASH_MEMORY_KIB", "8"),
                ("PASSWORD_HASH_ITERATIONS", "1"),
                ("EXISTS_LIMIT_REQUESTS", "50"),
            ];
            let app = world.app_observed(&observer, &settings);
            if endpoint.takes_token() {
                warm_up(&app).await;
            }
            apps.insert(endpoint.name, app);
        }
        calls.lock().unwrap().clear();
        let mut tenants = Self { world, model, apps, calls, known: BTreeSet::new() };
        tenants.known = tenants.items().await;
        tenants
    }

    /// Every user's id, and at last one that nobody has.
    fn targets(&self) -> Vec<String> {
        self.model.accounts.keys().cloned().chain(["kp_".to_owned()]).collect()
    }

    fn email_of(&self, user: &str) -> String {
        self.model.accounts.get(user).map_or(format!("{user}@example.com"), |account| account.email.clone())
    }

    async fn send(&self, caller: &Caller, route: &str, invocation: Invocation) -> (Answer, Vec<String>) {
        let bearer = self.world.bearer(caller.role, &caller.user, &caller.organization);
        let app = &self.apps[endpoint(route).name];
        let answer = invocation.bearer(&bearer).answer(app).await;
        answer.assert_well_formed();
        (answer, std::mem::take(&mut *self.calls.lock().unwrap()))
    }

    /// Asks, and holds the answer against the model.
    async fn ask(&self, caller: &Caller, request: &Request) -> Seen {
        self.ask_by(caller, request, request.invocation()).await
    }

    /// The same of an invocation that is to come to nothing else than the request.
    async fn ask_by(&self, caller: &Caller, request: &Request, invocation: Invocation) -> Seen {
        let (answer, calls) = self.send(caller, request.route(), invocation).await;
        let (status, body) = due(&mut self.model.clone(), caller, request, "kp_new");
        let Caller { role, user, organization } = caller;
        let asked = format!("{request:?} by {role} {user} of {organization}");
        assert_eq!(answer.status, status, "{asked}: {answer:?}");
        match body {
            Value::Null => answer.assert_problem(status),
            body => assert_eq!(answer.json(), body, "{asked}"),
        }
        let headers =
            answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
        Seen { status, headers: headers.collect(), body: answer.body.clone(), calls }
    }

    /// Creates an account, or a membership of the one that is there, and holds all of the table
    /// against what the document has change.
    async fn create(&mut self, caller: &Caller, target: &str, invocation: impl Fn(&Request) -> Invocation) {
        let email = self.email_of(target);
        let request = Request::Create(email.clone());
        self.ask_by(caller, &request, invocation(&request)).await;

        let id = self.world.user_id_of(&email).await.unwrap();
        let known = self.model.items();
        due(&mut self.model, caller, &request, &id);
        let added = self.model.items().into_iter().filter(|item| !known.contains(item));
        let expected: BTreeSet<_> = added.map(|item| (text(&item, "PK"), text(&item, "SK"))).collect();
        let after = self.items().await;
        let before = std::mem::replace(&mut self.known, after.clone());
        assert_eq!(before.difference(&after).collect::<Vec<_>>(), [""; 0], "something was changed");
        let added = after.difference(&before).map(|item| {
            let item: Value = serde_json::from_str(item).unwrap();
            if item.get("AddedBy").is_some() {
                assert_eq!(text(&item, "AddedBy"), caller.user);
            }
            (text(&item, "PK"), text(&item, "SK"))
        });
        assert_eq!(added.collect::<BTreeSet<_>>(), expected, "{target}");
    }

    /// Fails where the table is not what it was.
    async fn assert_nothing_written(&self) {
        assert_eq!(self.items().await, self.known);
    }

    async fn items(&self) -> BTreeSet<String> {
        self.world.items().await.iter().map(ToString::to_string).collect()
    }
}

fn caller(role: &'static str, user: &str, organization: &str) -> Caller {
    Caller { role, user: user.into(), organization: organization.into() }
}

/// The rows of the endpoints that are about the user in their query.
fn rows_about() -> impl Iterator<Item = &'static Row> {
    rows().iter().filter(|row| row.about.is_some())
}

/// A request of a function about a user.
fn about(function: &str, user: &str) -> Request {
    Request::About(row(function), user.into())
}

/// Callers: in A, in B, in both, in neither, nowhere.
const SOME_USERS: [&str; 5] = ["kp_uu", "kp_uuu", "kp_uuuu", "kp_u", "kp_"];

/// A member of B with a customer number there, of whom A does not know.
const STRANGER: &str = "kp_uuuuuuuuuuu";

#[tokio::test]
async fn callers_see_what_the_document_gives_and_no_stranger() {
    // It is the organization that counts, so one user stands for the others after the first time.
    for (organizations, users) in
        LOOK_ALIKES.iter().zip([&SOME_USERS[..], &SOME_USERS[..1], &SOME_USERS[..1]])
    {
        let tenants = Tenants::start(organizations).await;
        for organization in [organizations.a, organizations.b, organizations.missing] {
            let nobodys_profile =
                tenants.ask(&caller("Customer", "kp_", organization), &Request::Profile).await;
            for user in tenants.targets() {
                let customer = caller("Customer", &user, organization);
                let profile = tenants.ask(&customer, &Request::Profile).await;
                if !tenants.model.memberships.contains_key(&pair(&user, organization)) {
                    assert_eq!(profile, nobodys_profile, "{user} {organization}");
                }
                let admin = caller("Admin", &user, organization);
                tenants.ask(&admin, &Request::Organizations).await;
                if user == STRANGER {
                    tenants.ask(&admin, &Request::Profile).await;
                    tenants.ask(&customer, &Request::Organizations).await;
                }
            }
            let admins = users.iter().map(|user| caller("Admin", user, organization));
            for caller in &admins.chain([caller("Customer", "kp_uu", organization)]).collect::<Vec<_>>() {
                for row in rows_about() {
                    let request = |user: String| Request::About(row, user);
                    let nobody = tenants.ask(caller, &request("kp_".into())).await;
                    let of_role = |target: &String| caller.role == "Admin" || target == STRANGER;
                    for target in tenants.targets().into_iter().filter(of_role) {
                        let seen = tenants.ask(caller, &request(target.clone())).await;
                        if caller.role == "Customer" || !tenants.model.knows(organization, &target) {
                            assert_eq!(seen, nobody, "{target} {organization}");
                        }
                    }
                }
            }
        }
        tenants.assert_nothing_written().await;
    }
}

#[tokio::test]
async fn an_admin_of_a_missing_organization_learns_of_no_account() {
    for organizations in &LOOK_ALIKES {
        let tenants = Tenants::start(organizations).await;
        for (role, organization) in [
            ("Admin", organizations.missing),
            ("Customer", organizations.missing),
            ("Customer", organizations.a),
        ] {
            let caller = caller(role, "kp_uu", organization);
            let nobody = tenants.ask(&caller, &Request::Create(tenants.email_of("kp_"))).await;
            for target in tenants.targets() {
                let seen = tenants.ask(&caller, &Request::Create(tenants.email_of(&target))).await;
                assert_eq!(seen, nobody, "{target}");
            }
        }
        tenants.assert_nothing_written().await;
    }
}

#[tokio::test]
async fn the_public_look_up_makes_the_same_calls_for_any_address() {
    let tenants = Tenants::start(&LOOK_ALIKES[0]).await;
    let nobody = caller("", "", "");
    let mut calls = BTreeSet::new();
    for target in tenants.targets() {
        calls.insert(tenants.ask(&nobody, &Request::Exists(tenants.email_of(&target))).await.calls);
    }
    assert_eq!(calls.len(), 1, "{calls:?}");
}

#[tokio::test]
async fn an_admin_changes_only_the_own_organizations_members() {
    let Organizations { a, b, .. } = LOOK_ALIKES[0];
    let mut tenants = Tenants::start(&LOOK_ALIKES[0]).await;
    for (user, organization) in [("kp_uu", a), ("kp_uuu", a), ("kp_", b)] {
        let admin = caller("Admin", user, organization);
        for target in tenants.targets() {
            tenants.create(&admin, &target, Request::invocation).await;
        }
    }
}

#[tokio::test]
async fn no_input_of_an_admin_reaches_into_another_organization() {
    for organizations in &LOOK_ALIKES {
        let Organizations { a, b, .. } = organizations;
        let mut tenants = Tenants::start(organizations).await;
        assert!(tenants.model.knows(b, STRANGER) && !tenants.model.knows(a, STRANGER));
        let queries = [
            format!("OrganizationId={b}"),
            format!("organizationId={b}&OrganizationId={a}&OrganizationId={b}"),
            format!("Organization={b}&OrgCode={b}&tenant={b}&sub={STRANGER}&Email={STRANGER}@example.com"),
        ];
        let members = [
            json!({ "OrganizationId": b }),
            json!({ "UserId": STRANGER, "Id": STRANGER, "id": STRANGER }),
            json!({ "Organizations": [b], "Memberships": [{ "OrganizationId": b }], "CustomerNumber": "C-1" }),
            json!({ "PK": format!("USER#{STRANGER}"), "SK": format!("MEMBERSHIP#{b}"), "Role": "Admin" }),
            json!({ "AddedBy": STRANGER, "CreatedBy": STRANGER, "PreferredEmail": "new@example.com" }),
        ];
        let reads = [Request::Profile, Request::Organizations].into_iter().chain(
            rows_about().flat_map(|row| [STRANGER, "kp_uu"].map(|user| Request::About(row, user.into()))),
        );
        for request in reads {
            let role = if matches!(request, Request::Profile) { "Customer" } else { "Admin" };
            let caller = caller(role, "kp_uu", a);
            let plain = tenants.ask(&caller, &request).await;
            for query in &queries {
                let header =
                    |invocation: Invocation| invocation.header("x-organization-id", b).header("tenant", b);
                let by = header(request.with(query, &json!({})))
                    .body(&members[0].to_string())
                    .part("queryStringParameters", json!({ "OrganizationId": b, "UserId": STRANGER }));
                assert_eq!(tenants.ask_by(&caller, &request, by).await, plain, "{query}");
            }
        }
        let admin = caller("Admin", "kp_uu", a);
        let malformed = [
            format!("{STRANGER}%23MEMBERSHIP%23{b}"),
            format!("USER%23{STRANGER}"),
            format!("{STRANGER}%00"),
            format!("{STRANGER}%20"),
            format!("kp_uu&UserId={STRANGER}"),
        ];
        let nobodys =
            [format!("{STRANGER},kp_uu"), STRANGER.to_uppercase(), "*".to_owned(), "kp_%25".to_owned()];
        for row in rows_about() {
            for id in &malformed {
                let request = Request::About(row, id.clone());
                let (answer, _) = tenants.send(&admin, row.route, request.invocation()).await;
                assert_eq!(answer.status, 400, "{id}");
            }
            for id in &nobodys {
                tenants.ask(&admin, &Request::About(row, id.clone())).await;
            }
        }
        tenants.assert_nothing_written().await;

        for members in &members {
            for target in [STRANGER, "kp_", "kp_uu"] {
                tenants.create(&admin, target, |request| request.with(&queries[0], members)).await;
            }
        }
    }
}

#[tokio::test]
async fn creating_another_organizations_account_shows_four_fields() {
    let Organizations { a, b, .. } = &LOOK_ALIKES[0];
    let mut tenants = Tenants::start(&LOOK_ALIKES[0]).await;
    let (admin, other) = (caller("Admin", "kp_uu", a), caller("Admin", "kp_uuu", b));
    let in_a = caller("Customer", STRANGER, a);
    let secrets = [
        tenants.model.accounts[STRANGER].preferred_email.clone().unwrap(),
        STRANGER.to_owned(),
        tenants.model.associations[&pair(STRANGER, b)].clone(),
    ];
    let views = ["get-customer-association", "list-customer-associations"];
    let views = views.map(|function| about(function, STRANGER));
    let mut of_other = Vec::new();
    for request in &views {
        of_other.push(tenants.ask(&other, request).await);
    }
    assert_eq!(tenants.ask(&admin, &views[1]).await.body, "[]");
    assert_eq!(tenants.ask(&in_a, &Request::Profile).await.status, 404);

    let request = Request::Create(tenants.email_of(STRANGER));
    let seen = tenants.ask(&admin, &request).await;
    let fields: BTreeMap<String, Value> = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["Email", "FirstName", "LastName", "PhoneNumber"]);
    for secret in secrets {
        // The address begins with the id.
        let told = format!("{seen:?}").replace(&tenants.email_of(STRANGER), "");
        assert!(!told.contains(&secret), "{secret}: {told}");
    }
    tenants.model.memberships.insert(pair(STRANGER, a), Membership::default());

    // A's Admins now see what the document gives of a member; of B's own record still nothing.
    assert_eq!(tenants.ask(&admin, &views[0]).await.status, 404);
    let numbers = tenants.ask(&admin, &views[1]).await;
    assert!(numbers.body.contains(*b) && numbers.body.contains(ELSEWHERE), "{numbers:?}");
    assert_eq!(tenants.ask(&in_a, &Request::Profile).await.status, 200);
    for (request, before) in views.iter().zip(&of_other) {
        assert_eq!(tenants.ask(&other, request).await, *before, "B sees what it saw");
    }
}

#[tokio::test]
async fn the_size_and_state_of_a_strangers_data_show_to_nobody() {
    let organizations = &LOOK_ALIKES[0];
    let mut tenants = Tenants::start(organizations).await;
    let many: Vec<_> = (0..600).map(|n| format!("org_b{n:03}")).collect();
    let partition = format!("USER#{STRANGER}");
    tenants.world.multiply(&partition, &format!("CUSTOMER#{ELSEWHERE}"), ELSEWHERE, &many).await;
    tenants.world.assert_more_than_one_page(&partition).await;
    let broken = json!({ "PK": { "S": "USER#kp_uuu" }, "SK": { "S": "CUSTOMER#org_0" } });
    tenants.world.put_item(&broken).await;

    let admin = caller("Admin", "kp_uu", organizations.a);
    let associations = |user: &str| about("list-customer-associations", user);
    let nobody = tenants.ask(&admin, &associations("kp_")).await;
    for stranger in ["kp_uuu", STRANGER] {
        assert_eq!(tenants.ask(&admin, &associations(stranger)).await, nobody);
    }
    // Who is known by what lies on a later page is known.
    let numbers = many.into_iter().map(|id| (pair(STRANGER, &id), format!("C-{id}-10")));
    tenants.model.associations.extend(numbers);
    let in_b = caller("Admin", "kp_uuu", organizations.b);
    tenants.ask(&in_b, &associations(STRANGER)).await;
}
