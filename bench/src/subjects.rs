//! What is measured: the floors, the functions, and the peers that do the same work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::events::{Event, TokenUse, Tokens};

/// Where Lambda's own build puts a function's binary.
const LAMBDA_BUILD: &str = "target/lambda";
/// Where `bench/peers/install` puts the peers.
const INSTALLED_PEERS: &str = "target/bench-peers";
/// Where the floors are built.
const FLOORS: &str = "target/bench-floors";
/// Where the output of each subject's last start is stored.
const LOGS: &str = "target/bench-logs";

/// What a subject is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Does nothing.
    Noop,
    /// A bare client that makes this many calls per request.
    Client(u32),
    /// The same with one call per request, and a signature to verify.
    Verifier,
    /// A function's work, written by hand.
    Fair,
    /// A function of ours.
    Function,
    /// A function of ours that is only started.
    Scheduled,
    /// The same work as a function's in another language.
    Peer(Language, u32),
}

/// A peer's language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// Go, aws-lambda-go, the SDK's version 2.
    Go,
    /// Python, boto3.
    Python,
    /// Node, the SDK's version 3, bundled.
    Node,
}

impl Language {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "Go",
            Self::Python => "Python",
            Self::Node => "Node",
        }
    }
}

/// A process to be measured.
#[derive(Clone)]
pub struct Subject {
    /// Its name, unique.
    pub name: &'static str,
    /// What it is.
    pub role: Role,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder in which it is started.
    pub folder: PathBuf,
    /// Settings in addition to those that all have.
    pub settings: Vec<(&'static str, String)>,
    /// The events that it gets; `None` if it is only started.
    pub event: Option<Event>,
    /// The tokens of the events.
    pub tokens: TokenUse,
    /// Whether a request hashes a password, which takes far longer than everything else.
    pub hashes: bool,
    /// Where its output goes.
    pub log: PathBuf,
    /// What is deployed, unpacked and zipped, in bytes.
    pub sizes: Option<Sizes>,
}

/// The size of what is deployed, in bytes.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// The binary, or all files.
    pub unpacked: u64,
    /// The zip.
    pub zipped: u64,
}

impl Subject {
    /// The event whose answer must be the recorded one. The answer of a floor that does no work is not compared.
    pub fn checked_event(&self) -> Option<&Event> {
        self.event.as_ref().filter(|_| matches!(self.role, Role::Fair | Role::Function | Role::Peer(..)))
    }

    /// Whether it does nothing, or only a part of the work.
    pub fn is_floor(&self) -> bool {
        matches!(self.role, Role::Noop | Role::Client(_) | Role::Verifier | Role::Fair)
    }

    /// The function whose work it does.
    pub fn work(&self) -> &'static str {
        self.name.split_once(", ").map_or(self.name, |(work, _)| work)
    }
}

/// Each of its folders is a function, with an event of the same name.
const FUNCTIONS: &str = "functions";
/// The function that hashes a password if one is sent.
const WITH_HASH: &str = "create-user";
const WITHOUT_HASH: &str = "create-user, no password";
/// Functions whose work is also written by hand.
const FAIR: [(&str, &str, TokenUse); 5] = [
    ("get-profile, by hand", "get-profile", TokenUse::NewEs256),
    ("get-profile, by hand, RS256", "get-profile", TokenUse::NewRs256),
    ("list-organizations, by hand", "list-organizations", TokenUse::NewEs256),
    ("list-customer-associations, by hand", "list-customer-associations", TokenUse::NewEs256),
    ("check-user-exists, by hand", "check-user-exists", TokenUse::NewEs256),
];
/// The function that also gets other tokens.
const WITH_OTHER_TOKENS: &str = "get-profile";
const OTHER_TOKENS: [(&str, TokenUse); 2] =
    [("get-profile, RS256", TokenUse::NewRs256), ("get-profile, one token", TokenUse::Repeated)];
/// The peers, with the function whose work each does.
const PEERS: [(&str, Language, &str, u32); 6] = [
    ("get-profile, Go", Language::Go, "get-profile", 1),
    ("check-user-exists, Go", Language::Go, "check-user-exists", 2),
    ("get-profile, Python", Language::Python, "get-profile", 1),
    ("check-user-exists, Python", Language::Python, "check-user-exists", 2),
    ("get-profile, Node", Language::Node, "get-profile", 1),
    ("check-user-exists, Node", Language::Node, "check-user-exists", 2),
];
/// The function that no request calls.
const SCHEDULED: &str = "refresh-signing-keys";

/// All installed subjects, and the peers that are not installed.
pub fn all(root: &Path, tokens: &Tokens, build: bool) -> Result<(Vec<Subject>, Vec<String>), String> {
    fs::create_dir_all(root.join(LOGS)).map_err(|error| format!("{LOGS}: {error}"))?;
    let mut subjects = floors(root, tokens)?;
    subjects.extend(built_functions(root, build)?);
    let (peers, missing) = peers(root)?;
    subjects.extend(peers);
    Ok((subjects, missing))
}

fn floors(root: &Path, tokens: &Tokens) -> Result<Vec<Subject>, String> {
    let workspace = root.join("bench/floors");
    let target = root.join(FLOORS);
    // Together: what they share is compiled once, and link-time optimisation leaves out what one of them does not use.
    cargo_build(&workspace, &target, &[])?;
    let event = Event::load(root, "get-profile")?;
    let built = target.join("release");
    let subject = |name, role, binary: &str| Subject {
        event: Some(event.clone()),
        ..subject(root, name, role, &built.join(binary))
    };
    let client = |name, calls: u32| Subject {
        settings: vec![("CALLS", calls.to_string())],
        ..subject(name, Role::Client(calls), "floor-client")
    };
    let mut floors = vec![
        subject("no-op", Role::Noop, "floor-noop-http"),
        client("bare client, 1 call", 1),
        client("bare client, 2 calls", 2),
        Subject {
            settings: vec![("CALLS", 1.to_string()), ("SIGNATURE", tokens.signature()?)],
            ..subject("bare client, signature", Role::Verifier, "floor-client")
        },
    ];
    for (name, work, tokens) in FAIR {
        floors.push(Subject {
            event: Some(Event::load(root, work)?),
            settings: vec![("WORK", work.to_owned())],
            tokens,
            ..subject(name, Role::Fair, "floor-fair")
        });
    }
    Ok(floors)
}

fn built_functions(root: &Path, build: bool) -> Result<Vec<Subject>, String> {
    let names = function_names(root)?;
    let in_lambda_build = |name: &str| root.join(LAMBDA_BUILD).join(name).join("bootstrap");
    let build = build || names.iter().any(|name| !in_lambda_build(name).exists());
    if build {
        let packages: Vec<_> = names.iter().flat_map(|name| ["--package", name]).collect();
        cargo_build(root, &root.join("target"), &packages)?;
    }
    functions(root, |name| if build { root.join("target/release").join(name) } else { in_lambda_build(name) })
}

fn function_names(root: &Path) -> Result<Vec<&'static str>, String> {
    let fault = |error| format!("{FUNCTIONS}: {error}");
    let mut names = Vec::new();
    for folder in fs::read_dir(root.join(FUNCTIONS)).map_err(fault)? {
        let name: &str = folder.map_err(fault)?.file_name().to_string_lossy().into_owned().leak();
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

fn functions(root: &Path, binary: impl Fn(&str) -> PathBuf) -> Result<Vec<Subject>, String> {
    let mut subjects = Vec::new();
    for name in function_names(root)? {
        if name == SCHEDULED {
            subjects.push(subject(root, name, Role::Scheduled, &binary(name)));
            continue;
        }
        let event = Event::load(root, name)?;
        if name == WITH_HASH {
            subjects.push(Subject {
                event: Some(event.clone().without("Password")?),
                ..subject(root, WITHOUT_HASH, Role::Function, &binary(name))
            });
        }
        let function = Subject {
            event: Some(event),
            hashes: name == WITH_HASH,
            ..subject(root, name, Role::Function, &binary(name))
        };
        let others = OTHER_TOKENS.iter().filter(|_| name == WITH_OTHER_TOKENS);
        let others =
            others.map(|&(name, tokens)| Subject { name, log: log(root, name), tokens, ..function.clone() });
        let others: Vec<_> = others.collect();
        subjects.push(function);
        subjects.extend(others);
    }
    Ok(subjects)
}

/// The functions of another build that are in a folder, each named after it.
pub fn beside(root: &Path, folder: &Path) -> Result<Vec<Subject>, String> {
    let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut subjects = functions(root, |name| folder.join(name).join("bootstrap"))?;
    subjects.retain(|subject| subject.program.exists());
    for subject in &mut subjects {
        let build = folder.file_name().unwrap_or_default().to_string_lossy();
        subject.name = format!("{}, {build}", subject.name).leak();
        subject.log = log(root, subject.name);
    }
    Ok(subjects)
}

fn peers(root: &Path) -> Result<(Vec<Subject>, Vec<String>), String> {
    let mut subjects = Vec::new();
    let mut missing = Vec::new();
    for (name, language, function, calls) in PEERS {
        let folder = root.join(INSTALLED_PEERS).join(language.name().to_lowercase());
        // The installation writes it last, so that an incomplete one does not count.
        if !folder.join("installed").exists() {
            missing.push(name.to_owned());
            continue;
        }
        let (program, arguments, deployed) = command(language, &folder, function)?;
        subjects.push(Subject {
            event: Some(Event::load(root, function)?),
            folder: deployed.clone(),
            settings: arguments.last().map(|handler| ("_HANDLER", handler.clone())).into_iter().collect(),
            arguments,
            sizes: sizes(&deployed),
            ..subject(root, name, Role::Peer(language, calls), &program)
        });
    }
    Ok((subjects, missing))
}

/// How a peer is started, and the folder that is deployed. Lambda provides the rest.
fn command(
    language: Language,
    folder: &Path,
    function: &str,
) -> Result<(PathBuf, Vec<String>, PathBuf), String> {
    Ok(match language {
        Language::Go => {
            let deployed = folder.join(function);
            (deployed.join("bootstrap"), Vec::new(), deployed)
        }
        Language::Python => {
            let handler = format!("{}.handler", function.replace('-', "_"));
            let arguments = vec!["-m".to_owned(), "awslambdaric".to_owned(), handler];
            (folder.join("runtime/bin/python3"), arguments, folder.join("function"))
        }
        Language::Node => {
            let client = folder.join("node_modules/aws-lambda-ric/index.mjs");
            let arguments = vec![client.to_string_lossy().into_owned(), "index.handler".to_owned()];
            (on_path("node")?, arguments, folder.join("functions").join(function))
        }
    })
}

fn on_path(program: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("{program} is not on the PATH"))
}

fn subject(root: &Path, name: &'static str, role: Role, program: &Path) -> Subject {
    Subject {
        name,
        role,
        program: program.to_owned(),
        arguments: Vec::new(),
        folder: program.parent().unwrap_or(root).to_owned(),
        settings: Vec::new(),
        event: None,
        tokens: TokenUse::NewEs256,
        hashes: false,
        log: log(root, name),
        sizes: sizes(program),
    }
}

fn log(root: &Path, name: &str) -> PathBuf {
    root.join(LOGS).join(format!("{}.log", name.replace(", ", "-").replace(' ', "-")))
}

/// The sizes of a file or folder. The zip is beside it, if it was built with one.
fn sizes(deployed: &Path) -> Option<Sizes> {
    let unpacked = size_of(deployed).ok()?;
    let beside = deployed.with_extension("zip");
    if let Ok(zip) = fs::metadata(&beside) {
        return Some(Sizes { unpacked, zipped: zip.len() });
    }
    let folder = tempfile::tempdir().ok()?;
    let zip = folder.path().join("deployed.zip");
    let zipped =
        Command::new("python3").args(["-m", "zipfile", "-c"]).arg(&zip).arg(deployed).status().ok()?;
    let zipped = zipped.success().then(|| fs::metadata(&zip).ok()).flatten()?.len();
    Some(Sizes { unpacked, zipped })
}

fn size_of(path: &Path) -> std::io::Result<u64> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.map(|entry| size_of(&entry?.path())).sum()
}

fn cargo_build(workspace: &Path, target: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--locked"]).args(arguments);
    command.arg("--target-dir").arg(target).current_dir(workspace);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
