//! `users import` and `users export`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Child;

use crate::endpoints::requests::{exception, scripted_table};
use crate::harness::{ACME, GLOBEX, JANE, World, text};
use crate::table::faults::{Fault, Proxy, operation_of};
use crate::tooling::command_line::{Cli, users, users_command};

/// A command line with a folder for files.
pub struct Desk {
    pub cli: Cli,
    folder: TempDir,
}

impl Desk {
    pub async fn start() -> Self {
        Self { cli: Cli::start().await, folder: tempfile::tempdir().unwrap() }
    }

    pub fn world(&self) -> &World {
        &self.cli.world
    }

    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Imports, and gives what was printed and what the report says. Replaces the report of an earlier import.
    pub async fn import(&self, file: &str, arguments: &[&str]) -> (Value, Vec<String>) {
        let output = self.cli.run(&[&["import", file, "--json", "--force"], arguments].concat()).await;
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let refused = printed["Refused"].as_u64().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(refused > 0)), "{output:?}");
        let report = printed["Report"].as_str().map(|report| std::fs::read_to_string(report).unwrap());
        (printed, report.iter().flat_map(|report| report.lines().skip(1)).map(Into::into).collect())
    }

    pub async fn user(&self, email: &str) -> Value {
        self.cli.json(&["user", "get", "--email", email]).await
    }

    /// The items of users, by key, without the times and ids that an import of plain rows makes.
    pub async fn hash_of(&self, email: &str) -> String {
        let id = self.world().user_id_of(email).await.unwrap();
        let credential = self.world().partition(&format!("CREDENTIAL#{id}")).await;
        credential.first().map(|item| text(item, "PasswordHash")).unwrap_or_default()
    }
}

pub fn counts(printed: &Value) -> [u64; 5] {
    ["Rows", "Created", "Existing", "Organizations", "Refused"].map(|name| printed[name].as_u64().unwrap())
}

pub fn provided(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("acceptance/tooling/transfer");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

const CSV: &str = "FirstName,LastName,Email,PhoneNumber,Shoe size\n\
    Ann,Archer,ann@example.com,561-555-1212,37\n\
    Jane,Twice,JANE@example.com,,\n\
    Ben,\"van \"\"B\"\" Dyke\",ben@example.com,,\"4\n2\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_what_an_import_does_and_writes_nothing() {
    let desk = Desk::start().await;
    let file =
        desk.file("users.csv", &format!("{CSV}No,Address,,,\nToo,Short\nNo,Phone,carl@example.com,none,\n"));
    let before = desk.world().items().await;
    let (printed, report) = desk.import(&file, &["--dry-run", "--organization", GLOBEX]).await;
    assert_eq!(printed["DryRun"], true);
    assert_eq!(counts(&printed), [6, 2, 1, 0, 3]);
    let expected = [
        "6,refused,Email,is required",
        "7,refused,,\"The row has 2 cells, where the first line has 5 columns.\"",
        "8,refused,PhoneNumber,must consist of digits, spaces and + - . ( ) x #",
    ];
    assert_eq!(
        report.iter().map(|line| line.replace('"', "")).collect::<Vec<_>>(),
        expected.map(|l| l.replace('"', ""))
    );
    assert_eq!(desk.world().items().await, before);
    assert_eq!(files(&desk), ["users.csv", "users.csv.report.csv"]);

    let (printed, again) = desk.import(&file, &["--organization", GLOBEX]).await;
    assert_eq!((counts(&printed), again), ([6, 2, 1, 0, 3], report));
    assert_eq!(files(&desk), ["users.csv", "users.csv.report.csv"]);
    let ann = desk.user("ann@example.com").await;
    assert_eq!((&ann["FirstName"], &ann["PhoneNumber"]), (&json!("Ann"), &json!("561-555-1212")));
    assert_eq!(ann["OrganizationIds"], json!([GLOBEX]));
    assert_eq!(desk.user("ben@example.com").await["LastName"], "van \"B\" Dyke");
    // Who was there is as before, in one more organization.
    let jane = desk.user("jane@example.com").await;
    assert_eq!((&jane["UserId"], &jane["LastName"]), (&json!(JANE), &json!("Smith")));
    assert_eq!(jane["OrganizationIds"], json!([ACME, GLOBEX]));

    // The third time there is nothing left to do.
    let before = desk.world().items().await;
    let (printed, _) = desk.import(&file, &["--organization", GLOBEX]).await;
    assert_eq!(counts(&printed), [6, 0, 3, 0, 3]);
    assert_eq!(desk.world().items().await, before);
}

fn files(desk: &Desk) -> Vec<String> {
    let entries = std::fs::read_dir(desk.folder.path()).unwrap();
    let names: BTreeSet<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_row_is_reported_by_line_field_and_reason() {
    let desk = Desk::start().await;
    let mut good = json!({ "FirstName": "Ann", "LastName": "Archer", "Email": "ann@example.com" });
    good["EmailVerified"] = json!(true);
    let row = |field: &str, value: Value| {
        let mut row = good.clone();
        row[field] = value;
        row.to_string()
    };
    let mut another = good.clone();
    another["UserId"] = json!(JANE);
    another["Email"] = json!("another@example.com");
    let membership = |id: &str| json!([{ "OrganizationId": id }]);
    let cases = [
        ("not JSON canary".to_owned(), ",\"The row is not JSON.\""),
        ("[\"canary\"]".to_owned(), ",The row is not a JSON object."),
        (row("FirstName", json!("")), "FirstName,must be 1 to 100 characters long"),
        (row("LastName", json!(7)), "LastName,must be a text"),
        (row("Email", json!("canary")), "Email,must be a valid e-mail address"),
        (row("Email", Value::Null), "Email,is required"),
        (row("UserId", json!("canary #")), "UserId,must be printable ASCII without white space or #"),
        (
            row("UserId", json!("operator")),
            "UserId,\"must not be operator or deleted-user, which are nobody's ids\"",
        ),
        (
            row("UserId", json!("deleted-user")),
            "UserId,\"must not be operator or deleted-user, which are nobody's ids\"",
        ),
        (another.to_string(), "UserId,An account with another e-mail address has this id."),
        (row("PreferredEmail", json!("canary")), "PreferredEmail,must be a valid e-mail address"),
        (row("PhoneNumber", json!("canary")), "PhoneNumber,must consist of digits, spaces and + - . ( ) x #"),
        (row("Password", json!("canary")), "Password,must be 8 to 128 characters long"),
        (
            row("PasswordHash", json!("canary")),
            "PasswordHash,must be a hash by argon2id, bcrypt or PBKDF2 in the PHC string format or bcrypt's own",
        ),
        (row("CreatedAt", json!("canary")), "CreatedAt,must be a time such as 2026-01-02T03:04:05Z"),
        (row("CreatedBy", json!("a canary")), "CreatedBy,must be printable ASCII without white space or #"),
        (
            row("OrganizationId", json!("org_none")),
            "OrganizationId,There is no organization org_none: `users organization put` makes it.",
        ),
        (
            row("Memberships", json!("canary")),
            "Memberships,must be a JSON array of objects with the fields of one",
        ),
        (
            row("Memberships", membership("a canary")),
            "Memberships,must be printable ASCII without white space or #",
        ),
        (
            row("Memberships", json!([{ "OrganizationId": ACME, "JoinedAt": "canary" }])),
            "Memberships,must be a time such as 2026-01-02T03:04:05Z",
        ),
        (
            row("Memberships", json!([{ "OrganizationId": ACME }, { "OrganizationId": ACME }])),
            "Memberships,must not name an organization twice",
        ),
        (
            row("CustomerAssociations", json!([{ "OrganizationId": ACME }])),
            "CustomerAssociations,must be a JSON array of objects with the fields of one",
        ),
        (
            row("CustomerAssociations", json!([{ "OrganizationId": ACME, "CustomerNumber": "" }])),
            "CustomerAssociations,must be 1 to 128 characters long",
        ),
        (
            row("EmailVerified", json!(false)),
            "Email,was not verified where it comes from: whoever signed up with it may not have it",
        ),
        (
            json!({ "OrganizationId": "org_new", "Name": "New", "Slug": "A canary" }).to_string(),
            "Slug,must be 1 to 63 of a-z, 0-9 and -, with no - at either end",
        ),
    ];
    let lines: Vec<_> = cases.iter().map(|(line, _)| line.as_str()).collect();
    let file = desk.file("users.jsonl", &format!("{good}\n{}\n", lines.join("\n")));
    let before = desk.world().items().await.len();
    let (printed, report) = desk.import(&file, &["--organization", ACME]).await;
    assert_eq!(counts(&printed), [26, 1, 0, 0, 25]);
    for ((number, (_, expected)), line) in (2..).zip(&cases).zip(&report) {
        let expected = format!("{number},refused,{expected}");
        assert_eq!(line.replace('"', ""), expected.replace('"', ""));
        assert!(!line.contains("canary"), "{line}");
    }
    assert_eq!(report.len(), cases.len());
    // Claim, user, membership.
    assert_eq!(desk.world().items().await.len(), before + 3);

    let file = desk.file("nowhere.jsonl", &good.to_string());
    let (_, report) = desk.import(&file, &[]).await;
    assert_eq!(report, ["1,refused,OrganizationId,\"is required here, or --organization for all\""]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_hashed_and_a_hash_is_taken_over() {
    let desk = Desk::start().await;
    let bcrypt = "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S";
    let rows = format!(
        "FirstName,LastName,Email,Password,PasswordHash\n\
         Ann,A,ann@example.com,SecurePass123!,\nBen,B,ben@example.com,,{bcrypt}\nCy,C,cy@example.com,,\n\
         Di,D,di@example.com,SecurePass123!,{bcrypt}\n"
    );
    let file = desk.file("users.csv", &rows);
    let (printed, report) = desk.import(&file, &["--organization", ACME]).await;
    assert_eq!(counts(&printed), [4, 3, 0, 0, 1]);
    assert_eq!(report, ["5,refused,Password,must not be given beside PasswordHash"]);
    assert!(desk.hash_of("ann@example.com").await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(desk.hash_of("ben@example.com").await, bcrypt);
    assert_eq!(desk.hash_of("cy@example.com").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_providers_export_is_recognised() {
    const ANN_OF_KEYCLOAK: &str =
        "$argon2id$v=19$m=7168,t=5,p=1$c29tZS1zYWx0LTAwMDAwMQ$4ebNy1PfgtqmDQrdi9PFxOHmzctT34LapQ0K3YvTxcU";
    const BCRYPT: &str = "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S";
    let not_verified =
        "refused,Email,was not verified where it comes from: whoever signed up with it may not have it";
    for (name, ids, ann_hash, ben_last, phones, refused) in [
        (
            "auth0.ndjson",
            Some(["auth0|60425da93519d90068f82966", "google-oauth2|103547991597142817347"]),
            BCRYPT,
            "Dyke",
            [None, Some("+14155550123")],
            vec![format!("3,{not_verified}")],
        ),
        (
            "auth0.csv",
            Some(["auth0|60425da93519d90068f82966", "google-oauth2|103547991597142817347"]),
            BCRYPT,
            "Dyke",
            [None, None],
            vec![format!("4,{not_verified}")],
        ),
        (
            "keycloak.json",
            Some(["b8f0ad5e-8a3b-4b0e-8f3e-2f9f5c6d7e81", "0e7e5a0b-7a0a-4f4e-8b67-3d1c0e7f9a02"]),
            ANN_OF_KEYCLOAK,
            "Dyke",
            [Some("+14155550123"), None],
            vec![
                "3,note,PasswordHash,The password was not taken over: md5 is too weak to be kept.".to_owned(),
                "4,refused,FirstName,is required".to_owned(),
                "4,refused,LastName,is required".to_owned(),
                "4,refused,Email,is required".to_owned(),
                format!("4,{not_verified}"),
                format!("5,{not_verified}"),
            ],
        ),
        (
            "cognito.json",
            Some(["eaad0219-2117-439f-8d46-4db20e59268f", "2b0f7d6c-0d3b-4a53-9e9f-0a6a0a2d3c02"]),
            "",
            "Dyke",
            [Some("+14155550123"), None],
            vec![format!("3,{not_verified}")],
        ),
        ("cognito.csv", None, "", "Dyke", [Some("+14155550123"), None], vec![format!("4,{not_verified}")]),
    ] {
        let desk = Desk::start().await;
        let file = desk.file(name, &provided(name));
        let hashes = desk.file("hashes.ndjson", &provided("auth0-hashes.ndjson"));
        let hashes: &[&str] = if name.starts_with("auth0") { &["--password-hashes", &hashes] } else { &[] };
        let (printed, report) = desk.import(&file, &[&["--organization", ACME], hashes].concat()).await;
        let created = if name == "keycloak.json" { 3 } else { 2 };
        assert_eq!(printed["Created"], created, "{name} {printed}");
        let report: Vec<_> = report.iter().map(|line| line.replace('"', "")).collect();
        assert_eq!(report, refused, "{name}");
        let (ann, ben) = (desk.user("ann@example.com").await, desk.user("ben@example.com").await);
        assert_eq!((&ann["FirstName"], &ann["LastName"]), (&json!("Ann"), &json!("Archer")), "{name}");
        assert_eq!(ben["LastName"], ben_last, "{name}");
        assert_eq!([&ann["PhoneNumber"], &ben["PhoneNumber"]].map(Value::as_str), phones, "{name}");
        match ids {
            Some(ids) => assert_eq!([&ann["UserId"], &ben["UserId"]], ids, "{name}"),
            None => assert!(ann["UserId"].as_str().unwrap().starts_with("user_")),
        }
        assert_eq!(desk.hash_of("ann@example.com").await, ann_hash, "{name}");
        if name != "cognito.csv" {
            let user = &desk.world().partition(&format!("USER#{}", ids.unwrap()[0])).await[1];
            assert_eq!(text(user, "CreatedAt"), "2021-03-05T16:34:49.502Z", "{name}");
        }
        assert_eq!(desk.world().user_id_of("victim@example.com").await, None, "{name}");
        // Where the operator knows better.
        let accept = [&["--organization", ACME, "--accept-unverified"], hashes].concat();
        desk.import(&file, &accept).await;
        assert!(desk.world().user_id_of("victim@example.com").await.is_some(), "{name}");
        if name == "cognito.json" {
            continue;
        }
        // What is not recognised can be said.
        let other = [&["--organization", ACME, "--from", "users"], hashes].concat();
        let (printed, _) = desk.import(&file, &other).await;
        assert_eq!(printed["Created"], 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keycloaks_pbkdf2_is_told_in_the_phc_string_format() {
    let desk = Desk::start().await;
    let file = desk.file("realm.json", &provided("keycloak.json"));
    desk.import(&file, &["--organization", ACME]).await;
    assert_eq!(
        desk.hash_of("ben@example.com").await,
        "$pbkdf2-sha256$i=27500$c2FsdC1vZi1iZW4tMDE$\
         S2V5Y2xvYWsga2VlcHMgc2l4dHktZm91ciBieXRlcyBvZiBhIFBCS0RGMiBrZXksIGFzIFNIQS01MTIgZG9lcw"
    );
}

/// Rows of users of Acme Corp.
fn rows(count: usize) -> String {
    let row = |n| format!("First{n},Last,user{n}@example.com,C-{n},{ACME}\n");
    let rows: String = (0..count).map(row).collect();
    format!("FirstName,LastName,Email,CustomerNumber,OrganizationId\n{rows}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_goes_on_where_it_was() {
    let desk = Desk::start().await;
    let file = desk.file("users.csv", &format!("{}No,Address,,,{ACME}\n", rows(450)));
    let held = Arc::new(AtomicUsize::new(0));
    let counter = held.clone();
    // Every transaction from the twelfth on is held, until the import was killed.
    let schedule = move |request: &[u8]| {
        let is_transaction = request.windows(18).any(|part| part == b"TransactWriteItems");
        let is_late = is_transaction && (12..1000).contains(&counter.fetch_add(1, Ordering::SeqCst));
        is_late.then_some(Fault::BlackHole)
    };
    let proxy = Proxy::scheduled(desk.world().dynamodb_address(), schedule).await;
    let table = ["--endpoint-url", &proxy.url, "--table", desk.world().table().name()];
    let arguments = [&["import", &file], &table[..]].concat();
    let mut import = spawn(&arguments);
    while held.load(Ordering::SeqCst) < 13 {
        assert_eq!(import.try_wait().unwrap(), None, "it ended by itself");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    import.kill().await.unwrap();
    let note = desk.path("users.csv.import-progress");
    let noted: Value = serde_json::from_slice(&std::fs::read(&note).unwrap()).unwrap();
    let rows_done = noted["Position"]["Counts"]["Rows"].as_u64().unwrap();
    assert!((100..450).contains(&rows_done), "{noted}");

    held.store(1000, Ordering::SeqCst);
    let output = finish(spawn(&arguments)).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with(&format!("Going on after {rows_done} rows; --restart begins anew.\n")),
        "{told}"
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<Vec<_>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [["Rows", "451"], ["Refused", "1"]] {
        assert!(printed.iter().any(|printed| *printed == line), "{printed:?}");
    }
    assert!(!note.exists());
    let report = std::fs::read_to_string(desk.path("users.csv.report.csv")).unwrap();
    assert_eq!(report, "Line,Outcome,Field,Reason\n452,refused,Email,is required\n");
    assert_imported(&desk, 450).await;
}

/// Every user of [`rows`] is there once, with all that belongs to it.
async fn assert_imported(desk: &Desk, count: usize) {
    let items = desk.world().items().await;
    let imported = |item: &&Value| text(item, "PK").starts_with("USER#user_");
    let of_kind =
        |kind: &str| items.iter().filter(imported).filter(|item| text(item, "SK").starts_with(kind)).count();
    assert_eq!(["PROFILE", "MEMBERSHIP#", "CUSTOMER#"].map(of_kind), [count; 3]);
    let claims = items.iter().filter(|item| text(item, "PK").starts_with("EMAIL#user"));
    let holders: BTreeSet<_> = claims.map(|item| text(item, "UserId")).collect();
    let users: BTreeSet<_> =
        items.iter().filter(imported).map(|item| text(item, "PK").replace("USER#", "")).collect();
    assert_eq!((holders.len(), &holders), (count, &users));
}

fn spawn(arguments: &[&str]) -> Child {
    let mut command = users_command();
    command.args(arguments).env("NO_COLOR", "1").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().unwrap()
}

async fn finish(child: Child) -> Output {
    child.wait_with_output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_table_ends_an_import_with_3_and_it_resumes() {
    let desk = Desk::start().await;
    let file = desk.file("users.csv", &rows(300));
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let schedule = move |_: &[u8]| {
        (12..1000).contains(&counter.fetch_add(1, Ordering::SeqCst)).then_some(Fault::Throttled)
    };
    let proxy = Proxy::scheduled(desk.world().dynamodb_address(), schedule).await;
    let arguments = ["import", &file, "--endpoint-url", &proxy.url, "--table", desk.world().table().name()];
    let output = finish(spawn(&arguments)).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    calls.store(1000, Ordering::SeqCst);
    let output = finish(spawn(&arguments)).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_imported(&desk, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_import_is_the_same_or_refused() {
    let desk = Desk::start().await;
    let users = format!("FirstName,LastName,Email\nNo,Address,\n{}", plain_rows(300));
    let file = desk.file("users.csv", &users);
    let hash = "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S";
    let hashes: String = (0..300)
        .map(|n| json!({ "Email": format!("user{n}@example.com"), "PasswordHash": hash }))
        .fold(String::new(), |all, row| format!("{all}{row}\n"));
    let hashes_file = desk.file("hashes.jsonl", &hashes);
    let note = desk.path("users.csv.import-progress");
    let report = desk.path("report.csv");
    let report_name = report.to_str().unwrap();
    let is_down = Arc::new(AtomicBool::new(true));
    let proxy = Proxy::scheduled(desk.world().dynamodb_address(), {
        let (calls, is_down) = (AtomicUsize::new(0), is_down.clone());
        move |request| {
            let is_transaction = request.windows(18).any(|part| part == b"TransactWriteItems");
            let is_late = is_transaction && calls.fetch_add(1, Ordering::SeqCst) >= 5;
            (is_late && is_down.load(Ordering::SeqCst)).then_some(Fault::Throttled)
        }
    })
    .await;
    let table = ["--endpoint-url", &proxy.url, "--table", desk.world().table().name()];
    let base = [&["import", &file, "--json"], &table[..]].concat();
    let same = ["--organization", ACME, "--password-hashes", &hashes_file, "--report", report_name];
    let run = async |arguments: &[&str]| finish(spawn(&[&base, arguments].concat())).await;
    assert_eq!(run(&same).await.status.code(), Some(3));
    let noted = std::fs::read(&note).unwrap();
    assert_private(&note);
    let reported = std::fs::read_to_string(&report).unwrap();
    assert_eq!(reported, "Line,Outcome,Field,Reason\n2,refused,Email,is required\n");
    assert_private(&report);

    // Any other argument, and any other content of a file, is another job.
    is_down.store(false, Ordering::SeqCst);
    let other_report = desk.path("other.csv");
    let others: [&[&str]; 9] = [
        &same[..4],
        &["--organization", ACME, "--report", report_name],
        &["--organization", GLOBEX, "--password-hashes", &hashes_file, "--report", report_name],
        &[&same[..4], &["--report", other_report.to_str().unwrap()]].concat(),
        &[&same[..], &["--from", "users"]].concat(),
        &[&same[..], &["--raw"]].concat(),
        &[&same[..], &["--accept-unverified"]].concat(),
        &[&same[..], &["--skip-disabled"]].concat(),
        &[&same[..], &["--default-name", "X"]].concat(),
    ];
    let assert_refused = async |arguments: &[&str], why: &str| {
        let output = run(arguments).await;
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(why) && told.contains("--restart"), "{arguments:?}: {told}");
        assert_eq!(std::fs::read(&note).unwrap(), noted, "{arguments:?}");
        assert_eq!(std::fs::read_to_string(&report).unwrap(), reported, "{arguments:?}");
    };
    for arguments in others {
        assert_refused(arguments, "was interrupted after 100 rows, with ").await;
    }
    for (path, content) in [(&file, &users), (&hashes_file, &hashes)] {
        let time = std::fs::metadata(path).unwrap().modified().unwrap();
        let changed = content.replacen("First7,", "First8,", 1).replacen("wrlbfp5eb5", "wrlbfp5eb6", 1);
        assert!(changed != *content && changed.len() == content.len());
        std::fs::write(path, changed).unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        assert_refused(&same, "with another content of the files").await;
        std::fs::write(path, content).unwrap();
    }
    // The report is what it was, or the import does not continue.
    std::fs::write(&report, reported.replace("required", "REQUIRED")).unwrap();
    let output = run(&same).await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("was changed: put it back"));
    std::fs::write(&report, &reported).unwrap();
    // What came after the last note is written again.
    std::fs::write(&report, format!("{reported}3,refused,,half a li")).unwrap();

    let output = run(&same).await;
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((printed["Rows"].as_u64(), printed["Refused"].as_u64()), (Some(301), Some(1)));
    assert!(!String::from_utf8(output.stderr).unwrap().contains("Warning"), "each hash is used");
    assert_eq!(std::fs::read_to_string(&report).unwrap(), reported);
    assert!(!note.exists());
    let items = desk.world().items().await;
    let with_hash = items.iter().filter(|item| text(item, "PasswordHash") == hash).count();
    assert_eq!(with_hash, 300, "every user has the password");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_import_goes_on_in_its_own_table_only() {
    let desk = Desk::start().await;
    let file = desk.file("users.csv", &rows(300));
    let proxy = late_transactions_fail(desk.world()).await;
    let name = desk.world().table().name().to_owned();
    let import = ["import", &file, "--table", &name, "--endpoint-url", &proxy.url];
    assert_eq!(finish(spawn(&import)).await.status.code(), Some(3));
    let progress = std::fs::read(desk.path("users.csv.import-progress")).unwrap();
    // The table is deleted, and there is another one with its name.
    desk.world().dynamodb("DeleteTable", &json!({ "TableName": name })).await;
    assert!(desk.world().table().create().await.unwrap());
    let output = finish(spawn(&import)).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("with another table of this name") && told.contains("--restart"), "{told}");
    assert_eq!(std::fs::read(desk.path("users.csv.import-progress")).unwrap(), progress);
    assert!(desk.world().items().await.is_empty(), "nothing was imported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_import_leaves_another_imports_report() {
    let desk = Desk::start().await;
    let header = "FirstName,LastName,Email\n";
    let file = desk.file("users.csv", &format!("{header}{}", plain_rows(300)));
    let other = desk.file("other.csv", &format!("{header}No,Address,\n"));
    let proxy = late_transactions_fail(desk.world()).await;
    let table = ["--organization", ACME, "--table", desk.world().table().name()];
    let report = desk.path("report.csv");
    let shared = ["--report", report.to_str().unwrap(), "--endpoint-url", &proxy.url];
    let import = [&["import", &file], &table[..], &shared].concat();
    assert_eq!(finish(spawn(&import)).await.status.code(), Some(3));
    let output = finish(spawn(&[&["import", &other], &table[..], &shared].concat())).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let reported = std::fs::read_to_string(&report).unwrap();
    assert_eq!(reported, "Line,Outcome,Field,Reason\n2,refused,Email,is required\n");
    let output = finish(spawn(&import)).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("--force replaces it"));
    assert_eq!(std::fs::read_to_string(&report).unwrap(), reported);
    // That is no other job: it goes on where it was.
    let output = finish(spawn(&[&import[..], &["--force"]].concat())).await;
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("Going on after 100 rows"));
    assert!(!report.exists());
}

/// A proxy that fails every transaction after those of the first hundred rows.
async fn late_transactions_fail(world: &World) -> Proxy {
    let calls = AtomicUsize::new(0);
    Proxy::scheduled(world.dynamodb_address(), move |request| {
        let is_transaction = request.windows(18).any(|part| part == b"TransactWriteItems");
        (is_transaction && calls.fetch_add(1, Ordering::SeqCst) >= 5).then_some(Fault::Throttled)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_writes_over_no_file_but_its_own_report() {
    let desk = Desk::start().await;
    let users = format!("FirstName,LastName,Email\nNo,Address,\n{}", plain_rows(2));
    let file = desk.file("users.csv", &users);
    let hash = "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S";
    let hashes =
        desk.file("hashes.jsonl", &json!({ "Email": "a@example.com", "PasswordHash": hash }).to_string());
    let foreign = desk.file("foreign.csv", "Line,Item\n1,mine\n");
    let longer = desk.file("longer.csv", "Line,Outcome,Field,Reason,MyNotes\n2,refused,x,y,precious\n");
    std::fs::hard_link(&file, desk.path("hard-link.csv")).unwrap();
    std::os::unix::fs::symlink(&file, desk.path("link.csv")).unwrap();
    std::os::unix::fs::symlink(desk.path("nowhere"), desk.path("dangling.csv")).unwrap();
    std::fs::create_dir(desk.path("folder")).unwrap();
    let before = files(&desk);
    let contents = || {
        let names = files(&desk);
        names.into_iter().map(|name| std::fs::read(desk.path(&name)).ok()).collect::<Vec<_>>()
    };
    let contents_before = contents();
    let relative = format!("{}/folder/../users.csv", desk.path("").display());
    let read = "is a file that this command reads";
    let stays = "it is not the report of an import: it stays";
    for (name, why) in [
        (file.as_str(), read),
        (&relative, read),
        (desk.path("hard-link.csv").to_str().unwrap(), read),
        (desk.path("link.csv").to_str().unwrap(), read),
        (&hashes, read),
        (desk.path("users.csv.import-progress").to_str().unwrap(), read),
        (&foreign, stays),
        (&longer, stays),
        (desk.path("dangling.csv").to_str().unwrap(), stays),
        (desk.path("folder").to_str().unwrap(), stays),
        ("/dev/null", stays),
        (desk.path("no-folder/report.csv").to_str().unwrap(), "no-folder is no folder"),
    ] {
        for more in [&["--dry-run"] as &[&str], &[], &["--force"], &["--dry-run", "--force"], &["--restart"]]
        {
            let arguments =
                ["import", &file, "--organization", ACME, "--password-hashes", &hashes, "--report", name];
            desk.cli.refused(&[&arguments, more].concat(), why).await;
            assert_eq!(
                (files(&desk), contents()),
                (before.clone(), contents_before.clone()),
                "{name} {more:?}"
            );
        }
    }
    // A file with the name of the progress is no progress.
    let progress = desk.file("users.csv.import-progress", "my notes");
    for more in [&[] as &[&str], &["--restart"], &["--force"]] {
        let arguments = [&["import", &file, "--organization", ACME], more].concat();
        desk.cli.refused(&arguments, "it is not the progress of an import").await;
        assert_eq!(std::fs::read_to_string(&progress).unwrap(), "my notes");
    }
    std::fs::remove_file(&progress).unwrap();
    assert!(desk.world().user_id_of("user1@example.com").await.is_none(), "nothing was imported");

    // Its own report is replaced only if that is asked for.
    let report = desk.path("users.csv.report.csv");
    let import = ["import", &file, "--organization", ACME];
    assert_eq!(desk.cli.run(&[&import[..], &["--dry-run"]].concat()).await.status.code(), Some(1));
    let first = std::fs::read(&report).unwrap();
    assert_private(&report);
    for more in [&["--dry-run"] as &[&str], &[]] {
        desk.cli
            .refused(&[&import[..], more].concat(), "it is the report of an import: --force replaces it")
            .await;
    }
    assert_eq!(std::fs::read(&report).unwrap(), first);
    desk.import(&file, &["--organization", ACME]).await;
    assert!(desk.world().user_id_of("user1@example.com").await.is_some());
}

/// An account that a Globex Admin has made for an address of Acme, with a password of the Admin's choice; its id.
async fn plant(desk: &Desk) -> String {
    let body = json!({ "FirstName": "Not", "LastName": "Theirs", "Email": "Victim@corp.example",
        "Password": "the attacker's own" });
    desk.world().create(GLOBEX, &body).await.assert_ok(201);
    let id = desk.world().user_id_of("victim@corp.example").await.unwrap();
    desk.world().associate(&id, GLOBEX, "C-7").await;
    id
}

const VICTIMS_HASH: &str = "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S";

fn victim() -> Value {
    json!({ "UserId": "auth0|victim", "FirstName": "Vic", "LastName": "Tim", "Email": "victim@corp.example",
        "EmailVerified": true, "PasswordHash": VICTIMS_HASH, "OrganizationId": ACME, "CustomerNumber": "C-1" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_account_is_refused_until_it_is_adopted() {
    let desk = Desk::start().await;
    let planted = plant(&desk).await;
    let file = desk.file("users.jsonl", &victim().to_string());
    let before = desk.world().items().await;
    let told = |what: &str| {
        format!(
            "The address is registered by the account {planted}, which has {what}. Find out who created it: \
             docs/identity-providers.md, \"\"Planted accounts\"\". --adopt makes it this row's."
        )
    };
    let refused = [
        format!("1,refused,UserId,\"{}\"", told("another id")),
        format!("1,refused,PasswordHash,\"{}\"", told("another password, or none")),
    ];
    for arguments in [&["--dry-run"] as &[_], &[]] {
        let (printed, report) = desk.import(&file, arguments).await;
        assert_eq!((counts(&printed), report.as_slice()), ([1, 0, 0, 0, 1], refused.as_slice()));
        assert_eq!(desk.world().items().await, before, "nothing is written, not even the membership");
    }
    let (printed, report) = desk.import(&file, &["--adopt", "--dry-run"]).await;
    assert_eq!((&printed["Adopted"], report.len()), (&json!(1), 1));
    assert_eq!(desk.world().items().await, before);

    let (printed, report) = desk.import(&file, &["--adopt"]).await;
    assert_eq!((counts(&printed), &printed["Adopted"]), ([1, 0, 0, 0, 0], &json!(1)));
    let adopted = format!(
        "1,adopted,UserId,\"The account {planted} had the address: it is this row's now, with its id, names and password.\""
    );
    assert_eq!(report, [adopted]);
    let user = desk.user("victim@corp.example").await;
    assert_eq!((&user["UserId"], &user["FirstName"]), (&json!("auth0|victim"), &json!("Vic")));
    assert_eq!(user["OrganizationIds"], json!([ACME, GLOBEX]), "no membership is lost");
    let accounts = json!([
        { "CustomerNumber": "C-1", "OrganizationId": ACME }, { "CustomerNumber": "C-7", "OrganizationId": GLOBEX },
    ]);
    assert_eq!(user["CustomerAssociations"], accounts);
    assert_eq!(desk.hash_of("victim@corp.example").await, VICTIMS_HASH);
    let items = desk.world().items().await;
    assert!(
        !items.iter().any(|item| item.to_string().contains(&planted)),
        "nothing is left under the old id"
    );
    assert_eq!(desk.world().table().examine(|_, _| {}).await.unwrap().violations.len(), 0);
    // Now the row agrees.
    let (printed, report) = desk.import(&file, &[]).await;
    assert_eq!((counts(&printed), report.len()), ([1, 0, 1, 0, 0], 0));
    assert_eq!(desk.world().items().await, items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adopted_account_keeps_any_number_of_memberships() {
    let desk = Desk::start().await;
    let planted = plant(&desk).await;
    let organizations: Vec<_> = (0..130).map(|n| format!("org_{n:03}")).collect();
    desk.world().multiply(&format!("ORG#{ACME}"), "ORG", ACME, &organizations).await;
    desk.world()
        .multiply(&format!("USER#{planted}"), &format!("MEMBERSHIP#{GLOBEX}"), GLOBEX, &organizations)
        .await;
    let file = desk.file("users.jsonl", &victim().to_string());
    let (printed, _) = desk.import(&file, &["--adopt"]).await;
    assert_eq!(printed["Adopted"], 1);
    assert_eq!(desk.world().organizations_of("auth0|victim").await.len(), 132);
    let items = desk.world().items().await;
    assert!(!items.iter().any(|item| item.to_string().contains(&planted)));
    // An id that is another account's is not taken from it.
    plant_again(&desk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_refuses_its_row_alone() {
    let desk = Desk::start().await;
    let hash = json!({ "S": "no hash" });
    for broken in [
        json!({ "PK": { "S": "EMAIL#claim@example.com" }, "SK": { "S": "EMAIL" } }),
        json!({ "PK": { "S": "EMAIL#user@example.com" }, "SK": { "S": "EMAIL" }, "UserId": { "S": "kp_user" } }),
        json!({ "PK": { "S": "USER#kp_user" }, "SK": { "S": "PROFILE" }, "FirstName": { "S": "A" } }),
        json!({ "PK": { "S": format!("CREDENTIAL#{JANE}") }, "SK": { "S": "CREDENTIAL" }, "PasswordHash": hash }),
    ] {
        desk.world().put_item(&broken).await;
    }
    let row = |email: &str| format!("A,B,{email},{VICTIMS_HASH}\n");
    let rows: String =
        ["claim@example.com", "user@example.com", "jane@example.com", "good@example.com"].map(row).concat();
    let file = desk.file("users.csv", &format!("FirstName,LastName,Email,PasswordHash\n{rows}"));
    for more in [&["--dry-run"][..], &[]] {
        let (printed, report) = desk.import(&file, &[&["--organization", ACME], more].concat()).await;
        assert_eq!(counts(&printed), [4, 1, 0, 0, 3], "{report:?}");
        assert_eq!(report.len(), 3, "{report:?}");
        assert!(
            report.iter().all(|line| line.contains("cannot be read: `users doctor --scan`")),
            "{report:?}"
        );
    }
    assert!(desk.world().user_id_of("good@example.com").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_rows_that_disagree_are_told_in_a_dry_run_as_in_an_import() {
    let desk = Desk::start().await;
    let mut other = victim();
    other["UserId"] = json!("auth0|other");
    other["PasswordHash"] = json!(VICTIMS_HASH.replace("2b", "2a"));
    let file = desk.file("users.jsonl", &format!("{}\n{}\n{other}\n", victim(), victim()));
    let outcomes: Vec<_> = [desk.import(&file, &["--dry-run"]).await, desk.import(&file, &[]).await]
        .into_iter()
        .map(|(printed, report)| {
            let fields: Vec<_> =
                report.iter().map(|line| line.splitn(4, ',').take(3).collect::<Vec<_>>().join(",")).collect();
            (counts(&printed), fields)
        })
        .collect();
    assert_eq!(
        outcomes[0],
        ([3, 1, 1, 0, 1], vec!["3,refused,UserId".to_owned(), "3,refused,PasswordHash".to_owned()])
    );
    assert_eq!(outcomes[1], outcomes[0]);
}

/// Adopting for an id that another account has.
async fn plant_again(desk: &Desk) {
    let body = json!({ "FirstName": "A", "LastName": "B", "Email": "other@corp.example" });
    desk.world().create(GLOBEX, &body).await.assert_ok(201);
    let mut row = victim();
    row["UserId"] = json!(JANE);
    row["Email"] = json!("other@corp.example");
    let file = desk.file("taken.jsonl", &row.to_string());
    let before = desk.world().items().await;
    for arguments in [&["--adopt", "--dry-run"] as &[_], &["--adopt"]] {
        let (_, report) = desk.import(&file, arguments).await;
        assert_eq!(report, ["1,refused,UserId,An account with another e-mail address has this id."]);
    }
    assert_eq!(desk.world().items().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_with_another_password_is_refused_until_it_is_adopted() {
    let desk = Desk::start().await;
    plant(&desk).await;
    let mut row = victim();
    row.as_object_mut().unwrap().remove("UserId");
    let hash = row.as_object_mut().unwrap().remove("PasswordHash").unwrap();
    row["Password"] = json!("the attacker's own");
    let same = desk.file("same.jsonl", &row.to_string());
    row["Password"] = json!("the victim's own");
    let other = desk.file("other.jsonl", &row.to_string());
    row.as_object_mut().unwrap().remove("Password");
    let hashes = json!({ "Email": "victim@corp.example", "PasswordHash": hash });
    let (apart, hashes) =
        (desk.file("apart.jsonl", &row.to_string()), desk.file("hashes.jsonl", &hashes.to_string()));
    let before = desk.world().items().await.len();
    // A new hash of the same password is no other password.
    let planted_hash = desk.hash_of("victim@corp.example").await;
    assert_eq!(counts(&desk.import(&same, &["--adopt"]).await.0), [1, 0, 1, 0, 0]);
    assert_eq!(desk.hash_of("victim@corp.example").await, planted_hash);
    // A row without a password says nothing about it.
    assert_eq!(counts(&desk.import(&apart, &[]).await.0), [1, 0, 1, 0, 0]);
    for (file, arguments) in [(&other, &[] as &[&str]), (&apart, &["--password-hashes", &hashes])] {
        for dry_run in [&["--dry-run"] as &[_], &[]] {
            let (printed, report) = desk.import(file, &[arguments, dry_run].concat()).await;
            assert_eq!(counts(&printed), [1, 0, 0, 0, 1]);
            assert!(report[0].starts_with("1,refused,PasswordHash,") && report.len() == 1, "{report:?}");
            assert_eq!(desk.hash_of("victim@corp.example").await, planted_hash);
        }
    }
    let (printed, report) = desk.import(&apart, &["--password-hashes", &hashes, "--adopt"]).await;
    assert_eq!((&printed["Adopted"], report.len()), (&json!(1), 1));
    assert_eq!(desk.hash_of("victim@corp.example").await, VICTIMS_HASH);
    // The membership and the customer account of Acme alone are new.
    assert_eq!(desk.world().items().await.len(), before + 2);
    // One who has no password has another than a row with one.
    desk.cli.json(&["user", "set", "--email", "victim@corp.example", "--no-password"]).await;
    assert_eq!(counts(&desk.import(&other, &[]).await.0), [1, 0, 0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_password_outlives_a_row_whose_own_is_lost() {
    let desk = Desk::start().await;
    plant(&desk).await;
    let before = desk.world().items().await;
    // Auth0, "Bulk User Import Database Schema and Examples".
    let row = json!({ "email": "victim@corp.example", "email_verified": true, "given_name": "Vic", "family_name": "Tim",
        "custom_password_hash": { "algorithm": "md5",
            "hash": { "value": "5f4dcc3b5aa765d61d8327deb882cf99", "encoding": "hex" } } });
    let file = desk.file("bulk.json", &json!([row]).to_string());
    let import =
        async |arguments: &[&str]| desk.import(&file, &[&["--organization", ACME], arguments].concat()).await;
    for arguments in [&["--dry-run"] as &[_], &[]] {
        let (printed, report) = import(arguments).await;
        assert_eq!(counts(&printed), [1, 0, 0, 0, 1], "{report:?}");
        assert!(report.iter().any(|line| line.contains(",refused,PasswordHash,")), "{report:?}");
        assert_eq!(desk.world().items().await, before);
    }
    let (printed, report) = import(&["--adopt"]).await;
    assert_eq!(printed["Adopted"], 1);
    assert!(
        report.iter().any(|line| line.contains(",adopted,") && line.contains("has none now")),
        "{report:?}"
    );
    assert_eq!(desk.user("victim@corp.example").await["HasPassword"], false);
    // Now the row agrees.
    assert_eq!(counts(&import(&[]).await.0), [1, 0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_leads_nowhere_refuses_its_row_alone() {
    let desk = Desk::start().await;
    let claim = |email: &str, id: &str| json!({ "PK": { "S": format!("EMAIL#{email}") }, "SK": { "S": "EMAIL" }, "UserId": { "S": id } });
    desk.world().put_item(&claim("user1@example.com", "kp_gone")).await;
    desk.world().put_item(&claim("user3@example.com", JANE)).await;
    let file = desk.file("users.csv", &rows(5));
    for (arguments, adopt) in [(&["--dry-run"] as &[_], false), (&[], false), (&["--adopt"], true)] {
        let (printed, report) = desk.import(&file, arguments).await;
        let created = if adopt { 0 } else { 3 };
        assert_eq!(counts(&printed), [5, created, 3 - created, 0, 2], "{arguments:?}");
        for (line, (id, what)) in
            report.iter().zip([("kp_gone", "does not exist"), (JANE, "has another address")])
        {
            assert!(line.contains(&format!("the account {id}, which {what}")), "{line}");
            assert!(line.contains("users doctor --scan --repair"), "{line}");
        }
        assert_eq!(report.len(), 2);
    }
    assert_eq!(
        desk.world().organizations_of(JANE).await,
        [ACME, GLOBEX],
        "nothing was added to whom it names"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_import_of_a_file_runs_at_a_time() {
    let desk = Desk::start().await;
    let file = desk.file("users.csv", &rows(3));
    let proxy = Proxy::scheduled(desk.world().dynamodb_address(), |request: &[u8]| {
        (operation_of(request) != "DescribeTable").then_some(Fault::BlackHole)
    })
    .await;
    let table = ["--endpoint-url", &proxy.url, "--table", desk.world().table().name()];
    let mut first = spawn(&[&["import", &file], &table[..]].concat());
    let progress = desk.path("users.csv.import-progress");
    while !progress.exists() {
        assert_eq!(first.try_wait().unwrap(), None, "it ended by itself");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    desk.cli.refused(&["import", &file], "another import of it is running").await;
    first.kill().await.unwrap();
    assert_eq!(counts(&desk.import(&file, &[]).await.0), [3, 3, 0, 0, 0]);
}

#[track_caller]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
}

/// Rows of users without an organization.
fn plain_rows(count: usize) -> String {
    (0..count).fold(String::new(), |rows, n| format!("{rows}First{n},Last,user{n}@example.com\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_and_the_api_at_once_make_one_account_an_address() {
    let desk = Desk::start().await;
    let one = desk.file("one.csv", &rows(150));
    let two = desk.file("two.csv", &rows(150));
    let table = ["--endpoint-url", &desk.world().system.dynamodb_url, "--table", desk.world().table().name()];
    let import = |file| finish(spawn(&[&["import", file, "--json"], &table[..]].concat()));
    let api = async {
        for n in (0..150).rev().step_by(3) {
            let body =
                json!({ "FirstName": "Api", "LastName": "Made", "Email": format!("USER{n}@example.com") });
            let answer = desk.world().create(ACME, &body).await;
            assert!([200, 201].contains(&answer.status), "{}", answer.status);
        }
    };
    let (first, second, ()) = tokio::join!(import(&one), import(&two), api);
    for output in [first, second] {
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert_imported(&desk, 150).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_imported_to_the_same_table() {
    let desk = Desk::start().await;
    let many: Vec<_> = (0..130).map(|n| json!({ "OrganizationId": format!("org_{n:03}") })).collect();
    let organizations: String = (0..130)
        .map(|n| json!({ "OrganizationId": format!("org_{n:03}"), "Name": format!("N {n}"), "Slug": format!("s-{n}") }))
        .fold(String::new(), |all, line| format!("{all}{line}\n"));
    let many = json!({
        "UserId": "kp_many", "FirstName": "Zoë \"Q\"", "LastName": "O'Neill, Jr.", "Email": "Many@Example.com",
        "PreferredEmail": "m@example.org", "PhoneNumber": "+49 (0)30 1", "Memberships": many,
        "CustomerAssociations": [{ "OrganizationId": "org_001", "CustomerNumber": "C-\"1\",2" }],
        "PasswordHash": "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S",
        "CreatedAt": "2020-02-29T12:00:00.5Z", "CreatedBy": "kp_boss",
    });
    let alone = json!({ "UserId": "kp_alone", "FirstName": "A", "LastName": "B", "Email": "alone@example.com", "Memberships": [] });
    let file = desk.file("in.jsonl", &format!("{organizations}{many}\n{alone}\n"));
    let (printed, _) = desk.import(&file, &[]).await;
    assert_eq!(counts(&printed), [132, 2, 0, 130, 0]);

    for (ending, hashes) in [("jsonl", true), ("csv", true), ("jsonl", false), ("csv", false)] {
        let name = format!("out-{hashes}.{ending}");
        let path = desk.path(&name).to_str().unwrap().to_owned();
        let flag: &[&str] = if hashes { &["--with-password-hashes"] } else { &[] };
        let printed = desk.cli.json(&[&["export", &path], flag].concat()).await;
        assert_eq!(printed, json!({ "File": path, "Organizations": 132, "Users": 4, "LeftOut": 0 }));
        assert_eq!(std::fs::read_to_string(&path).unwrap().contains("$2b$10$"), hashes);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        desk.cli.refused(&["export", &path], "cannot make").await;

        // Into an empty table.
        let other = format!("{}-{hashes}-{ending}", desk.world().table().name());
        desk.cli.json(&["table", "create", "--table", &other]).await;
        let (imported, report) = desk.import(&path, &["--table", &other]).await;
        assert_eq!((counts(&imported), report), ([136, 4, 0, 132, 0], vec![]), "{name}");
        let counted = |item: &Value| {
            let key = text(item, "PK");
            !key.starts_with("RATE#") && key != "SIGNING_KEYS" && (hashes || !key.starts_with("CREDENTIAL#"))
        };
        let mut before = desk.world().items().await;
        before.retain(counted);
        let mut after = desk.world().items_of_table(&other).await;
        after.retain(counted);
        assert_eq!(after, before, "{name}");
    }
    // To standard output nothing else is written.
    let output = desk.cli.run(&["export"]).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().lines().filter(|line| line.starts_with('{')).count(),
        136
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_says_what_it_leaves_out_of_a_damaged_table() {
    let desk = Desk::start().await;
    let orphan = json!({ "PK": { "S": "USER#kp_gone" }, "SK": { "S": format!("MEMBERSHIP#{ACME}") },
        "JoinedAt": { "S": "2026-01-01T00:00:00Z" }, "AddedBy": { "S": JANE } });
    desk.world().put_item(&orphan).await;
    let path = desk.path("out.jsonl");
    let output = desk.cli.run(&["export", path.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("1 items are not in the export"), "{told}");
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_stops_half_way_leaves_no_file() {
    // The organizations are read, and a page of the table.
    let (address, asked) = scripted_table(|_, before, _| match before {
        0 => (200, json!({ "Items": [] })),
        1 => (
            200,
            json!({ "Items": [], "LastEvaluatedKey": { "PK": { "S": "USER#a" }, "SK": { "S": "USER" } } }),
        ),
        _ => (400, exception("AccessDeniedException")),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.jsonl");
    let url = format!("http://{address}");
    let output = users(&["export", path.to_str().unwrap(), "--endpoint-url", &url]).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(*asked.lock().unwrap(), ["Scan"; 3]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_none_is_said() {
    let desk = Desk::start().await;
    let binary = desk.path("binary.csv");
    std::fs::write(&binary, [0x89, b'P', 0, b'\n']).unwrap();
    let missing = desk.path("missing.csv");
    for (file, why) in [(&binary, "it is not text"), (&missing, "No such file")] {
        desk.cli.refused(&["import", file.to_str().unwrap(), "--organization", ACME], why).await;
    }
    // What can be read only once is refused before it is opened: a pipe without a writer would never answer.
    let pipe = desk.path("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let users = desk.file("users.csv", &format!("FirstName,LastName,Email\n{}", plain_rows(1)));
    for (input, why) in [
        (pipe.to_str().unwrap(), "it is a pipe or a device"),
        ("/dev/null", "it is a pipe or a device"),
        (desk.path("").to_str().unwrap(), "it is a folder"),
    ] {
        for arguments in [&["import", input] as &[&str], &["import", &users, "--password-hashes", input]] {
            desk.cli.refused(&[arguments, &["--organization", ACME]].concat(), why).await;
        }
    }
    assert!(desk.world().user_id_of("user0@example.com").await.is_none(), "nothing was imported");
    // A byte order mark and Windows' line ends are no faults.
    let file = desk.file("bom.csv", "\u{feff}FirstName,LastName,Email\r\nAnn,A,ann@example.com\r\n");
    assert_eq!(counts(&desk.import(&file, &["--organization", ACME]).await.0), [1, 1, 0, 0, 0]);
    // An empty file imports nobody, and that is told.
    for content in ["", "FirstName,LastName,Email\n"] {
        let empty = desk.file("empty.csv", content);
        assert_eq!(counts(&desk.import(&empty, &["--organization", ACME]).await.0), [0; 5]);
        for arguments in [&["import", &empty] as &[&str], &["import", &file, "--password-hashes", &empty]] {
            let output = desk.cli.run(&[arguments, &["--organization", ACME, "--json"]].concat()).await;
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(told.contains("The file has no rows."), "{arguments:?}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_terminal_progress_is_reported_in_lines() {
    let desk = Desk::start().await;
    let file = desk.file("users.csv", &rows(250));
    let output = desk.cli.run(&["import", &file, "--dry-run"]).await;
    let told = String::from_utf8(output.stderr).unwrap();
    let starts = ["100 of 250 rows, ", "200 of 250 rows, ", "250 rows in "];
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), starts.len(), "{told}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start) && line.contains(" a second") && !line.contains('\u{1b}'), "{line}");
    }
    let quiet = desk.cli.run(&["import", &file, "--dry-run", "--json"]).await;
    assert!(quiet.stderr.is_empty(), "{quiet:?}");
}
