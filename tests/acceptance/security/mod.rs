//! Who may do what, and what nobody learns. `SECURITY.md`: its threat model names the tests that fail without a guard.

mod attacks;
mod authorization;
mod browser;
pub mod front;
pub mod identity_providers;
pub mod log;
pub mod policies;
mod rate_limit;
mod secrets;
mod tenants;
mod vectors;

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = std::fs::read_to_string(folder.join("../SECURITY.md")).unwrap();
    let mut sources = String::new();
    for tested in ["acceptance", "../shared/src"] {
        read_sources(&folder.join(tested), &mut |source| sources += source);
    }
    let rows: Vec<_> = model.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 15, "{}", rows.len());
    for row in rows {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let named: BTreeSet<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for test in named {
            assert!(sources.contains(&format!("fn {test}()")), "there is no test {test}");
        }
    }
}

/// Every Rust source of a folder and of those in it.
pub fn read_sources(folder: &Path, read: &mut impl FnMut(&str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, read);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            read(&std::fs::read_to_string(path).unwrap());
        }
    }
}
