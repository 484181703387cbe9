//! The command `users`.

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{ACME, GLOBEX, JANE, World, built_binaries};
use crate::table::faults::Proxy;

/// Runs `users`.
pub async fn users(arguments: &[&str]) -> Output {
    users_command().args(arguments).env("NO_COLOR", "1").output().await.unwrap()
}

/// `users`, with nothing of this machine's own.
pub fn users_command() -> Command {
    let mut command = Command::new(users_binary());
    isolate(&mut command);
    command
}

/// Keeps from a command the environment's settings of `users`, the local systems that are not of these tests, and the
/// terminal that the tests may run on.
pub fn isolate(command: &mut Command) {
    command.envs([RUNTIME_DIR]).stdin(std::process::Stdio::null());
    for name in VARIABLES {
        command.env_remove(name);
    }
}

/// Where the tests' local systems say that they run.
pub const RUNTIME_DIR: (&str, &str) = ("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"));
/// The environment's settings of `users`.
pub const VARIABLES: [&str; 3] = ["USERS_DATA_DIR", "USERS_ENDPOINT_URL", "USERS_TABLE"];

/// Where `users` is.
pub fn users_binary() -> PathBuf {
    built_binaries().join("users")
}

/// The command on a world's table.
pub struct Cli {
    pub world: World,
}

impl Cli {
    pub async fn start() -> Self {
        Self { world: World::start_now().await }
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut all = arguments.to_vec();
        all.extend(["--endpoint-url", &self.world.system.dynamodb_url]);
        if !arguments.contains(&"--table") {
            all.extend(["--table", self.world.table().name()]);
        }
        users(&all).await
    }

    pub async fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.run(&all).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub async fn refused(&self, arguments: &[&str], message: &str) {
        let output = self.run(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(message), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_is_put_got_and_listed() {
    let cli = Cli::start().await;
    let put = ["organization", "put", "--id", "org_new", "--name", "New & Co", "--slug", "new-co"];
    let expected = json!({ "OrganizationId": "org_new", "Name": "New & Co", "Slug": "new-co" });
    assert_eq!(cli.json(&put).await, expected);
    assert_eq!(cli.json(&["organization", "get", "--id", "org_new"]).await, expected);
    let list = cli.json(&["organization", "list"]).await;
    let ids: Vec<_> =
        list.as_array().unwrap().iter().map(|o| o["OrganizationId"].as_str().unwrap()).collect();
    assert_eq!(ids, [ACME, GLOBEX, "org_new"]);
    let readable = cli.run(&["organization", "list"]).await;
    insta::assert_snapshot!(String::from_utf8(readable.stdout).unwrap());
    cli.refused(&["organization", "get", "--id", "org_none"], "there is no organization org_none").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_found_by_id_and_by_email() {
    let cli = Cli::start().await;
    let by_id = cli.json(&["user", "get", "--id", JANE]).await;
    assert_eq!(by_id["Email"], "jane@example.com");
    assert_eq!(by_id["OrganizationIds"], json!([ACME, GLOBEX]));
    assert_eq!(cli.json(&["user", "get", "--email", "JANE@example.com"]).await, by_id);
    cli.refused(&["user", "get", "--id", "kp_none"], "there is no such user").await;
    cli.refused(&["user", "get", "--email", "none@example.com"], "there is no such user").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_account_is_associated_and_dissociated() {
    let cli = Cli::start().await;
    let john = cli.world.user_id_of("john@example.com").await.unwrap();
    let pair = ["--user", john.as_str(), "--organization", ACME];
    let associate = |number| [&["customer", "associate", "--number", number][..], &pair].concat();
    assert_eq!(cli.json(&associate("C-1")).await["CustomerNumber"], "C-1");
    assert_eq!(cli.json(&associate("C-2")).await["CustomerNumber"], "C-2");
    let answer = cli.world.get(&format!("/api/users/customer-association?UserId={john}"));
    assert_eq!(answer.bearer(cli.world.admin(ACME)).send().await.assert_ok(200)["CustomerNumber"], "C-2");

    let dissociate = [&["customer", "dissociate"][..], &pair].concat();
    assert_eq!(cli.json(&dissociate).await["CustomerNumber"], "C-2");
    cli.refused(&dissociate, "has no customer account").await;
    let of = |user, organization| {
        ["customer", "associate", "--number", "C-3", "--user", user, "--organization", organization]
    };
    cli.refused(&of("kp_none", ACME), "there is no user kp_none").await;
    cli.refused(&of(JANE, "org_none"), "there is no organization org_none").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dissociate_shows_is_what_it_deleted_and_no_earlier_look() {
    let cli = Cli::start().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let count = move |_: &[u8]| {
        counter.fetch_add(1, Ordering::SeqCst);
        None
    };
    let proxy = Proxy::scheduled(cli.world.dynamodb_address(), count).await;
    let pair = ["--user", JANE, "--organization", ACME];
    let through = ["--endpoint-url", &proxy.url, "--table", cli.world.table().name(), "--json"];
    let output = users(&[&["customer", "dissociate"][..], &pair, &through].concat()).await;
    let deleted: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&deleted["CustomerNumber"], calls.load(Ordering::SeqCst)), (&json!("C-10042"), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_created_once_and_described() {
    let cli = Cli::start().await;
    let another = format!("{}-another", cli.world.table().name());
    let created = cli.json(&["table", "create", "--table", &another]).await;
    assert_eq!(
        created,
        json!({
            "TableName": another, "Status": "ACTIVE", "Keys": ["PK", "SK"], "TtlAttribute": "ExpiresAt",
            "ItemCount": 0,
        })
    );
    assert_eq!(cli.json(&["table", "describe", "--table", &another]).await, created);
    cli.refused(&["table", "create", "--table", &another], "is there already").await;
    let off = json!({ "Enabled": false, "AttributeName": "ExpiresAt" });
    let off = json!({ "TableName": another, "TimeToLiveSpecification": off });
    cli.world.dynamodb("UpdateTimeToLive", &off).await;
    let described = cli.json(&["table", "describe", "--table", &another]).await;
    assert_eq!(described["TtlAttribute"], json!(null));
    cli.refused(&["table", "describe", "--table", "none"], "there is no table none").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_cannot_be_reached_is_said_in_one_line() {
    let output = users(&["user", "get", "--id", JANE, "--endpoint-url", "http://127.0.0.1:1"]).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("error: the table cannot be used"), "{error}");
    assert_no_debug_text(&error);
}

/// Rust's debug text has braces after a type's name, and the SDK's has its own names.
pub fn assert_no_debug_text(text: &str) {
    for part in [" {", "DispatchFailure", "ConnectorError", "Some(", "Unhandled"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aws_that_cannot_be_used_is_said_without_debug_text() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = directory.path().join("nothing");
    for arguments in [&["--profile", "nobody"][..], &["--region", "eu-central-1"], &["--profile", "default"]]
    {
        let mut command = users_command();
        command.args(["organization", "list", "--endpoint-url", "http://127.0.0.1:1"]).args(arguments);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_PROFILE"] {
            command.env_remove(name);
        }
        command.env("AWS_CONFIG_FILE", &nothing).env("AWS_SHARED_CREDENTIALS_FILE", &nothing);
        let output = command.env("AWS_EC2_METADATA_DISABLED", "true").output().await.unwrap();
        assert!(matches!(output.status.code(), Some(1 | 3)), "{output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert_no_debug_text(&error);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_alone_on_stdout_and_its_key_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let token = |expires_in: &'static str| {
        let data_dir = data_dir.to_str().unwrap().to_owned();
        async move {
            let arguments = [
                "token",
                "--user",
                JANE,
                "--organization",
                ACME,
                "--role",
                "Admin",
                "Customer",
                "--email",
                "jane@example.com",
                "--expires-in",
                expires_in,
                "--data-dir",
                &data_dir,
            ];
            let output = users(&arguments).await;
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let token = String::from_utf8(output.stdout).unwrap();
            assert_eq!((token.lines().count(), token.trim_end().split('.').count()), (1, 3));
            token.trim_end().to_owned()
        }
    };
    let world = World::start_in(&data_dir).await;
    let (good, expired) = (token("3600").await, token("-3600").await);

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir.join("signing-key.p8")), 0o600);
        assert_eq!(mode(&data_dir), 0o700);
    }

    let profile = |token: String| world.get("/api/users/profile").bearer(format!("Bearer {token}"));
    profile(good).send().await.assert_ok(200);
    profile(expired).send().await.assert_problem(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_network_that_are_wrong_are_refused() {
    for (name, value) in [
        ("AWS_CA_BUNDLE", "/no/such/file"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "1"),
        ("AWS_USE_FIPS_ENDPOINT", "yes"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:1"),
    ] {
        let mut command = users_command();
        command.args(["user", "get", "--id", JANE, "--region", "eu-west-1"]).env(name, value);
        let output = command.output().await.unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("wrong settings: {name} ")), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_usage_is_exit_status_2() {
    for wrong in [
        &["nonsense"][..],
        &["token", "--user", "a b", "--organization", "o", "--role", "Admin"],
        &["token", "--port", "3000", "--data-dir", "x"],
        &["serve", "--memory", "--table", "t2"],
        &["table", "describe", "--table", "a table"],
        &["user", "get"],
        &["user", "get", "--id", "u", "--email", "a@example.com"],
        &["organization", "put", "--id", "o", "--name", "n", "--slug", "No Slug"],
        &["serve", "--memory", "--data-dir", "x"],
        &["serve", "--endpoint-url", "http://127.0.0.1:1", "--dynamodb-port", "1"],
    ] {
        assert_eq!(users(wrong).await.status.code(), Some(2), "{wrong:?}");
    }
}
