//! `docs/glossary.md`: every path that it names exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::security::read_sources;

/// Where the sources of the crates lie that the glossary names.
const CRATES: [(&str, &str); 6] = [
    ("shared", "shared/src"),
    ("operator", "operator/src"),
    ("users", "cli/src"),
    ("refresh_signing_keys", "functions/refresh-signing-keys/src"),
    ("acceptance", "tests/acceptance"),
    ("bench", "bench/src"),
];

#[test]
fn every_path_of_the_glossary_exists() {
    let mut named = BTreeSet::new();
    for row in include_str!("../../../docs/glossary.md").lines().filter(|line| line.starts_with("| ")).skip(1)
    {
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let paths: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!paths.is_empty() || row.contains("| in the code |"), "no path: {row}");
        named.extend(paths);
    }
    assert!(named.len() > 40, "{named:?}");
    let lost: Vec<_> = named.into_iter().filter(|path| !exists(path)).collect();
    assert!(lost.is_empty(), "docs/glossary.md: {lost:?}");
}

#[test]
fn a_path_that_is_none_is_seen() {
    for (path, there) in [
        ("shared::model::Email", true),
        ("shared::model", true),
        ("shared::table::Table::join", true),
        ("shared::error::ErrorKind::Defect", true),
        ("shared::model::Emails", false),
        ("shared::models", false),
        ("shared::auth::Email", false),
        ("shared::table::Table::vanish", false),
        ("nothing::model::Email", false),
        ("docs/glossary.md", true),
        ("docs/gloss.md", false),
    ] {
        assert_eq!(exists(path), there, "{path}");
    }
}

/// Whether a file is there, or each part of a Rust path: a module by its file, all else by what declares it.
fn exists(path: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut parts = path.split("::");
    let first = parts.next().unwrap_or_default();
    let Some((_, folder)) = CRATES.iter().find(|(name, _)| *name == first) else {
        return root.join(path).is_file();
    };
    let mut place = root.join(folder);
    parts.all(|part| match module(&place, part) {
        Some(module) => {
            place = module;
            true
        }
        None => declares(&place, part),
    })
}

/// The file of a module, or the folder of one that has modules in it.
fn module(place: &Path, name: &str) -> Option<PathBuf> {
    let (folder, file) = (place.join(name), place.join(format!("{name}.rs")));
    [folder, file].into_iter().find(|path| path.exists())
}

fn declares(place: &Path, name: &str) -> bool {
    let mut sources = String::new();
    if place.is_dir() {
        read_sources(place, &mut |source| sources += source);
    } else {
        sources = std::fs::read_to_string(place).unwrap();
    }
    let kinds = ["struct", "enum", "trait", "type", "fn", "const"];
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let follows =
        |start: &str| sources.match_indices(start).any(|(at, found)| ends(&sources[at + found.len()..]));
    // A variant stands alone at the start of its line.
    kinds.iter().any(|kind| follows(&format!("{kind} {name}"))) || follows(&format!("\n    {name}"))
}
