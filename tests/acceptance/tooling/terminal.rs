//! The manners of the command `users`: JSON, pipes, colours, mistypings, manual pages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{ACME, JANE, World};
use crate::tooling::command_line::{users, users_command};

/// The commands that do something, in the words that call them, by what `--help` lists.
async fn commands() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut groups = vec![String::new()];
    while let Some(group) = groups.pop() {
        let arguments: Vec<_> = group.split_whitespace().chain(["--help"]).collect();
        let help = String::from_utf8(users(&arguments).await.stdout).unwrap();
        match help.split_once("\nCommands:\n") {
            Some((_, rest)) => {
                let listed = rest.lines().take_while(|line| !line.is_empty());
                // What a line goes on with stands further to the right.
                let names = listed
                    .filter(|line| !line.starts_with("   "))
                    .filter_map(|l| l.split_whitespace().next());
                groups.extend(names.filter(|name| *name != "help").map(|name| format!("{group} {name}")));
            }
            None => {
                found.insert(group.trim().to_owned());
            }
        }
    }
    found
}

/// By command, what docs/command-line.md promises of its JSON: whether it is a list, and the fields.
fn documented() -> BTreeMap<String, (bool, BTreeSet<String>)> {
    let page = include_str!("../../../docs/command-line.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let promise = |(command, prints): (&str, &str)| {
        // With another option, another promise follows.
        let prints = prints.split(';').next().unwrap();
        let fields = prints.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (command.to_owned(), (prints.starts_with("a list"), fields))
    };
    rows.map(promise).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_prints_the_json_that_is_documented() {
    let world = World::start_now().await;
    let directory = tempfile::tempdir().unwrap();
    let table = ["--endpoint-url", &world.system.dynamodb_url, "--table", world.table().name()];
    let other = format!("{}-json", world.table().name());
    let another_table = ["--endpoint-url", &world.system.dynamodb_url, "--table", &other];
    let rows = directory.path().join("rows.csv");
    std::fs::write(&rows, "FirstName,LastName,Email\nAnn,Archer,ann@example.com\n").unwrap();
    let (rows, file) = (rows.to_str().unwrap(), directory.path().join("out.jsonl"));
    // In this order.
    let mut served = crate::tooling::local_system::Served::start().await;
    let port = served.port();
    let runs: [(&str, &[&str], &[&str]); 20] = [
        ("token", &[], &["--port", &port]),
        ("examples", &[], &["--port", &port]),
        ("table create", &[], &another_table),
        ("table describe", &[], &table),
        ("organization put", &["--id", "org_1", "--name", "One", "--slug", "one"], &table),
        ("organization get", &["--id", ACME], &table),
        ("organization list", &[], &table),
        ("user get", &["--id", JANE], &table),
        ("customer associate", &["--user", JANE, "--organization", ACME, "--number", "C-1"], &table),
        ("customer dissociate", &["--user", JANE, "--organization", ACME], &table),
        ("user set", &["--id", JANE, "--first-name", "Janet"], &table),
        ("member remove", &["--id", JANE, "--organization", ACME], &table),
        ("member add", &["--id", JANE, "--organization", ACME], &table),
        ("import", &[rows, "--organization", ACME], &table),
        ("export", &[file.to_str().unwrap()], &table),
        ("delete", &["--id", JANE, "--yes"], &table),
        ("doctor", &[], &table),
        ("health", &["--port", &port], &[]),
        ("completions", &["bash"], &[]),
        ("man", &[], &[]),
    ];
    let mut printed = BTreeMap::from([("serve".to_owned(), served.printed.take())]);
    for (command, arguments, where_to) in runs {
        let words: Vec<_> = command.split(' ').chain(arguments.iter().copied()).collect();
        let output = users(&[&words, where_to, &["--json"]].concat()).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        printed.insert(command.to_owned(), serde_json::from_slice(&output.stdout).unwrap());
    }
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let found: BTreeMap<_, _> = printed
        .into_iter()
        .map(|(command, value)| match value.as_array() {
            Some(list) => (command, (true, fields(&list[0]))),
            None => (command, (false, fields(&value))),
        })
        .collect();
    assert_eq!(found, documented());
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), commands().await, "a command without a run above");
}

#[tokio::test]
async fn wrong_usage_says_what_to_do_in_json_if_json_is_asked_for() {
    for (wrong, error) in [
        (
            &["organisation", "list"][..],
            "unrecognized subcommand 'organisation' tip: a similar subcommand exists: 'organization'",
        ),
        (&["organization", "lst"], "unrecognized subcommand 'lst' tip: a similar subcommand exists: 'list'"),
        (&["--json", "organization"], "a command is missing: --help shows those there are"),
        (
            &["user", "get", "--emial", "a@example.com"],
            "unexpected argument '--emial' found tip: a similar argument exists: '--email'",
        ),
        (
            &["customer", "dissociate", "--user", JANE],
            "the following required arguments were not provided: --organization <ORGANIZATION>",
        ),
        (
            &["serve", "--port", "http"],
            "invalid value 'http' for '--port <PORT>': invalid digit found in string",
        ),
        (
            &["serve", "--allow-origin", "app.example.com"],
            "invalid value 'app.example.com' for '--allow-origin <ORIGIN>': an origin is a scheme, a host and perhaps a \
             port, such as https://app.example.com",
        ),
    ] {
        let json = if wrong.contains(&"--json") { wrong } else { &[wrong, &["--json"]].concat() };
        let output = users(json).await;
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &[][..]));
        let found: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(found, serde_json::json!({ "Error": error, "ExitStatus": 2 }));

        let readable: Vec<_> = wrong.iter().copied().filter(|word| *word != "--json").collect();
        let readable = String::from_utf8(users(&readable).await.stderr).unwrap();
        assert!(readable.contains("--help"), "{readable}");
    }
}

#[tokio::test]
async fn colours_are_for_terminals_and_follow_the_variables() {
    let run = async |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = users_command();
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        let output = command.args(arguments).envs(environment.iter().copied()).output().await.unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let unreachable = &["organization", "list", "--endpoint-url", "http://127.0.0.1:1"][..];
    for arguments in [&["--help"][..], &["organisation"], unreachable] {
        let plain = run(arguments, &[]).await;
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(run(arguments, &[("CLICOLOR_FORCE", "1")]).await.contains('\u{1b}'));
        assert_eq!(run(arguments, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).await, plain);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_a_pipe_that_has_gone_is_no_error() {
    let world = World::start_now().await;
    let list = [
        "organization",
        "list",
        "--endpoint-url",
        &world.system.dynamodb_url,
        "--table",
        world.table().name(),
    ];
    for (arguments, status) in [
        (&list[..], 0),
        (&["--help"], 0),
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&["organisation"], 2),
        (&["organization", "list", "--endpoint-url", "http://127.0.0.1:1"], 3),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = users_command();
        command.args(arguments).stdout(writer.try_clone().unwrap()).stderr(writer);
        assert_eq!(command.status().await.unwrap().code(), Some(status), "{arguments:?}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_ends_a_command_that_waits() {
    use std::os::unix::process::ExitStatusExt as _;
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut command = users_command();
    let command = command.args(["organization", "list", "--endpoint-url", &url]).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let _asked = silent.accept().await.unwrap();
    let id = process.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    // SIGINT itself, which a shell tells from a failure.
    assert_eq!(process.wait().await.unwrap().signal(), Some(2));
}

#[tokio::test]
async fn every_command_has_a_manual_page_and_is_completed() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    let output = users(&["man", "--out", pages.to_str().unwrap(), "--json"]).await;
    let files: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files: Vec<_> = files.as_array().unwrap().iter().map(|file| file["File"].as_str().unwrap()).collect();
    for command in commands().await {
        let file = pages.join(format!("users-{}.1", command.replace(' ', "-")));
        assert!(files.contains(&file.to_str().unwrap()), "{files:?}");
        let page = std::fs::read_to_string(&file).unwrap();
        let page = page.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\\\", "\\");
        let (_, examples) = page.split_once(".SH EXAMPLES\n").unwrap();
        let (examples, rest) = examples.split_once(".SH \"EXIT STATUS\"\n").unwrap();
        let help = users(&command.split(' ').chain(["--help"]).collect::<Vec<_>>()).await.stdout;
        let help = String::from_utf8(help).unwrap();
        let (_, shown) = help.split_once("\nExample").unwrap();
        for line in shown.lines().filter_map(|line| line.strip_prefix("  ")) {
            assert!(examples.contains(line), "{line}: {page}");
        }
        assert!(rest.contains("2 wrong usage"), "{page}");
    }
    let page = std::fs::read_to_string(pages.join("users.1")).unwrap();
    assert_eq!(String::from_utf8(users(&["man"]).await.stdout).unwrap(), page);

    // The same pages again are no change. Pages of another version are replaced only if asked, other files never.
    let write = async |force: &[&str]| {
        let output = users(&[&["man", "--out", pages.to_str().unwrap()], force].concat()).await;
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(write(&[]).await.0, Some(0));
    let (token, stat) = (pages.join("users-token.1"), pages.join("users-table.1"));
    std::fs::write(&token, ".TH users-token 1 \"users 0.0.1\"\n").unwrap();
    let (status, told) = write(&[]).await;
    assert!(
        status == Some(1) && told.contains("it is a manual page of users: --force replaces it"),
        "{told}"
    );
    std::fs::write(&stat, "notes\n").unwrap();
    let (status, told) = write(&["--force"]).await;
    assert!(status == Some(1) && told.contains("it is not a manual page of users: it stays"), "{told}");
    assert_eq!(std::fs::read_to_string(&stat).unwrap(), "notes\n");
    std::fs::remove_file(&stat).unwrap();
    assert_eq!(write(&["--force"]).await.0, Some(0));
    assert!(std::fs::read_to_string(&token).unwrap().len() > 1000);

    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = String::from_utf8(users(&["completions", shell]).await.stdout).unwrap();
        for command in commands().await {
            let name = command.split(' ').next_back().unwrap();
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
}

#[test]
fn the_exit_statuses_are_said_in_the_same_words_everywhere() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = include_str!("../../../cli/src/commands/mod.rs");
    let (_, statuses) = help.split_once("const EXIT_STATUS: &str =").unwrap();
    let statuses = words(statuses.split('"').nth(1).unwrap());
    for page in [include_str!("../../../README.md"), include_str!("../../../docs/command-line.md")] {
        assert!(words(page).contains(&statuses), "{statuses}");
    }
}
