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
    let rows = rows_with_tests("SECURITY.md", "");
    assert!(rows > 15, "{rows}");
}

#[test]
fn every_test_that_the_quotas_name_exists() {
    let rows = rows_with_tests("docs/operations.md", "\n## Quotas\n");
    assert!(rows > 10, "{rows}");
}

/// The number of rows in the tables of a page after a heading, up to the next one of any depth. Fails if the last cell
/// of a row names a test that does not exist, or none. A dash may stand under a heading for what only AWS can show.
fn rows_with_tests(page: &str, heading: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(folder.join("..").join(page)).unwrap();
    let mut section = text.split_once(heading).unwrap_or(("", &text)).1;
    if !heading.is_empty() {
        section = section.split("\n#").next().unwrap();
    }
    let mut sources = String::new();
    for tested in ["acceptance", "../shared/src"] {
        read_sources(&folder.join(tested), &mut |source| sources += source);
    }
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    for row in &rows {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let named: BTreeSet<_> = tests.split('`').skip(1).step_by(2).collect();
        let is_for_aws = !heading.is_empty() && tests.trim() == "–";
        assert!(!named.is_empty() || is_for_aws, "no test: {row}");
        for test in named {
            assert!(sources.contains(&format!("fn {test}()")), "there is no test {test}");
        }
    }
    rows.len()
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
