//! How deep the calls of each path are. A table answers no call of a wave before all calls of that wave
//! have come: what could be asked at once and is asked one after the other waits in vain, and fails.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::endpoints::{TableCall, row, rows};
use crate::harness::{ACME, GLOBEX, Invocation, JANE, World, app, endpoint, user};
use crate::table::faults::{forward, operation_of, read_message};

/// The operations of calls that are under way at once, in any order.
type Wave = Vec<&'static str>;

/// A table behind the waves of a path.
struct Waves {
    url: String,
    path: Arc<Path>,
}

struct Path {
    /// What is still to come of each wave, and what came beside them.
    to_come: Mutex<(Vec<Wave>, Vec<String>)>,
    /// How many waves are complete.
    complete: watch::Sender<usize>,
}

impl Waves {
    async fn start(table: SocketAddr, waves: &[Wave]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let path = Arc::new(Path {
            to_come: Mutex::new((waves.to_vec(), Vec::new())),
            complete: watch::Sender::new(0),
        });
        let serving = path.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, table, serving.clone()));
            }
        });
        Self { url, path }
    }

    /// Fails where a call did not come, or another did.
    #[track_caller]
    fn assert_as_due(&self, name: &str) {
        let (to_come, unexpected) = &*self.path.to_come.lock().unwrap();
        assert!(unexpected.is_empty(), "{name}: {unexpected:?} beside {to_come:?}");
        assert!(to_come.iter().all(Vec::is_empty), "{name}: {to_come:?} never came");
    }
}

impl Path {
    /// Waits until all calls of the wave are there.
    async fn come(&self, operation: String) {
        let wave = {
            let (to_come, unexpected) = &mut *self.to_come.lock().unwrap();
            let wave = to_come.iter().position(|wave| !wave.is_empty());
            let found = wave.and_then(|wave| {
                let at = to_come[wave].iter().position(|due| *due == operation)?;
                to_come[wave].remove(at);
                Some(wave)
            });
            let Some(wave) = found else { return unexpected.push(operation) };
            if to_come[wave].is_empty() {
                self.complete.send_replace(wave + 1);
            }
            wave
        };
        self.complete.subscribe().wait_for(|complete| *complete > wave).await.unwrap();
    }
}

async fn serve(mut client: TcpStream, table: SocketAddr, path: Arc<Path>) -> Option<()> {
    use tokio::io::AsyncWriteExt as _;
    loop {
        let request = read_message(&mut client).await?;
        path.come(operation_of(&request)).await;
        client.write_all(&forward(table, &request).await?).await.ok()?;
    }
}

/// Starts a function, sends it a request, and holds its calls against the waves that are due.
async fn assert_waves(name: &str, world: &World, invocation: Invocation, status: u16, waves: &[Wave]) {
    let table = Waves::start(world.dynamodb_address(), &[&[vec!["GetItem"]], waves].concat()).await;
    let app = app(
        operator::table::local_table(world.table().name(), &table.url),
        world.system.clock().clone(),
        &[("EXISTS_LIMIT_REQUESTS", "1")],
    );
    app.warm_up().await;
    let answer = invocation.answer(&app).await;
    assert_eq!(answer.status, status, "{name}: {answer:?}");
    table.assert_as_due(name);
}

#[tokio::test]
async fn calls_that_do_not_depend_on_each_other_are_made_at_once() {
    let world = World::start().await;
    world.put_user(user("kp_stranger", "stranger@example.com"), &[GLOBEX]).await;
    for row in rows() {
        let role = row.role.unwrap_or("Admin");
        let operations = |wave: &&[TableCall]| wave.iter().map(|(operation, _)| *operation).collect();
        let waves: Vec<Wave> = row.waves.iter().map(operations).collect();
        let invocation = row.invocation().bearer(&world.bearer(role, JANE, ACME));
        assert_waves(row.way, &world, invocation, row.status, &waves).await;
    }

    // The other ways.
    let create = |organization: &str| {
        let body = json!({ "FirstName": "A", "LastName": "B", "Email": "new@example.com" });
        Invocation::of(endpoint("POST /api/users")).bearer(&world.admin(organization)).body(&body.to_string())
    };
    let exists = || row("check-user-exists").invocation();
    let by_email = {
        let mut payload = world.payload();
        payload["sub"] = "kp_of_the_provider".into();
        payload["email"] = "jane@example.com".into();
        row("list-organizations").invocation().bearer(&world.signed(&payload))
    };
    let stranger = row("list-customer-associations").invocation().query("UserId=kp_stranger");
    let paths: Vec<(&str, Invocation, u16, Vec<Wave>)> = vec![
        ("create-user, no such organization", create("org_none"), 400, vec![vec!["BatchGetItem"]]),
        ("create-user, new", create(ACME), 201, vec![vec!["BatchGetItem"], vec!["TransactWriteItems"]]),
        ("check-user-exists, refused", exists(), 429, vec![vec!["UpdateItem"]]),
        (
            "list-organizations, by e-mail",
            by_email,
            200,
            vec![vec!["Query"], vec!["GetItem"], vec!["Query"], vec!["BatchGetItem"]],
        ),
        (
            "list-customer-associations, of a stranger",
            stranger.bearer(&world.admin(ACME)),
            200,
            vec![vec!["Query"], vec!["BatchGetItem"]],
        ),
    ];
    for (name, invocation, status, waves) in paths {
        assert_waves(name, &world, invocation, status, &waves).await;
    }
}

#[tokio::test]
async fn eight_hundred_organizations_take_eight_batches_at_once() {
    let world = World::start().await;
    let many: Vec<_> = (0..800).map(|n| format!("org_{n:03}")).collect();
    world.put_organization("org_000", "Many", "many").await;
    world.put_user(user("kp_many", "many@example.com"), &["org_000"]).await;
    world.multiply("USER#kp_many", "MEMBERSHIP#org_000", "org_000", &many[1..]).await;
    let all = Invocation::of(endpoint("GET /api/users/organizations"))
        .bearer(&world.bearer("Admin", "kp_many", ACME));
    let waves = [vec!["Query"], vec!["Query"], vec!["BatchGetItem"; 8]];
    assert_waves("800 organizations", &world, all, 200, &waves).await;
}
