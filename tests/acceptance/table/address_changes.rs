//! An e-mail address that goes to another account between the look-up and the write: who does not have it any more
//! gets nothing by it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use operator::table::{Disagreement, ImportOutcome, ImportedAccount, OperatorTable, UserChanges};
use serde_json::{Value, json};
use shared::table::NewMembership;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::harness::{ACME, Answer, Invocation, JANE, JOHN, World, endpoint, text, user};
use crate::security::log::lines_of;
use crate::table::faults::{forward, operation_of, read_message};
use crate::tooling::command_line::users;

const ADDRESS: &str = "jane@example.com";
const ORGANIZATION: &str = "org_new";
/// Of whose requests the log is kept.
const ADMIN: &str = "secrets-admin-of-new";

/// What happens before each transaction reaches the table.
type Event = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// The URL of a table before whose transactions something happens.
async fn interrupted(table: SocketAddr, event: Event) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, table, event.clone()));
        }
    });
    url
}

async fn serve(mut client: TcpStream, table: SocketAddr, event: Event) -> Option<()> {
    loop {
        let request = read_message(&mut client).await?;
        if operation_of(&request) == "TransactWriteItems" {
            event().await;
        }
        client.write_all(&forward(table, &request).await?).await.ok()?;
    }
}

/// A world with an organization that nobody belongs to.
async fn start() -> World {
    let world = World::start().await;
    world.put_organization(ORGANIZATION, "New", "new").await;
    world
}

/// Gives the address from the one who has it to the other.
async fn pass_on(table: &OperatorTable) {
    let holder = table.user_id_of(&ADDRESS.parse().unwrap()).await.unwrap().unwrap();
    let other = if holder.as_str() == JANE { JOHN } else { JANE };
    change(table, holder.as_str(), &format!("former-{holder}@example.com")).await;
    change(table, other, ADDRESS).await;
}

async fn change(table: &OperatorTable, id: &str, email: &str) {
    let changes = UserChanges { email: Some(email.parse().unwrap()), ..Default::default() };
    table.change_user(&id.parse().unwrap(), None, &changes).await.unwrap();
}

/// Passes the address on before each transaction, `times` times at most.
fn passing_on(world: &World, times: usize) -> Event {
    let table = world.table().clone();
    let left = Arc::new(tokio::sync::Semaphore::new(times));
    Arc::new(move || {
        let (table, left) = (table.clone(), left.clone());
        Box::pin(async move {
            if let Ok(permit) = left.try_acquire() {
                permit.forget();
                pass_on(&table).await;
            }
        })
    })
}

async fn create(world: &World, url: &str) -> Answer {
    let app = world.app_at(url, &[]);
    let body = json!({ "FirstName": "A", "LastName": "B", "Email": ADDRESS }).to_string();
    let create = Invocation::of(endpoint("POST /api/users"));
    create.bearer(&world.bearer("Admin", ADMIN, ORGANIZATION)).body(&body).answer(&app).await
}

async fn add(world: &World, url: &str) -> std::process::Output {
    run(world, url, &["member", "add", "--email", ADDRESS, "--organization", ORGANIZATION]).await
}

async fn run(world: &World, url: &str, command: &[&str]) -> std::process::Output {
    users(&[command, &["--endpoint-url", url, "--table", world.table().name()]].concat()).await
}

async fn import(world: &World, url: &str) -> ImportOutcome {
    let table = OperatorTable::local(world.table().name(), url);
    table.import(&[row(world)], Disagreement::Refuse).await.unwrap().remove(0)
}

fn row(world: &World) -> ImportedAccount {
    ImportedAccount {
        user: user("kp_row", ADDRESS),
        has_own_id: false,
        password: None,
        is_password_lost: false,
        created_at: world.clock.now(),
        created_by: "kp_row".parse().unwrap(),
        password_hash: None,
        memberships: vec![NewMembership {
            organization_id: ORGANIZATION.parse().unwrap(),
            added_by: "kp_row".parse().unwrap(),
            joined_at: world.clock.now(),
        }],
        customer_accounts: Vec::new(),
    }
}

async fn assert_john_alone_is_member(world: &World) {
    for (id, is_member) in [(JANE, false), (JOHN, true)] {
        let organizations = world.organizations_of(id).await;
        assert_eq!(organizations.iter().any(|id| id == ORGANIZATION), is_member, "{id}: {organizations:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_adds_the_account_that_has_the_address_then() {
    let world = start().await;
    let url = interrupted(world.dynamodb_address(), passing_on(&world, 1)).await;
    let answer = create(&world, &url).await;
    assert_eq!(answer.assert_ok(200)["Email"], ADDRESS);
    assert_john_alone_is_member(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_makes_an_account_if_the_old_one_is_deleted() {
    let world = start().await;
    let table = world.table().clone();
    let delete: Event = Arc::new(move || {
        let table = table.clone();
        Box::pin(async move {
            table.delete_personal_data(&JANE.parse().unwrap(), None).await.unwrap();
        })
    });
    let url = interrupted(world.dynamodb_address(), delete).await;
    create(&world, &url).await.assert_ok(201);
    let id = world.user_id_of(ADDRESS).await.unwrap();
    assert_eq!(world.organizations_of(&id).await, [ORGANIZATION]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_never_stays_is_a_503_and_nobody_is_added() {
    let world = start().await;
    let url = interrupted(world.dynamodb_address(), passing_on(&world, usize::MAX >> 3)).await;
    create(&world, &url).await.assert_problem(503);
    for id in [JANE, JOHN] {
        assert!(!world.organizations_of(id).await.contains(&ORGANIZATION.to_owned()), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn member_add_adds_the_account_that_has_the_address_then() {
    let world = start().await;
    let url = interrupted(world.dynamodb_address(), passing_on(&world, 1)).await;
    let output = add(&world, &url).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_john_alone_is_member(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_write_to_the_account_that_has_the_address_then() {
    let world = start().await;
    for id in [JANE, JOHN] {
        world.join(id, ORGANIZATION).await;
    }
    let url = interrupted(world.dynamodb_address(), passing_on(&world, 1)).await;
    let remove = ["member", "remove", "--email", ADDRESS, "--organization", ORGANIZATION];
    let output = run(&world, &url, &remove).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for (id, is_member) in [(JANE, true), (JOHN, false)] {
        assert_eq!(world.organizations_of(id).await.iter().any(|id| id == ORGANIZATION), is_member, "{id}");
    }

    // Now John has the address, and Jane gets it back.
    let url = interrupted(world.dynamodb_address(), passing_on(&world, 1)).await;
    let set = ["user", "set", "--email", ADDRESS, "--first-name", "Changed"];
    let output = run(&world, &url, &set).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for (id, is_changed) in [(JANE, true), (JOHN, false)] {
        let user = world.table().user(&id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(user.first_name.as_str() == "Changed", is_changed, "{id}");
    }

    // A deletion was agreed to for one account, so it does not go on with another.
    let url = interrupted(world.dynamodb_address(), passing_on(&world, 1)).await;
    let output = run(&world, &url, &["delete", "--email", ADDRESS, "--yes"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for id in [JANE, JOHN] {
        assert!(world.table().user(&id.parse().unwrap()).await.unwrap().is_some(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_refuses_a_claim_of_an_account_without_the_address() {
    let world = start().await;
    world.put_item(&json!({ "PK": { "S": "EMAIL#wrong@example.com" }, "SK": { "S": "EMAIL" }, "UserId": { "S": JANE } })).await;
    world.put_item(&json!({ "PK": { "S": "EMAIL#gone@example.com" }, "SK": { "S": "EMAIL" }, "UserId": { "S": "kp_gone" } })).await;
    let before = world.items().await;
    for (email, what) in
        [("wrong@example.com", "has another address"), ("gone@example.com", "does not exist")]
    {
        for command in [
            &["user", "get", "--email", email] as &[_],
            &["user", "set", "--email", email, "--first-name", "Changed"],
            &["member", "add", "--email", email, "--organization", ORGANIZATION],
            &["member", "remove", "--email", email, "--organization", "org_acme"],
            &["delete", "--email", email, "--yes"],
        ] {
            let output = run(&world, &world.system.dynamodb_url, command).await;
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{command:?}: {error}");
            assert!(error.contains(what) && error.contains("--scan --repair"), "{command:?}: {error}");
        }
    }
    assert_eq!(world.items().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_adds_to_the_account_that_has_the_address_then() {
    let world = start().await;
    let url = interrupted(world.dynamodb_address(), passing_on(&world, 1)).await;
    assert_eq!(import(&world, &url).await, ImportOutcome::Existing(JOHN.parse().unwrap()));
    assert_john_alone_is_member(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adoption_adds_nothing_to_an_account_that_is_deleted() {
    let world = start().await;
    let organizations: Vec<_> = (0..60).map(|n| format!("org_{n:03}")).collect();
    world.multiply(&format!("ORG#{ACME}"), "ORG", ACME, &organizations).await;
    world.multiply(&format!("USER#{JANE}"), &format!("MEMBERSHIP#{ACME}"), ACME, &organizations).await;
    let row = ImportedAccount { has_own_id: true, ..row(&world) };
    let (table, transactions) = (world.table().clone(), Arc::new(AtomicUsize::new(0)));
    let delete: Event = Arc::new(move || {
        let (table, transactions) = (table.clone(), transactions.clone());
        Box::pin(async move {
            // The first finds the claim, the second moves the account, the third what had no room.
            if transactions.fetch_add(1, Ordering::SeqCst) == 2 {
                let deletion = table.delete_personal_data(&"kp_row".parse().unwrap(), None).await;
                deletion.unwrap();
            }
        })
    });
    let url = interrupted(world.dynamodb_address(), delete).await;
    let outcome = OperatorTable::local(world.table().name(), &url).import(&[row], Disagreement::Adopt).await;
    assert_eq!(outcome.unwrap(), [ImportOutcome::Created]);
    assert_eq!(world.organizations_of("kp_row").await, [ORGANIZATION]);
    assert!(world.table().examine(|_, _| {}).await.unwrap().violations.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_adoption_is_finished_by_the_next_import() {
    let world = start().await;
    let organizations: Vec<_> = (0..130).map(|n| format!("org_{n:03}")).collect();
    world.multiply(&format!("ORG#{ACME}"), "ORG", ACME, &organizations).await;
    world.multiply(&format!("USER#{JANE}"), &format!("MEMBERSHIP#{ACME}"), ACME, &organizations).await;
    let due = world.organizations_of(JANE).await.len() + 1;
    let row = ImportedAccount { has_own_id: true, ..row(&world) };
    let (transactions, reached) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let told = reached.clone();
    let stop: Event = Arc::new(move || {
        // The first finds the claim, the second moves the account, and then some of what had no room.
        let stops = transactions.fetch_add(1, Ordering::SeqCst) == 3;
        let told = told.clone();
        Box::pin(async move {
            if stops {
                told.notify_one();
                std::future::pending::<()>().await;
            }
        })
    });
    let url = interrupted(world.dynamodb_address(), stop).await;
    let table = OperatorTable::local(world.table().name(), &url);
    tokio::select! {
        outcome = table.import(std::slice::from_ref(&row), Disagreement::Adopt) => panic!("{outcome:?}"),
        () = reached.notified() => {}
    }
    assert!(world.organizations_of("kp_row").await.len() < due);
    let again =
        async || world.table().import(std::slice::from_ref(&row), Disagreement::Refuse).await.unwrap();
    assert_eq!(again().await, [ImportOutcome::Adopted(JANE.parse().unwrap())]);
    assert_eq!(world.organizations_of("kp_row").await.len(), due);
    assert!(world.table().examine(|_, _| {}).await.unwrap().violations.is_empty());
    assert_eq!(again().await, [ImportOutcome::Existing("kp_row".parse().unwrap())]);
    assert!(!world.items().await.iter().any(|item| text(item, "PK") == format!("USER#{JANE}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphaned_claim_is_a_defect_or_refuses_the_command() {
    let world = start().await;
    world.delete_item(&format!("USER#{JANE}"), "PROFILE").await;
    let url = world.system.dynamodb_url.clone();
    create(&world, &url).await.assert_problem(500);
    let lines = lines_of(ADMIN);
    let line: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    // An alarm looks for it (tests/acceptance/monitoring/).
    assert!(line["cause"].as_str().unwrap().starts_with("an e-mail claim names a user that is not there"));
    assert_eq!(
        import(&world, &url).await,
        ImportOutcome::ClaimOrphaned { holder: JANE.parse().unwrap(), exists: false }
    );
    let output = add(&world, &url).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// A claim that came from somewhere else, or that half of something left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_an_account_with_another_address_opens_nothing() {
    let world = start().await;
    let is_janes = |item: &Value| text(item, "PK") == format!("EMAIL#{ADDRESS}");
    let mut astray = world.items().await.into_iter().find(is_janes).unwrap();
    astray["PK"]["S"] = "EMAIL#moved@example.com".into();
    world.put_item(&astray).await;
    let app = world.app(&[]);
    let body = json!({ "FirstName": "A", "LastName": "B", "Email": "moved@example.com" }).to_string();
    let create = Invocation::of(endpoint("POST /api/users"));
    let answer = create.bearer(&world.bearer("Admin", ADMIN, ORGANIZATION)).body(&body).answer(&app).await;
    answer.assert_problem(500);
    let line: Value = serde_json::from_str(lines_of(ADMIN).last().unwrap()).unwrap();
    assert!(line["cause"].as_str().unwrap().starts_with("an e-mail claim names a user that is not there"));
    // With calls that its policy allows.
    let named: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(world.create(ORGANIZATION, &named).await.status, 500);
    assert!(!world.organizations_of(JANE).await.contains(&ORGANIZATION.to_owned()));

    let mut payload = world.payload();
    payload["sub"] = "kp_nobody".into();
    payload["email"] = "moved@example.com".into();
    let list = Invocation::of(endpoint("GET /api/users/organizations"));
    list.bearer(&world.signed(&payload)).answer(&app).await.assert_invalid(&["UserId"]);
    payload["email"] = ADDRESS.into();
    let list = Invocation::of(endpoint("GET /api/users/organizations"));
    list.bearer(&world.signed(&payload)).answer(&app).await.assert_ok(200);
}

/// What another operator does to accounts in the midst of something.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    /// The address goes from Jane to John.
    PassOn,
    /// Jane is deleted.
    Delete,
    /// Jane is deleted, and John gets the address.
    Replace,
}

impl Meanwhile {
    async fn happen(self, table: &OperatorTable) {
        let jane = JANE.parse().unwrap();
        match self {
            Self::PassOn => change(table, JANE, "former@example.com").await,
            Self::Delete | Self::Replace => drop(table.delete_personal_data(&jane, None).await.unwrap()),
        }
        if !matches!(self, Self::Delete) {
            change(table, JOHN, ADDRESS).await;
        }
    }
}

/// Everything that reaches an account through its address.
const OPERATIONS: [&str; 7] = ["create", "import", "adopt", "add", "remove", "set", "delete"];

async fn perform(world: &World, url: &str, operation: &str) {
    match operation {
        "create" => drop(create(world, url).await),
        "import" => drop(import(world, url).await),
        "adopt" => {
            let row = ImportedAccount { has_own_id: true, ..row(world) };
            let table = OperatorTable::local(world.table().name(), url);
            drop(table.import(&[row], Disagreement::Adopt).await.unwrap());
        }
        "add" => drop(add(world, url).await),
        "remove" => {
            drop(run(world, url, &["member", "remove", "--email", ADDRESS, "--organization", ACME]).await);
        }
        "set" => drop(run(world, url, &["user", "set", "--email", ADDRESS, "--last-name", "Changed"]).await),
        _ => drop(run(world, url, &["delete", "--email", ADDRESS, "--yes"]).await),
    }
}

/// A table before one of whose calls something happens.
struct Interrupted {
    url: String,
    calls: Arc<AtomicUsize>,
    /// Whether nothing was written before it happened.
    is_first: Arc<AtomicBool>,
    _listener: JoinSet<()>,
}

async fn interrupted_at(world: &Arc<World>, at: usize, meanwhile: Meanwhile) -> Interrupted {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (calls, is_first) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (counter, first, world) = (calls.clone(), is_first.clone(), world.clone());
    let before = accounts(&world).await;
    // One call at a time: what is under way beside the call could write just after the look at the accounts.
    let turn = Arc::new(Mutex::new(()));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let (counter, first, world, before, turn) =
                (counter.clone(), first.clone(), world.clone(), before.clone(), turn.clone());
            connections.spawn(async move {
                while let Some(request) = read_message(&mut client).await {
                    let _turn = turn.lock().await;
                    if counter.fetch_add(1, Ordering::SeqCst) == at {
                        first.store(accounts(&world).await == before, Ordering::SeqCst);
                        meanwhile.happen(world.table()).await;
                    }
                    let Some(answer) = forward(world.dynamodb_address(), &request).await else { return };
                    if client.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Interrupted { url, calls, is_first, _listener: tasks }
}

/// The items of accounts, with the ids that are made at random in place of one another.
async fn accounts(world: &World) -> Vec<String> {
    let mut items = world.items().await;
    items.retain(|item| !["SIGNING_KEYS", "RATE"].contains(&text(item, "SK").as_str()));
    let new_id =
        items.iter().find_map(|item| text(item, "PK").strip_prefix("USER#user_").map(ToOwned::to_owned));
    let texts = items.iter().map(|item| match &new_id {
        Some(new_id) => item.to_string().replace(new_id, "new"),
        None => item.to_string(),
    });
    let mut texts: Vec<_> = texts.map(|text| without_times(&text)).collect();
    texts.sort();
    texts
}

/// An item without the times, of which a command has its own.
fn without_times(item: &str) -> String {
    let mut item: Value = serde_json::from_str(item).unwrap();
    item.as_object_mut().unwrap().retain(|name, _| !["JoinedAt", "CreatedAt"].contains(&name.as_str()));
    item.to_string()
}

/// What is interrupted between any two of its calls to the table comes to what it comes to afterwards; if it has written
/// already, to what it comes to before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_moment_for_another_address_or_a_deletion_will_do() {
    let meanwhiles = [Meanwhile::PassOn, Meanwhile::Delete, Meanwhile::Replace];
    let pairs =
        OPERATIONS.into_iter().flat_map(|operation| meanwhiles.map(|meanwhile| (operation, meanwhile)));
    stream::iter(pairs)
        .for_each_concurrent(6, |(operation, meanwhile)| check_all(operation, meanwhile))
        .await;
}

/// Interrupts an operation before each of its calls.
async fn check_all(operation: &str, meanwhile: Meanwhile) {
    let order = async |is_before: bool, is_performed: bool| {
        let world = start().await;
        if is_before {
            meanwhile.happen(world.table()).await;
        }
        if is_performed {
            perform(&world, &world.system.dynamodb_url, operation).await;
        }
        if !is_before {
            meanwhile.happen(world.table()).await;
        }
        accounts(&world).await
    };
    let (before, after) = (order(true, true).await, order(false, true).await);
    // What was agreed to for one account does not go on with another.
    let refused = if operation == "delete" { Some(order(true, false).await) } else { None };
    for at in 0.. {
        let world = Arc::new(start().await);
        let interrupted = interrupted_at(&world, at, meanwhile).await;
        perform(&world, &interrupted.url, operation).await;
        if interrupted.calls.load(Ordering::SeqCst) <= at {
            assert!(at >= 2, "{operation} makes {at} calls");
            return;
        }
        let items = accounts(&world).await;
        let what = format!("{operation}, {meanwhile:?} before call {at}");
        if interrupted.is_first.load(Ordering::SeqCst) {
            let will_do = items == before || refused.as_ref() == Some(&items);
            assert!(will_do, "{what}: {items:#?}\nnot {before:#?}");
        } else {
            // A creation whose account is gone before it can answer begins again.
            assert!(items == after || items == before, "{what}: {items:#?}\nnot {after:#?}");
        }
        assert!(world.table().examine(|_, _| {}).await.unwrap().violations.is_empty(), "{what}");
    }
}
