//! What the functions link.

use std::collections::{BTreeSet, HashMap};

use cargo_metadata::{DependencyKind, MetadataCommand, PackageId};

use crate::harness::{ENDPOINTS, built_binaries};

/// What only the local system may link: its database, its HTTP server, its command line.
const LOCAL_ONLY: &[&str] =
    &["users", "askama", "dynoxide-rs", "rusqlite", "libsqlite3-sys", "clap", "anstream"];
/// A second TLS stack, or a second set of primitives.
const SECOND_STACKS: &[&str] = &["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls", "rsa"];

#[test]
fn no_function_links_the_local_system_or_a_second_tls_stack() {
    // Of other platforms' crates not even the manifests may be on this machine.
    let rustc = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let options = ["--locked", "--offline", "--filter-platform", host].map(str::to_owned);
    let metadata = MetadataCommand::new().other_options(options).exec().unwrap();
    let names: HashMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let nodes: HashMap<_, _> =
        metadata.resolve.as_ref().unwrap().nodes.iter().map(|node| (&node.id, node)).collect();
    let linked = |function: &str| {
        let root = metadata.packages.iter().find(|package| package.name.as_str() == function).unwrap();
        let mut seen = BTreeSet::from([&root.id]);
        let mut queue = vec![&root.id];
        while let Some(id) = queue.pop() {
            let normal = nodes[id].deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            queue.extend(normal.map(|dependency| &dependency.pkg).filter(|id| seen.insert(id)));
        }
        seen.into_iter().map(|id| names[id]).collect::<BTreeSet<_>>()
    };

    for endpoint in ENDPOINTS {
        let linked = linked(endpoint.name);
        assert!(
            linked.contains("aws-sdk-dynamodb") && linked.contains("ring"),
            "{}: {linked:?}",
            endpoint.name
        );
        for forbidden in LOCAL_ONLY.iter().chain(SECOND_STACKS) {
            assert!(!linked.contains(forbidden), "{} links {forbidden}", endpoint.name);
        }
    }
    // The walk sees what is there: the command line does link all that.
    assert!(linked("users").is_superset(&BTreeSet::from(["dynoxide-rs", "libsqlite3-sys", "clap"])));
}

/// A text of each module of `shared` that an operator's commands alone use.
const OPERATORS_ALONE: &[&str] = &[
    "nobody vouches for it",
    "an earlier key has its kid",
    "TransactGetItems met another transaction",
    "the new table did not become active",
];

#[test]
fn no_function_has_what_only_an_operators_commands_use() {
    let read = |binary: &str| {
        let binary = std::fs::read(built_binaries().join(binary)).unwrap();
        String::from_utf8_lossy(&binary).into_owned()
    };
    let users = read("users");
    for text in OPERATORS_ALONE {
        assert!(users.contains(text), "{text}");
    }
    for endpoint in ENDPOINTS {
        let function = read(endpoint.name);
        for text in OPERATORS_ALONE {
            assert!(!function.contains(text), "{}: {text}", endpoint.name);
        }
    }
}
