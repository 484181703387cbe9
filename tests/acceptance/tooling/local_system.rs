//! The local system as a process: `users serve`.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::model::OrganizationId;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

use crate::harness::engine::engine;
use crate::harness::{ACME, Client, World, built_binaries, until};
use crate::tooling::command_line::{assert_no_debug_text, isolate, users, users_command};

/// A `users serve` that runs in a process of its own.
pub struct Served {
    process: Child,
    client: Client,
    /// What it printed, once it was ready.
    pub printed: Value,
    /// An `Authorization` header with an Admin token, from `users token`.
    admin: String,
    _rest: Lines<BufReader<ChildStdout>>,
}

impl Served {
    /// Starts it on this run's engine, with nothing kept.
    pub async fn start() -> Self {
        let table = engine().table_name(None);
        Self::start_with(&[&on_the_engine()[..], &["--memory", "--table", &table]].concat()).await
    }

    /// Starts it on this run's engine, with its data kept.
    async fn start_in(data_dir: &Path) -> Self {
        let table = engine().table_name(Some(data_dir));
        let kept = ["--data-dir", data_dir.to_str().unwrap(), "--table", &table];
        Self::start_with(&[&on_the_engine()[..], &kept].concat()).await
    }

    async fn start_with(arguments: &[&str]) -> Self {
        Self::spawn(users_command(), arguments).await
    }

    /// Starts it on a free port, by this command, and reads what it prints until it is ready.
    async fn spawn(mut command: Command, arguments: &[&str]) -> Self {
        isolate(&mut command);
        Self::spawn_with_variables(command, arguments, &[]).await
    }

    async fn spawn_with_variables(
        mut command: Command,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        command.envs(variables.iter().copied());
        let mut process = command
            .args(["serve", "--json", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .env("LOG_LEVEL", "error")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            printed += &line;
            if line == "}" {
                break;
            }
        }
        let printed: Value = serde_json::from_str(&printed).expect("what it printed");
        let api = printed["Api"].as_str().unwrap().strip_prefix("http://").unwrap();
        let client = Client::of(api.parse().unwrap());
        let port = client.address().port().to_string();
        let token = token(&["--port", &port, "--role", "Admin"]).await;
        Self { process, client, printed, admin: format!("Bearer {token}"), _rest: lines }
    }

    fn admin(&self) -> String {
        self.admin.clone()
    }

    pub fn port(&self) -> String {
        self.client.address().port().to_string()
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let id = self.process.id().unwrap().to_string();
        assert!(
            std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success()
        );
    }
}

/// What `users token` prints.
async fn token(arguments: &[&str]) -> String {
    let output = users(&[&["token"], arguments].concat()).await;
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// What says which engine this run is about.
fn on_the_engine() -> [&'static str; 2] {
    match &engine().url {
        Some(url) => ["--endpoint-url", url],
        None => ["--dynamodb-port", "0"],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prints_where_everything_is_and_a_command_for_each_endpoint() {
    let served = Served::start_with(&["--memory", "--dynamodb-port", "0"]).await;
    let api = format!("http://{}", served.client.address());
    assert_eq!(
        (&served.printed["Api"], &served.printed["Console"]),
        (&json!(api), &json!(format!("{api}/")))
    );
    assert!(served.printed["DynamoDb"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(served.printed["Data"].as_str().unwrap().starts_with("in memory"));

    let examples = users(&["examples", "--port", &served.port()]).await.stdout;
    let examples = String::from_utf8(examples).unwrap();
    let commands: Vec<_> = examples.lines().filter(|line| line.starts_with("curl ")).collect();
    let exists = "/api/users/exists?Email=john%40example.com";
    assert!(commands.iter().any(|command| command.contains(exists)), "{commands:#?}");
    for endpoint in crate::harness::ENDPOINTS {
        let called = |line: &&&str| line.split(['"', ' ', '?']).any(|word| word.ends_with(endpoint.path));
        let matching = commands.iter().filter(called).count();
        assert_eq!(matching, 1, "{}: {commands:#?}", endpoint.path);
        if let Some((_, header)) = commands.iter().find(called).unwrap().split_once("Authorization: ")
            && endpoint.method == "GET"
        {
            let path = format!("{}?UserId={}", endpoint.path, crate::harness::JANE);
            served.client.get(&path).bearer(header.trim_end_matches('"')).send().await.assert_ok(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_of_the_system_that_runs_wherever_it_is_asked_for() {
    let runtime_dir = tempfile::tempdir().unwrap();
    let data_dir = tempfile::tempdir().unwrap();
    let ask = async |arguments: &[&str]| {
        let mut command = users_command();
        command.current_dir(data_dir.path()).env("XDG_RUNTIME_DIR", runtime_dir.path());
        let output = command.arg("token").args(arguments).env("NO_COLOR", "1").output().await.unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), stdout.trim_end().to_owned(), stderr)
    };
    let start = async |arguments: &[&str]| {
        let mut command = users_command();
        command.env("XDG_RUNTIME_DIR", runtime_dir.path()).args(["serve", "--json", "--port", "0"]);
        let mut process = command.args(on_the_engine()).args(arguments).kill_on_drop(true);
        process = process.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = process.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut api = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(found) = line.trim().strip_prefix("\"Api\": \"http://") {
                found.trim_end_matches("\",").clone_into(&mut api);
            }
            if line == "}" {
                break;
            }
        }
        (process, Client::of(api.parse().unwrap()))
    };
    let opens = async |client: &Client, token: &str| {
        client.get("/api/users/profile").bearer(format!("Bearer {token}")).send().await.status
    };

    let nothing = "error: no local system is running: start one with `users serve`\n";
    assert_eq!(ask(&[]).await, (Some(1), String::new(), nothing.to_owned()));
    assert_eq!(std::fs::read_dir(data_dir.path()).unwrap().count(), 0, "a key was made");

    let table = engine().table_name(None);
    let (mut first_process, first) = start(&["--memory", "--table", &table]).await;
    let (status, token, stderr) = ask(&[]).await;
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert_eq!(opens(&first, &token).await, 200);

    let kept = data_dir.path().join("kept");
    let table = engine().table_name(Some(&kept));
    let (mut second_process, second) =
        start(&["--data-dir", kept.to_str().unwrap(), "--table", &table]).await;
    let (status, token, stderr) = ask(&[]).await;
    let of_the_last = format!("this is for http://{}, which started last", second.address());
    assert!(
        status == Some(0) && stderr.starts_with("warning: 2 local") && stderr.contains(&of_the_last),
        "{stderr}"
    );
    assert_eq!((opens(&first, &token).await, opens(&second, &token).await), (401, 200));
    let (_, token, stderr) = ask(&["--port", &first.address().port().to_string()]).await;
    assert_eq!((opens(&first, &token).await, stderr.as_str()), (200, ""));
    let (status, _, stderr) = ask(&["--port", "1"]).await;
    assert!(status == Some(1) && stderr.contains("no local system has port 1, but http://"), "{stderr}");

    // A kill leaves the files, and another system removes them.
    second_process.kill().await.unwrap();
    let (_, token, stderr) = ask(&[]).await;
    assert_eq!((opens(&first, &token).await, stderr.as_str()), (200, ""));
    first_process.kill().await.unwrap();
    assert_eq!(ask(&[]).await.2, nothing);
    let table = engine().table_name(None);
    let (mut third, _) = start(&["--memory", "--table", &table]).await;
    let files = || std::fs::read_dir(runtime_dir.path().join("users-local-systems")).unwrap().count();
    assert_eq!(files(), 2);
    #[cfg(unix)]
    {
        let id = third.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert_eq!(third.wait().await.unwrap().code(), Some(0));
        assert_eq!(files(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_an_unknown_role_is_printed_with_a_warning() {
    let served = Served::start().await;
    let output = users(&["token", "--port", &served.port(), "--role", "admin"]).await;
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(0), false));
    let warning = "warning: admin is not a role: the roles are Admin, Customer, SalesRep\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), warning);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_without_a_key_is_named_and_stays_empty() {
    let directory = tempfile::tempdir().unwrap();
    let output = users(&["token", "--data-dir", directory.path().to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("holds no signing key: start `users serve"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let demo_key = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/demo-key");
    assert_eq!(token(&["--data-dir", demo_key]).await.split('.').count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_stand_for_flags_and_a_flag_counts_more() {
    let world = World::start_now().await;
    let run = async |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = users_command();
        let output = command.args(arguments).envs(environment.iter().copied()).output().await.unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let table = world.table().name();
    let environment = [("USERS_ENDPOINT_URL", world.system.dynamodb_url.as_str()), ("USERS_TABLE", table)];
    let (status, text) = run(&["organization", "list"], &environment).await;
    assert!(status == Some(0) && text.contains(ACME), "{text}");
    let other = ["organization", "list", "--endpoint-url", "http://127.0.0.1:1"];
    assert_eq!(run(&other, &environment).await.0, Some(3));

    // `serve` without its name, too; it ends where the directory is in use.
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let _served = embedded_in(directory.path()).await;
    let (status, text) = run(&[], &[("USERS_DATA_DIR", data_dir)]).await;
    assert!(status == Some(1) && text.contains("another `users serve` is using"), "{text}");
    let (status, text) = run(&["token"], &[("USERS_DATA_DIR", data_dir)]).await;
    assert!(status == Some(0) && text.trim_end().split('.').count() == 3, "{text}");
    // What excludes another flag excludes its variable.
    let variables = [("USERS_DATA_DIR", data_dir), ("USERS_ENDPOINT_URL", "http://127.0.0.1:1")];
    let command = users_command();
    Served::spawn_with_variables(command, &["--memory", "--dynamodb-port", "0"], &variables).await;
    let (status, text) = run(&[], &[("USERS_TABLE", "t2")]).await;
    assert!(status == Some(2) && text.contains("a table name has 3 to 255 characters"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_in_use_is_refused_and_free_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut served = embedded_in(directory.path()).await;
    assert_eq!(
        refusal(directory.path()).await,
        "error: another `users serve` is using DIR: stop it, or choose another directory with --data-dir\n"
    );
    served.process.kill().await.unwrap();
    embedded_in(directory.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_tokens_count_does_not_come_from_the_environment() {
    let mut command = users_command();
    command.envs([
        ("TOKEN_ISSUER", "https://issuer.example.org"),
        ("TOKEN_AUDIENCE", "another"),
        ("CLAIM_AUDIENCE", "client_id"),
        ("CLAIM_TOKEN_TYPE", "token_use"),
        ("TOKEN_TYPE", "access"),
        ("SIGNING_KEYS", r#"{"keys":[]}"#),
    ]);
    let table = engine().table_name(None);
    let served =
        Served::spawn(command, &[&on_the_engine()[..], &["--memory", "--table", &table]].concat()).await;
    let organizations = served.client.get("/api/users/organizations").bearer(served.admin());
    organizations.send().await.assert_ok(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_run_at_once_on_free_ports() {
    let (one, other) = tokio::join!(Served::start(), Served::start());
    for served in [&one, &other] {
        let answer = served.client.get("/api/users/exists?Email=jane%40example.com").send().await;
        assert_eq!(answer.assert_ok(200), json!({ "UserExists": true }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_works_on_a_table_of_a_dynamodb_api_that_runs_already() {
    let world = World::start_now().await;
    let (url, table) = (&world.system.dynamodb_url, format!("{}-elsewhere", world.table().name()));
    let served = Served::start_with(&["--memory", "--endpoint-url", url, "--table", &table]).await;
    let body = json!({ "FirstName": "E", "LastName": "W", "Email": "elsewhere@example.com" });
    let call = served.client.post("/api/users", body.to_string()).bearer(served.admin());
    call.send().await.assert_ok(201);

    let key = json!({ "PK": { "S": "EMAIL#elsewhere@example.com" }, "SK": { "S": "EMAIL" } });
    let claim = world.dynamodb("GetItem", &json!({ "TableName": table, "Key": key })).await;
    assert!(claim["Item"]["UserId"]["S"].is_string(), "{claim}");
    assert_eq!(world.user_id_of("elsewhere@example.com").await, None);
    assert_eq!((&served.printed["DynamoDb"], &served.printed["TableName"]), (&json!(url), &json!(table)));
    assert_eq!(served.printed["Data"], "in the table; the signing key: in memory, gone at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dynamodb_api_that_does_not_answer_is_said_in_one_line() {
    let output = users_command()
        .args(["serve", "--memory", "--port", "0", "--endpoint-url", "http://127.0.0.1:1"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: the table was not made ready: DescribeTable did not get through: "),
        "{error}"
    );
    assert!(error.ends_with(": does a DynamoDB API answer at http://127.0.0.1:1?\n"), "{error}");
    assert_no_debug_text(&error);
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_one_line_that_says_how_to_choose_another() {
    let taken = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (flag, other) in [("--port", "--dynamodb-port"), ("--dynamodb-port", "--port")] {
        let output =
            users_command().args(["serve", "--memory", flag, &port, other, "0"]).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!(
                "error: port {port} is in use: choose another with {flag}, or {flag} 0 for any that is free\n"
            )
        );
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_it_once_requests_in_flight_have_their_answers() {
    for signal in ["INT", "TERM"] {
        let mut served = Served::start().await;
        // A request that is in flight: its head has come, its body has not.
        let mut stream = TcpStream::connect(served.client.address()).await.unwrap();
        let body = r#"{"FirstName":"In","LastName":"Flight","Email":"flight@example.com"}"#;
        let head = format!(
            "POST /api/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: {}\r\n\
             Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            served.admin(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server asks for the body, so the request has begun.
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).await.unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        served.signal(signal);
        // No new connection is taken, so the signal has come.
        until("the server stops listening", async || {
            TcpStream::connect(served.client.address()).await.is_err()
        })
        .await;
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 Created"), "{signal}: {answer}");
        assert_eq!(served.process.wait().await.unwrap().code(), Some(0));
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let mut served = Served::start().await;
    let _idle = TcpStream::connect(served.client.address()).await.unwrap();
    served.client.get("/api/users/exists?Email=a%40example.com").send().await.assert_ok(200);
    let told = Instant::now();
    served.signal("TERM");
    served.process.wait().await.unwrap();
    // A bound against hanging, not a measurement: idle connections are closed and not waited for.
    assert!(told.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut answered = Vec::<String>::new();
    for round in 0..20 {
        let mut served = Served::start_in(&data_dir).await;
        let admin = served.admin();
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicUsize::new(0));
        let writers = (0..4).map(|writer| {
            let (client, admin) = (served.client.clone(), admin.clone());
            let (stop, written) = (stop.clone(), written.clone());
            tokio::spawn(async move {
                let mut created = Vec::new();
                for n in 0.. {
                    let email = format!("w{writer}.{round}.{n}@example.com");
                    let body = json!({ "FirstName": "W", "LastName": "R", "Email": email });
                    let call = client.post("/api/users", body.to_string()).bearer(&*admin);
                    match call.try_send().await {
                        Ok(answer) => assert_eq!(answer.status, 201, "{answer:?}"),
                        Err(_) if stop.load(Ordering::SeqCst) => break,
                        Err(error) => panic!("{error}"),
                    }
                    created.push(email);
                    written.fetch_add(1, Ordering::SeqCst);
                }
                created
            })
        });
        let writers: Vec<_> = writers.collect();
        until("writers at work", async || written.load(Ordering::SeqCst) >= 20).await;
        stop.store(true, Ordering::SeqCst);
        served.process.kill().await.unwrap();
        for created in join_all(writers).await {
            answered.extend(created.unwrap());
        }
    }
    assert!(answered.len() >= 20 * 20, "{}", answered.len());

    let world = World::start_in(&data_dir).await;
    for email in &answered {
        let id = world.user_id_of(email).await.unwrap_or_else(|| panic!("lost: {email}"));
        let id = id.parse().unwrap();
        assert_eq!(world.table().user(&id).await.unwrap().unwrap().email.as_str(), email);
        let organizations =
            world.table().organization_ids_of(&id, None, shared::http::LIST_BUDGET).await.unwrap().unwrap();
        assert_eq!(organizations.iter().map(OrganizationId::as_str).collect::<Vec<_>>(), [ACME]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_data_is_put_in_once_and_what_was_changed_stays() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let world = World::start_in(&data_dir).await;
    world.put_organization(ACME, "Renamed", "renamed").await;
    world.system.stop().await;
    let world = World::start_in(&data_dir).await;
    let acme = world.table().organization(&ACME.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(acme.name.as_str(), "Renamed");
}

/// What makes it keep its table in a directory, whatever this run's engine is.
fn embedded(data_dir: &Path) -> [&str; 4] {
    ["--dynamodb-port", "0", "--data-dir", data_dir.to_str().unwrap()]
}

async fn embedded_in(data_dir: &Path) -> Served {
    Served::start_with(&embedded(data_dir)).await
}

/// What `users serve` says of a data directory that it cannot use.
async fn refusal(data_dir: &Path) -> String {
    let output = users_command()
        .args(["serve", "--port", "0", "--dynamodb-port", "0", "--data-dir"])
        .arg(data_dir)
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.replace(data_dir.to_str().unwrap(), "DIR")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_versions_data_directory_is_refused_and_left() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    embedded_in(data_dir).await.process.kill().await.unwrap();
    assert_eq!(std::fs::read_to_string(data_dir.join("version")).unwrap(), "1");
    std::fs::write(data_dir.join("version"), "2\n").unwrap();
    let table = std::fs::read(data_dir.join("dynamodb.sqlite")).unwrap();
    assert_eq!(
        refusal(data_dir).await,
        "error: DIR was made by another version of this program: its data is of version \"2\", read here is version \
         1. Use that program, or another directory with --data-dir\n"
    );
    assert_eq!(std::fs::read(data_dir.join("dynamodb.sqlite")).unwrap(), table);
    std::fs::write(data_dir.join("version"), b"\xff").unwrap();
    let message = refusal(data_dir).await;
    assert!(message.starts_with("error: cannot read DIR/version: "), "{message}");
    assert_eq!(std::fs::read(data_dir.join("version")).unwrap(), b"\xff");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unusable_data_directory_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("garbage");
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&garbage).unwrap();
    std::fs::write(garbage.join("dynamodb.sqlite"), "no database ".repeat(1000)).unwrap();
    let message = refusal(&garbage).await;
    assert!(
        message.starts_with("error: cannot open the table's file DIR/dynamodb.sqlite: is it damaged"),
        "{message}"
    );
    assert!(std::fs::read(garbage.join("dynamodb.sqlite")).unwrap().starts_with(b"no database"));
    #[cfg(unix)]
    {
        let astray = directory.path().join("astray");
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
            .create(&astray)
            .unwrap();
        std::os::unix::fs::symlink("nowhere", astray.join("signing-key.p8")).unwrap();
        let message = refusal(&astray).await;
        assert!(message.starts_with("error: cannot read DIR/signing-key.p8: "), "{message}");
    }
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(refusal(&file).await.starts_with("error: cannot make DIR: "));
    // A place where not even root can make a directory.
    #[cfg(target_os = "linux")]
    assert!(refusal(Path::new("/proc/users")).await.starts_with("error: cannot make DIR: "));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_local_system_keeps_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let directory = tempfile::tempdir().unwrap();
    // A directory that somebody else made for it.
    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    open(&empty, 0o755);
    let served = embedded_in(&empty).await;
    let files = || std::fs::read_dir(&empty).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let names = files();
    assert!(names.len() >= 4, "{names:?}");
    for file in &names {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&empty), 0o700);
    drop(served);

    // Its own directory, as an earlier version may have left it.
    for file in files() {
        open(&file, 0o644);
    }
    open(&empty, 0o750);
    let mut served = embedded_in(&empty).await;
    for file in files() {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&empty), 0o700);
    served.process.kill().await.unwrap();
    let mut told = String::new();
    served.process.stderr.take().unwrap().read_to_string(&mut told).await.unwrap();
    assert!(told.contains(&format!("others could enter {}: now only you can", empty.display())), "{told}");

    // A file whose permissions cannot be seen: a link that leads to itself.
    let link = empty.join("dynamodb.sqlite-journal");
    std::os::unix::fs::symlink(&link, &link).unwrap();
    let message = refusal(&empty).await;
    let told = "error: others than you can read DIR/dynamodb.sqlite-journal, and that cannot be changed: ";
    assert!(message.starts_with(told), "{message}");

    // The directory of something else stays as it is, whatever version that has.
    let foreign = directory.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("index.html"), "").unwrap();
    open(&foreign, 0o755);
    let others = "error: others than you can enter DIR, and it holds other files: choose another directory with --data-dir, or \
         `chmod 700` it first\n";
    let version = "error: DIR is not a data directory of this program, and it holds a file version: choose another \
                   directory with --data-dir\n";
    for (content, expected) in [(None, others), (Some("1\n"), others), (Some("2.3.1"), version)] {
        if let Some(content) = content {
            std::fs::write(foreign.join("version"), content).unwrap();
        }
        let before = std::fs::read_dir(&foreign).unwrap().count();
        assert_eq!(refusal(&foreign).await, expected);
        assert_eq!((mode(&foreign), std::fs::read_dir(&foreign).unwrap().count()), (0o755, before));
    }
    // A start that was interrupted is gone on with.
    std::fs::remove_file(foreign.join("index.html")).unwrap();
    std::fs::write(foreign.join("version"), "1").unwrap();
    drop(embedded_in(&foreign).await);
    assert_eq!(mode(&foreign), 0o700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_data_directory_ends_the_system_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut served = embedded_in(&data_dir).await;
    served.client.get("/api/users/exists?Email=a%40example.com").send().await.assert_ok(200);
    std::fs::remove_dir_all(&data_dir).unwrap();
    assert_eq!(served.process.wait().await.unwrap().code(), Some(1));
    let mut stderr = String::new();
    served.process.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
    let message = format!("{} is gone, and what was kept there", data_dir.display());
    assert!(stderr.contains(&message), "{stderr}");
}

/// A limit on the size of files does to a process what a full disk does, and needs no disk.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_writes_are_a_503_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$@\"", "sh"]).arg(built_binaries().join("users"));
    let mut served = Served::spawn(shell, &embedded(&data_dir)).await;
    let create = async |served: &Served, email: &str| {
        let body = json!({ "FirstName": "F", "LastName": "U", "Email": email });
        served.client.post("/api/users", body.to_string()).bearer(served.admin()).send().await
    };
    // What is left may hold a write that touches fewer pages than the one that was refused.
    let (mut answered, mut refused_in_a_row) = (Vec::new(), 0);
    for n in 0.. {
        assert!(n < 5000, "the disk is never full");
        let email = format!("n{n}@example.com");
        let answer = create(&served, &email).await;
        if answer.status == 201 {
            answered.push(email);
            refused_in_a_row = 0;
        } else {
            answer.assert_problem(503);
            refused_in_a_row += 1;
        }
        if refused_in_a_row == 10 {
            break;
        }
    }
    served.client.get("/api/users/organizations").bearer(served.admin()).send().await.assert_ok(200);
    served.process.kill().await.unwrap();

    let served = embedded_in(&data_dir).await;
    create(&served, "more@example.com").await.assert_ok(201);
    for email in &answered {
        assert_eq!(create(&served, email).await.status, 200, "lost: {email}");
    }
}
