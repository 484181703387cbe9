//! The command `users` on a terminal, as a person sees it.

#![cfg(unix)]

use pty_process::{Pty, Size};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

use crate::harness::{JANE, World, built_binaries};
use crate::tooling::command_line::{RUNTIME_DIR, VARIABLES};

const ESCAPE: char = '\u{1b}';

/// A terminal on which `users` runs.
struct Terminal {
    pty: Pty,
    process: Child,
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts `users`, found by `PATH` as where it is installed, on a terminal of that many rows and columns.
    fn start((rows, columns): (u16, u16), arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let (pty, terminal) = pty_process::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let mut command = pty_process::Command::new("users")
            .args(arguments)
            .env("PATH", built_binaries())
            .env("TERM", "xterm-256color")
            .env(RUNTIME_DIR.0, RUNTIME_DIR.1)
            .kill_on_drop(true);
        // `CI` turns colours on even on a dumb terminal.
        let others = ["CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LOG_LEVEL", "COLUMNS"];
        for name in others.iter().chain(&VARIABLES) {
            command = command.env_remove(name);
        }
        let process = command.envs(environment.iter().copied()).spawn(terminal).unwrap();
        Self { pty, process, shown: Vec::new() }
    }

    /// Reads until the text is shown.
    async fn wait_for(&mut self, text: &str) {
        while !self.shown().contains(text) {
            assert!(self.read().await, "it ended: {}", self.shown());
        }
    }

    /// Reads what comes next. Once the process has ended, nothing does.
    async fn read(&mut self) -> bool {
        let mut part = [0; 4096];
        // Linux says the end of the terminal's last process by an error.
        let count = self.pty.read(&mut part).await.unwrap_or(0);
        self.shown.extend(&part[..count]);
        count > 0
    }

    async fn type_keys(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).await.unwrap();
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown).replace("\r\n", "\n")
    }

    /// Reads on until the process has ended: its exit status, and all that was shown.
    async fn end(mut self) -> (Option<i32>, String) {
        while self.read().await {}
        (self.process.wait().await.unwrap().code(), self.shown())
    }
}

/// A text without colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split(ESCAPE);
    plain += parts.next().unwrap();
    for part in parts {
        plain += part.split_once('m').unwrap().1;
    }
    plain
}

const SERVE: [&str; 6] = ["serve", "--memory", "--port", "0", "--dynamodb-port", "0"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_greets_on_one_screen_and_ends_with_0_at_ctrl_c() {
    let mut terminal = Terminal::start((24, 80), &SERVE, &[]);
    terminal.wait_for("Ctrl-C to stop").await;
    terminal.type_keys("\u{3}").await;
    let (status, shown) = terminal.end().await;
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains(ESCAPE), "no colour: {shown}");

    let greeting = plain(&shown).replace("^C", "");
    let lines: Vec<_> = greeting.trim_end().lines().collect();
    // One line is left for the shell's prompt.
    assert!(lines.len() < 24 && lines.iter().all(|line| line.chars().count() <= 80), "{greeting}");
    let ports = lines[0].strip_prefix("API       http://127.0.0.1:").unwrap();
    let dynamodb = lines[2].strip_prefix("DynamoDB  http://127.0.0.1:").unwrap();
    let dynamodb = dynamodb.strip_suffix(", table users").unwrap();
    let shape = greeting.replace(ports, "PORT").replace(dynamodb, "DYNAMODB");
    insta::assert_snapshot!(shape.trim_end());
}

/// Words, where the table is, the keys that are typed, the exit status, and whether colours are due.
type Run<'a> = (&'a [&'a str], &'a [&'a str], &'a str, i32, bool);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_color_and_a_dumb_terminal_get_no_escape() {
    let world = World::start_now().await;
    let table = ["--endpoint-url", &world.system.dynamodb_url, "--table", world.table().name()];
    // One command of each kind: help, a record, a list, a report, a question, progress, a failure, wrong usage.
    let directory = tempfile::tempdir().unwrap();
    let rows = directory.path().join("rows.csv");
    std::fs::write(&rows, "FirstName,LastName,Email\nAnn,Archer,ann@example.com\n").unwrap();
    let import = ["import", rows.to_str().unwrap(), "--organization", crate::harness::ACME, "--dry-run"];
    let runs: [Run; 8] = [
        (&["--help"], &[], "", 0, true),
        (&["user", "get", "--id", JANE], &table, "", 0, false),
        (&["organization", "list"], &table, "", 0, false),
        (&["doctor"], &table, "", 0, true),
        (&["delete", "--id", JANE], &table, "no\n", 1, true),
        (&import, &table, "", 0, true),
        (&["user", "get", "--id", "kp_none"], &table, "", 1, true),
        (&["nonsense"], &[], "", 2, true),
    ];
    for (arguments, table, keys, status, is_coloured) in runs {
        let words = [arguments, table].concat();
        for environment in [&[][..], &[("NO_COLOR", "1")], &[("TERM", "dumb")]] {
            let mut terminal = Terminal::start((24, 80), &words, environment);
            terminal.type_keys(keys).await;
            let (ended, shown) = terminal.end().await;
            assert_eq!(ended, Some(status), "{arguments:?}: {shown}");
            assert!(!shown.contains("panicked"), "{shown}");
            let expected = is_coloured && environment.is_empty();
            assert_eq!(shown.contains(ESCAPE), expected, "{arguments:?} {environment:?}: {shown:?}");
        }
    }
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut terminal = Terminal::start((24, 80), &SERVE, &[environment]);
        terminal.wait_for("Ctrl-C to stop").await;
        terminal.type_keys("\u{3}").await;
        let (status, shown) = terminal.end().await;
        assert_eq!((status, shown.contains(ESCAPE)), (Some(0), false), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_answered_is_a_log_line_without_an_escape() {
    let mut terminal = Terminal::start((24, 80), &SERVE, &[]);
    terminal.wait_for("Ctrl-C to stop").await;
    let shown = plain(&terminal.shown());
    let address = shown.lines().find_map(|line| line.strip_prefix("API       http://")).unwrap();
    let client = crate::harness::Client::of(address.parse().unwrap());
    client.get("/api/users/exists?Email=jane%40example.com").send().await.assert_ok(200);
    terminal.wait_for("answered").await;
    terminal.type_keys("\u{3}").await;
    let (status, shown) = terminal.end().await;
    let line = shown.lines().find(|line| line.contains("answered")).unwrap();
    assert!(status == Some(0) && line.contains("INFO") && !line.contains(ESCAPE), "{line:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_is_as_wide_as_the_terminal() {
    for columns in [60, 100] {
        let (status, shown) = Terminal::start((24, columns), &["serve", "--help"], &[]).end().await;
        let widest = plain(&shown).lines().map(|line| line.chars().count()).max().unwrap();
        assert!(status == Some(0) && widest <= columns.into(), "{columns}: {shown}");
        assert!(widest + 25 > columns.into(), "{columns}: {widest} {shown}");
    }
}
