//! Random interleavings of all operations, the command line's among them, held against the
//! [reference model](crate::harness::reference).
//!
//! What clients did is explained by an order of their operations, each between its start and its end,
//! in which the model gives every answer and comes to hold the very items of the table
//! (linearizability: Herlihy and Wing, 1990). Of one client there is one such order.
//!
//! From several clients at once some things are left out: steps of the clock, which a creation reads
//! before it writes; `GET /api/users/organizations`, whose two reads are of two moments; and changes of
//! an address and deletions, which [`address_changes`](super::address_changes) puts between any two calls.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use operator::table::{ChangeOutcome, DeleteOutcome, UserChanges};
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::clock::Timestamp;
use shared::model::User;
use shared::table::{CreateOutcome, NewMembership};
use users::local::TokenClaims;

use crate::harness::property;
use crate::harness::reference::{self, Account, HASH, Membership, Pair, pair};
use crate::harness::{self, ACME, Client, GLOBEX, JANE, JOHN, START, World, text};
use crate::tooling::command_line;

/// An e-mail address in its normalized form, and spellings of it.
struct Address {
    normalized: &'static str,
    spellings: [&'static str; 3],
}

/// Those of the demo users, one that is nearly another's, and ones that case, normal form and
/// punycode spell.
const ADDRESSES: [Address; 5] = [
    Address {
        normalized: "jane@example.com",
        spellings: ["jane@example.com", "JANE@Example.COM", " Jane@example.com "],
    },
    Address {
        normalized: "john@example.com",
        spellings: ["john@example.com", "John@EXAMPLE.com", "JOHN@example.com\t"],
    },
    Address {
        normalized: "john+tag@example.com",
        spellings: ["john+tag@example.com", "John+Tag@example.com", "JOHN+TAG@EXAMPLE.COM"],
    },
    Address {
        normalized: "zo\u{eb}@xn--bcher-kva.example",
        spellings: [
            "zo\u{eb}@b\u{fc}cher.example",
            "ZO\u{cb}@XN--BCHER-KVA.EXAMPLE",
            "zoe\u{308}@b\u{dc}CHER.example",
        ],
    },
    Address {
        normalized: "zoe@xn--bcher-kva.example",
        spellings: ["zoe@b\u{fc}cher.example", "Zoe@xn--bcher-kva.example", "zoe@bu\u{308}cher.example"],
    },
];

/// The demo organizations, and ones that are not there until they are put.
const ORGANIZATIONS: [&str; 4] = [ACME, GLOBEX, "org_later", "org_last"];

/// Of [`ADDRESSES`], and of its spellings.
type Email = (usize, usize);

/// What a client does. A user is meant by its address; where that has no account, one that does not
/// exist is meant.
#[derive(Clone, Debug)]
enum Operation {
    Create {
        organization: usize,
        email: Email,
        phone: bool,
        password: bool,
    },
    /// Another address for an account.
    Readdress {
        user: usize,
        email: Email,
    },
    Delete {
        user: usize,
    },
    /// An account with a preferred address, put past the API, which cannot make one.
    Import {
        organization: usize,
        email: Email,
    },
    Profile {
        user: usize,
        organization: usize,
    },
    Exists {
        email: Email,
    },
    Organizations {
        user: usize,
        claim: Option<Email>,
    },
    Association {
        user: usize,
        organization: usize,
    },
    Associations {
        user: usize,
        organization: usize,
    },
    PutOrganization {
        organization: usize,
    },
    GetOrganization {
        organization: usize,
    },
    ListOrganizations,
    Associate {
        user: usize,
        organization: usize,
    },
    Dissociate {
        user: usize,
        organization: usize,
    },
    GetUser {
        user: usize,
    },
    FindUser {
        email: Email,
    },
    CreateTable,
    StepClock {
        seconds: i64,
    },
}

use Operation::{
    Associate, Association, Associations, Create, CreateTable, Delete, Dissociate, Exists, FindUser,
    GetOrganization, GetUser, Import, ListOrganizations, Organizations, Profile, PutOrganization, Readdress,
    StepClock,
};

/// A status code of the API, an exit status of the command line; and what came with it, `null` for
/// an error.
type Answer = (i32, Value);

/// An operation that has ended.
#[derive(Debug)]
struct Done {
    operation: Operation,
    /// Different for each; what it writes names it.
    number: usize,
    /// The id of the user that was meant.
    user: String,
    /// The id of the account that was made.
    new_id: Option<String>,
    started: usize,
    ended: usize,
    answer: Answer,
}

fn operations(at_once: bool) -> BoxedStrategy<Operation> {
    // At once: few addresses and organizations, so that they meet.
    let addresses = if at_once { 1..4_usize } else { 0..ADDRESSES.len() };
    let user = addresses.clone();
    let organization = if at_once { 1..3_usize } else { 0..ORGANIZATIONS.len() };
    let email = (addresses, 0..3_usize);
    let both = (user.clone(), organization.clone());
    let any_time = prop_oneof![
        12 => (organization.clone(), email.clone(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(organization, email, phone, password)| Create { organization, email, phone, password }
        ),
        2 => (organization.clone(), email.clone())
            .prop_map(|(organization, email)| Import { organization, email }),
        4 => both.clone().prop_map(|(user, organization)| Profile { user, organization }),
        4 => email.clone().prop_map(|email| Exists { email }),
        3 => both.clone().prop_map(|(user, organization)| Association { user, organization }),
        4 => both.clone().prop_map(|(user, organization)| Associations { user, organization }),
        2 => organization.clone().prop_map(|organization| PutOrganization { organization }),
        1 => organization.prop_map(|organization| GetOrganization { organization }),
        1 => Just(ListOrganizations),
        3 => both.clone().prop_map(|(user, organization)| Associate { user, organization }),
        2 => both.prop_map(|(user, organization)| Dissociate { user, organization }),
        1 => user.clone().prop_map(|user| GetUser { user }),
        1 => email.clone().prop_map(|email| FindUser { email }),
    ];
    if at_once {
        return any_time.boxed();
    }
    prop_oneof![
        40 => any_time,
        4 => (user.clone(), prop::option::of(email.clone()))
            .prop_map(|(user, claim)| Organizations { user, claim }),
        6 => (user.clone(), email).prop_map(|(user, email)| Readdress { user, email }),
        3 => user.prop_map(|user| Delete { user }),
        4 => prop::sample::select(vec![-59, -1, 1, 10, 59, 60, 61]).prop_map(|seconds| StepClock { seconds }),
        1 => Just(CreateTable),
    ]
    .boxed()
}

/// A client at work.
struct Worker<'a> {
    world: &'a World,
    client: Client,
    number: usize,
}

impl Worker<'_> {
    async fn run(self, operations: Vec<Operation>, ticks: &AtomicUsize) -> Vec<Done> {
        let mut done = Vec::new();
        for operation in operations {
            let number = self.number * 1000 + done.len();
            let user = match &operation {
                Profile { user, .. }
                | Organizations { user, .. }
                | Association { user, .. }
                | Associations { user, .. }
                | Associate { user, .. }
                | Dissociate { user, .. }
                | Readdress { user, .. }
                | Delete { user }
                | GetUser { user } => self.world.user_id_of(ADDRESSES[*user].normalized).await,
                _ => None,
            };
            let user = user.unwrap_or_else(|| "kp_none".to_owned());
            let started = ticks.fetch_add(1, Ordering::SeqCst);
            let answer = self.perform(&operation, number, &user).await;
            // Nobody else gives an address away meanwhile.
            let new_id = match operation {
                Create { email, .. } if answer.0 == 201 => self.world.user_id_of(normalized(email)).await,
                _ => None,
            };
            let ended = ticks.fetch_add(1, Ordering::SeqCst);
            done.push(Done { operation, number, user, new_id, started, ended, answer });
        }
        done
    }

    async fn perform(&self, operation: &Operation, number: usize, user: &str) -> Answer {
        let (name, slug) = (format!("Name {number}"), format!("slug-{number}"));
        match operation {
            Create { organization, email, phone, password } => {
                let mut body = json!({ "FirstName": name, "LastName": "X", "Email": spelled(*email) });
                if *phone {
                    body["PhoneNumber"] = phone_number(number).into();
                }
                if *password {
                    body["Password"] = "correct horse battery".into();
                }
                let call = self.client.post("/api/users", body.to_string());
                let admin =
                    self.world.bearer("Admin", &format!("kp_admin{number}"), ORGANIZATIONS[*organization]);
                answer(call.bearer(admin)).await
            }
            Import { organization, email } => self.import(number, *organization, *email).await,
            Readdress { email, .. } => {
                let email = Some(spelled(*email).parse().unwrap());
                let changes = UserChanges { email, ..UserChanges::default() };
                let id = user.parse().unwrap();
                let status = match self.world.table().change_user(&id, None, &changes).await.unwrap() {
                    ChangeOutcome::Changed(_) => 0,
                    ChangeOutcome::EmailTaken(_) => 1,
                    ChangeOutcome::UserMissing => 2,
                    ChangeOutcome::AddressMoved => 3,
                };
                (status, Value::Null)
            }
            Delete { .. } => {
                let id = user.parse().unwrap();
                let deleted = self.world.table().delete_personal_data(&id, None).await.unwrap();
                self.world.table().delete_traces(&id).await.unwrap();
                (i32::from(deleted != DeleteOutcome::Deleted), Value::Null)
            }
            Profile { organization, .. } => {
                let bearer = self.world.bearer("Customer", user, ORGANIZATIONS[*organization]);
                answer(self.client.get("/api/users/profile").bearer(bearer)).await
            }
            Exists { email } => {
                let email: Vec<_> = spelled(*email).bytes().map(|byte| format!("%{byte:02x}")).collect();
                let answer =
                    self.client.get(&format!("/api/users/exists?Email={}", email.concat())).send().await;
                let quota = answer.header("ratelimit").unwrap().to_owned();
                (answer.status.into(), json!([answer.json()["UserExists"], quota]))
            }
            Organizations { claim, .. } => {
                let token = self.world.token(&TokenClaims {
                    user_id: user.to_owned(),
                    organization_id: ACME.to_owned(),
                    roles: vec!["Admin".to_owned()],
                    email: claim.map(|email| spelled(email).to_owned()),
                    ..TokenClaims::default()
                });
                answer(self.client.get("/api/users/organizations").bearer(token)).await
            }
            Association { organization, .. } => {
                self.read_of_admin("customer-association", user, *organization).await
            }
            Associations { organization, .. } => {
                self.read_of_admin("customer-associations", user, *organization).await
            }
            PutOrganization { organization } => {
                let id = ORGANIZATIONS[*organization];
                self.command(&["organization", "put", "--id", id, "--name", &name, "--slug", &slug]).await
            }
            GetOrganization { organization } => {
                self.command(&["organization", "get", "--id", ORGANIZATIONS[*organization]]).await
            }
            ListOrganizations => self.command(&["organization", "list"]).await,
            Associate { organization, .. } => {
                let number = customer_number(number);
                let pair = ["--user", user, "--organization", ORGANIZATIONS[*organization]];
                self.command(&[&["customer", "associate", "--number", &number][..], &pair].concat()).await
            }
            Dissociate { organization, .. } => {
                let pair = ["--user", user, "--organization", ORGANIZATIONS[*organization]];
                self.command(&[&["customer", "dissociate"][..], &pair].concat()).await
            }
            GetUser { .. } => self.command(&["user", "get", "--id", user]).await,
            FindUser { email } => self.command(&["user", "get", "--email", spelled(*email)]).await,
            CreateTable => self.command(&["table", "create"]).await,
            StepClock { seconds } => {
                let now = self.world.clock.now().millis() + seconds * 1000;
                self.world.clock.set(Timestamp::from_millis(now));
                (0, Value::Null)
            }
        }
    }

    async fn import(&self, number: usize, organization: usize, email: Email) -> Answer {
        let user = User {
            preferred_email: Some(preferred(number).parse().unwrap()),
            phone_number: Some(phone_number(number).parse().unwrap()),
            ..harness::user(&imported(number), spelled(email))
        };
        let membership = NewMembership {
            organization_id: ORGANIZATIONS[organization].parse().unwrap(),
            added_by: imported(number).parse().unwrap(),
            joined_at: self.world.clock.now(),
        };
        let created = self.world.table().create_account(&user, None, &membership).await.unwrap();
        let status = match created {
            CreateOutcome::Created => 0,
            CreateOutcome::EmailTaken(_) => 1,
            CreateOutcome::OrganizationMissing => 2,
        };
        (status, Value::Null)
    }

    async fn read_of_admin(&self, path: &str, user: &str, organization: usize) -> Answer {
        let call = self.client.get(&format!("/api/users/{path}?UserId={user}"));
        answer(call.bearer(self.world.admin(ORGANIZATIONS[organization]))).await
    }

    async fn command(&self, arguments: &[&str]) -> Answer {
        let (url, table) = (&self.world.system.dynamodb_url, self.world.table().name());
        let to = ["--json", "--endpoint-url", url, "--table", table];
        let output = command_line::users(&[arguments, &to].concat()).await;
        let status = output.status.code().unwrap();
        (status, serde_json::from_slice(&output.stdout).unwrap_or_default())
    }
}

async fn answer(call: harness::Call) -> Answer {
    let answer = call.send().await;
    answer.assert_well_formed();
    let body = if answer.status < 400 { answer.json() } else { Value::Null };
    (answer.status.into(), body)
}

fn spelled((address, spelling): Email) -> &'static str {
    ADDRESSES[address].spellings[spelling]
}

fn phone_number(number: usize) -> String {
    format!("+{number:09}")
}

fn customer_number(number: usize) -> String {
    format!("C-{number}")
}

fn imported(number: usize) -> String {
    format!("kp_imported{number}")
}

fn preferred(number: usize) -> String {
    format!("Preferred{number}@example.com")
}

/// A time as items hold it. No test leaves its day.
fn time(millis: i64) -> String {
    let seconds = millis / 1000 - 1_767_312_000;
    format!("2026-01-02T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The reference model, with a clock and the limiter of one client.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Model {
    now: i64,
    service: reference::Model,
    /// When look-ups were admitted.
    admitted: Vec<i64>,
}

impl Model {
    /// The demo data.
    fn new() -> Self {
        let now = START.millis();
        let mut service = reference::Model::default();
        for (id, name, slug) in [(ACME, "Acme Corp", "acme-corp"), (GLOBEX, "Globex", "globex")] {
            service.organizations.insert(id.to_owned(), (name.to_owned(), slug.to_owned()));
        }
        for (id, first, last, address, phone) in
            [(JANE, "Jane", "Smith", 0, Some("561-555-1212")), (JOHN, "John", "Doe", 1, None)]
        {
            let email = ADDRESSES[address].normalized;
            let account = Account {
                first_name: first.to_owned(),
                last_name: last.to_owned(),
                email: email.to_owned(),
                phone_number: phone.map(str::to_owned),
                created_by: JANE.to_owned(),
                created_at: time(now),
                ..Account::default()
            };
            service.add_account(email, id, account);
        }
        for (user, organization) in [(JANE, ACME), (JANE, GLOBEX), (JOHN, ACME)] {
            service.memberships.insert(pair(user, organization), membership(JANE, now));
        }
        for (organization, number) in [(ACME, "C-10042"), (GLOBEX, "C-20099")] {
            service.associations.insert(pair(JANE, organization), number.to_owned());
        }
        Self { now, service, admitted: Vec::new() }
    }

    /// What the service answers.
    fn apply(&mut self, done: &Done) -> Answer {
        let Done { operation, number, user, .. } = done;
        let refused = |status| (status, Value::Null);
        let answer = |(status, body): reference::Due| (status.into(), body);
        let id = |organization: usize| ORGANIZATIONS[organization];
        let service = &mut self.service;
        match *operation {
            Create { organization, email, phone, password } => {
                let admin = format!("kp_admin{number}");
                let new = || {
                    let account = Account {
                        first_name: format!("Name {number}"),
                        last_name: "X".to_owned(),
                        email: spelled(email).trim().to_owned(),
                        preferred_email: None,
                        phone_number: phone.then(|| phone_number(*number)),
                        has_password: password,
                        created_by: admin.clone(),
                        created_at: time(self.now),
                    };
                    (done.new_id.clone().unwrap_or_default(), account)
                };
                let membership = membership(&admin, self.now);
                answer(service.create(id(organization), normalized(email), membership, new))
            }
            Import { organization, email } => {
                if service.exists(normalized(email)) {
                    return refused(1);
                }
                if !service.organizations.contains_key(id(organization)) {
                    return refused(2);
                }
                let user = imported(*number);
                let account = Account {
                    first_name: "Some".to_owned(),
                    last_name: "One".to_owned(),
                    email: spelled(email).trim().to_owned(),
                    preferred_email: Some(preferred(*number)),
                    phone_number: Some(phone_number(*number)),
                    has_password: false,
                    created_by: user.clone(),
                    created_at: time(self.now),
                };
                service.add_account(normalized(email), &user, account);
                service.memberships.insert(pair(&user, id(organization)), membership(&user, self.now));
                refused(0)
            }
            Readdress { email, .. } => {
                if !service.accounts.contains_key(user) {
                    return refused(2);
                }
                if service.claims.get(normalized(email)).is_some_and(|holder| holder != user) {
                    return refused(1);
                }
                service.readdress(user, normalized(email), spelled(email).trim());
                refused(0)
            }
            Delete { .. } => refused(i32::from(!service.delete(user))),
            Profile { organization, .. } => answer(service.profile(user, id(organization))),
            Exists { email } => self.exists(email),
            Organizations { claim, .. } => answer(service.organizations_of(user, claim.map(normalized))),
            Association { organization, .. } => answer(service.association(user, id(organization))),
            Associations { organization, .. } => answer(service.associations_of(user, id(organization))),
            PutOrganization { organization } => {
                let texts = (format!("Name {number}"), format!("slug-{number}"));
                service.organizations.insert(id(organization).to_owned(), texts);
                (0, service.organization(id(organization)))
            }
            GetOrganization { organization } if service.organizations.contains_key(id(organization)) => {
                (0, service.organization(id(organization)))
            }
            GetOrganization { .. } | CreateTable => refused(1),
            ListOrganizations => {
                (0, service.organizations.keys().map(|id| service.organization(id)).collect())
            }
            Associate { organization, .. } => {
                let there = service.organizations.contains_key(id(organization));
                if !there || !service.accounts.contains_key(user) {
                    return refused(1);
                }
                service.associations.insert(pair(user, id(organization)), customer_number(*number));
                (0, service.association(user, id(organization)).1)
            }
            Dissociate { organization, .. } => {
                let (_, association) = service.association(user, id(organization));
                let removed = service.associations.remove(&pair(user, id(organization)));
                removed.map_or(refused(1), |_| (0, association))
            }
            GetUser { .. } => self.user(user),
            FindUser { email } => match service.claims.get(normalized(email)).cloned() {
                Some(user) => self.user(&user),
                None => refused(1),
            },
            StepClock { seconds } => {
                self.now += seconds * 1000;
                refused(0)
            }
        }
    }

    /// The tenth last admitted look-up must have left the window, or lie beyond where clocks go.
    fn exists(&mut self, email: Email) -> Answer {
        let now = self.now;
        let counts = |time: &i64| *time > now - 60_000 && *time <= now + 60_000;
        let last_ten = |admitted: &[i64]| admitted[admitted.len().saturating_sub(10)..].to_vec();
        let seconds = |oldest: i64| (oldest + 60_000 - now + 999) / 1000;
        let last = last_ten(&self.admitted);
        if last.len() == 10 && counts(&last[0]) {
            return (429, json!([null, format!("\"exists\";r=0;t={}", seconds(last[0]))]));
        }
        self.admitted.push(now);
        let last = last_ten(&self.admitted);
        let gone = last.iter().take_while(|time| !counts(time)).count();
        let quota = format!("\"exists\";r={};t={}", 10 - last.len() + gone, seconds(last[gone]));
        (200, json!([self.service.exists(normalized(email)), quota]))
    }

    /// What `users user get` prints.
    fn user(&self, id: &str) -> Answer {
        let service = &self.service;
        let Some(account) = service.accounts.get(id) else { return (1, Value::Null) };
        let mut view = account.view(&account.email);
        view["UserId"] = id.into();
        view["PreferredEmail"] = account.preferred_email.clone().into();
        view["OrganizationIds"] = service.organization_ids_of(id).collect();
        view["HasPassword"] = account.has_password.into();
        let associations = service.associations.iter().filter(|((user, _), _)| user == id);
        let view_of = |((_, organization), number): (&Pair, &String)| json!({ "OrganizationId": organization, "CustomerNumber": number });
        view["CustomerAssociations"] = associations.map(view_of).collect();
        (0, view)
    }

    /// All items that the table must hold, by key, but for what a hash and the keys are.
    fn items(&self) -> Vec<Value> {
        let mut items = self.service.items();
        items.push(json!({ "PK": { "S": "SIGNING_KEYS" }, "SK": { "S": "SIGNING_KEYS" } }));
        items.extend(self.count());
        items.sort_by_key(|item| [text(item, "PK"), text(item, "SK")]);
        items
    }

    /// The limiter's item.
    fn count(&self) -> Option<Value> {
        let last = self.admitted.last()?;
        let mut item = json!({ "PK": { "S": "RATE#exists#127.0.0.1" }, "SK": { "S": "RATE" } });
        let newest_first = self.admitted.iter().rev().copied().chain(std::iter::repeat(0));
        for (n, time) in (1..=10).zip(newest_first) {
            item[format!("T{n}")] = json!({ "N": time.to_string() });
        }
        item["ExpiresAt"] = json!({ "N": ((last + 60_000 + 60_000) / 1000 + 1).to_string() });
        Some(item)
    }
}

fn membership(added_by: &str, joined_at: i64) -> Membership {
    Membership { added_by: added_by.to_owned(), joined_at: time(joined_at) }
}

fn normalized((address, _): Email) -> &'static str {
    ADDRESSES[address].normalized
}

/// The table's items as [`Model::items`] shows them.
async fn items(world: &World) -> Vec<Value> {
    let mut items = world.items().await;
    for item in &mut items {
        if item.get("PasswordHash").is_some() {
            assert!(text(item, "PasswordHash").starts_with(HASH), "{item}");
            item["PasswordHash"] = json!({ "S": HASH });
        }
        item.as_object_mut().unwrap().retain(|name, _| !["Jwks", "FetchedAt"].contains(&name.as_str()));
    }
    items
}

/// Looks for an order of what was done that the model explains.
struct Search<'a> {
    done: &'a [Done],
    items: Vec<Value>,
    /// Which were ordered, and what they came to: in vain.
    seen: HashSet<(u64, Model)>,
    /// The longest order, and what the model would have answered next.
    best: (Vec<usize>, Vec<(usize, Answer)>),
}

impl Search<'_> {
    fn explains(&mut self, model: &Model, ordered: &mut Vec<usize>) -> bool {
        let mask = ordered.iter().fold(0_u64, |mask, n| mask | 1 << n);
        if ordered.len() == self.done.len() {
            return model.items() == self.items;
        }
        if !self.seen.insert((mask, model.clone())) {
            return false;
        }
        let open = |n: &usize| mask & 1 << n == 0;
        let first_end = (0..self.done.len()).filter(open).map(|n| self.done[n].ended).min().unwrap();
        let mut others = Vec::new();
        for n in (0..self.done.len()).filter(open).filter(|&n| self.done[n].started < first_end) {
            let mut next = model.clone();
            let answer = next.apply(&self.done[n]);
            if answer != self.done[n].answer {
                others.push((n, answer));
                continue;
            }
            ordered.push(n);
            if self.explains(&next, ordered) {
                return true;
            }
            ordered.pop();
        }
        if ordered.len() >= self.best.0.len() {
            self.best = (ordered.clone(), others);
        }
        false
    }
}

/// Runs each client's operations, all clients at once, and looks for what explains it.
async fn assert_explained(clients: Vec<Vec<Operation>>) {
    let world = World::start().await;
    let ticks = AtomicUsize::new(0);
    let workers = clients.into_iter().enumerate().map(|(number, operations)| {
        let client = Client::of(world.system.api_address);
        Worker { world: &world, client, number }.run(operations, &ticks)
    });
    let done: Vec<_> = join_all(workers).await.into_iter().flatten().collect();

    let items = items(&world).await;
    let mut search = Search { done: &done, items, seen: HashSet::new(), best: Default::default() };
    if !search.explains(&Model::new(), &mut Vec::new()) {
        let (order, others) = search.best;
        let show = |n: &usize| format!("{:?}", done[*n]);
        let order: Vec<_> = order.iter().map(show).collect();
        let others: Vec<_> =
            others.iter().map(|(n, answer)| format!("{}\n  and the model: {answer:?}", show(n))).collect();
        panic!(
            "nothing explains this. Explained:\n{}\nNot explained:\n{}\nThe table:\n{}",
            order.join("\n"),
            others.join("\n"),
            search.items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        );
    }
    world.system.stop().await;
}

#[test]
fn one_clients_answers_and_the_table_are_the_models() {
    let operations = prop::collection::vec(operations(false), 1..60).prop_map(|operations| vec![operations]);
    property::check(
        file!(),
        6,
        &operations,
        async || (),
        async |(), clients| {
            assert_explained(clients).await;
        },
    );
}

#[test]
fn several_clients_at_once_are_linearizable() {
    let operations = prop::collection::vec(prop::collection::vec(operations(true), 1..6), 2..5);
    property::check(
        file!(),
        8,
        &operations,
        async || (),
        async |(), clients| {
            assert_explained(clients).await;
        },
    );
}
