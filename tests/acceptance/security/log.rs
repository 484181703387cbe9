//! The log of all that this binary's tests run in their own process: written as in Lambda, at the
//! finest level, and searched line by line for what must never be in it. What is found fails the test
//! that logged it.

use std::io::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use serde_json::Value;
use shared::{lambda, telemetry};

/// What the tests' private data have in common, in lower case: e-mail addresses, passwords and their
/// hashes, the demo data's names and customer numbers, the addresses for documentation (RFC 5737,
/// RFC 3849). `canary` is in each of those that `secrets.rs` plants.
const PRIVATE: [&str; 17] = [
    "@",
    "$argon2",
    "canary",
    "securepass123",
    "another password",
    "\"jane",
    "\"john",
    "smith",
    "lovelace",
    "preferred",
    "c-10042",
    "c-20099",
    "192.0.2.",
    "198.51.100.",
    "203.0.113.",
    "2001:db8",
    "passwordhash\":",
];

/// The fields of a line that may hold what a token or an item says, whatever that is.
const IDS: [&str; 4] = ["request_id", "user_id", "organization_id", "affected_user_id"];

/// Lines that a test may read again; the others are forgotten once they are searched.
const KEPT: &str = "secrets-";

#[derive(Default)]
struct Log {
    kept: Vec<String>,
    /// The thread's name, and what it logged.
    leaks: Vec<(String, String)>,
}

static LOG: Mutex<Log> = Mutex::new(Log { kept: Vec::new(), leaks: Vec::new() });

/// A test's hold on the log, from before what it starts until after. Fails the test at its end.
pub struct Watch;

impl Watch {
    pub fn start() -> Self {
        static STARTED: OnceLock<()> = OnceLock::new();
        STARTED.get_or_init(|| {
            telemetry::init_to(|| Line(Vec::new()));
            // As in Lambda; and a test's failure is shown as it would be otherwise.
            lambda::log_panics_without_their_message();
            let logged = std::panic::take_hook();
            let shown = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                logged(panic);
                if telemetry::Answering::now() {
                    shown(panic);
                }
            }));
        });
        Self
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert_clean();
        }
    }
}

/// Fails where this test has logged what it must not. A worker thread has no test's name: what it
/// logged fails whoever looks next.
#[track_caller]
pub fn assert_clean() {
    let name = this_thread();
    let leak = {
        let leaks = &LOG.lock().unwrap_or_else(PoisonError::into_inner).leaks;
        leaks.iter().find(|(thread, _)| *thread == name || !thread.contains("::")).cloned()
    };
    assert!(leak.is_none(), "the log holds what is private: {leak:?}");
}

/// The lines that hold a text, which must begin with [`KEPT`].
pub fn lines_of(text: &str) -> Vec<String> {
    assert!(text.starts_with(KEPT));
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    log.kept.iter().filter(|line| line.contains(text)).cloned().collect()
}

fn this_thread() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// One line in the making.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.0).into_owned();
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        if is_private(&line) {
            log.leaks.push((this_thread(), line.clone()));
        }
        if line.contains(KEPT) {
            log.kept.push(line);
        }
    }
}

/// Whether a line holds what must not be logged. The ids of the user and the organization may be, and
/// are whatever a token says; the request's may, and is random.
pub fn is_private(line: &str) -> bool {
    let mut line = line.to_owned();
    if let Ok(Value::Object(mut fields)) = serde_json::from_str(&line) {
        fields.retain(|name, _| !IDS.contains(&name.as_str()));
        line = Value::Object(fields).to_string();
    }
    let lower = line.to_lowercase();
    PRIVATE.iter().any(|private| lower.contains(private)) || holds_token(&line) || holds_phone_number(&line)
}

/// A JSON object in base64url, longer than a request id, which may begin like one by chance.
fn holds_token(line: &str) -> bool {
    let of_base64url = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    line.match_indices("eyJ").any(|(at, _)| line[at..].chars().take_while(|&c| of_base64url(c)).count() > 16)
}

/// Ten digits as `561-555-1212`.
fn holds_phone_number(line: &str) -> bool {
    line.as_bytes().windows(12).any(|window| {
        window.iter().enumerate().all(|(at, byte)| match at {
            3 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    })
}

#[test]
fn what_is_private_is_found_in_a_line() {
    for private in [
        r#"{"cause":"jane@example.com"}"#,
        r#"{"cause":"Bearer eyJhbGciOiJFUzI1NiJ9"}"#,
        "no JSON, of jane@example.com",
        r#"{"cause":"call 561-555-1212"}"#,
        r#"{"cause":"SecurePass123!"}"#,
        r#"{"cause":"from 203.0.113.7"}"#,
    ] {
        assert!(is_private(private), "{private}");
    }
    // A request id is random and may look like anything.
    for id in ["eyJaXmPLvHcESHA=", "jOHn94gWiZ+igt4="] {
        let line = format!(
            r#"{{"timestamp":"2026-01-02T03:04:05.123456Z","level":"INFO","message":"answered","request_id":"{id}",
            "route":"GET /api/users/exists","status":200,"duration_ms":1.25,"user_id":"john@x"}}"#
        );
        assert!(!is_private(&line), "{line}");
    }
    assert!(is_private(r#"{"cause":"\"john\"","request_id":"1"}"#));
}

/// What [`a_panic_is_logged_with_its_message_only_outside_a_request`] starts in a process of its own.
const PANICS: &str = "USERS_TEST_PANICS";

#[test]
fn panics_where_it_is_told_to() {
    let Some(while_answering) = std::env::var_os(PANICS) else { return };
    telemetry::init();
    lambda::log_panics_without_their_message();
    let _answering = (while_answering == "true").then(telemetry::Answering::begin);
    // As a dependency panics: on any thread.
    let ended = thread::spawn(|| panic!("a message of its own")).join();
    assert!(ended.is_err());
}

#[test]
fn a_panic_is_logged_with_its_message_only_outside_a_request() {
    for (while_answering, is_told) in [("true", false), ("false", true)] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "security::log::panics_where_it_is_told_to", "--nocapture"])
            .env(PANICS, while_answering)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && told.contains("tests/acceptance/security/log.rs:"), "{told}");
        assert_eq!(told.contains("a message of its own"), is_told, "{told}");
    }
}
