//! The DynamoDB API that the worlds' tables are in: each world's own, or another that is running.
//!
//! `TABLE_ENGINE=<name>@<url>` says so, for example `dynamodb-local@http://127.0.0.1:5000`; `.ci/engines` starts
//! DynamoDB Local, in memory, and runs every test on it. docs/architecture.md says in what they differ.

use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::path::Path;
use std::sync::OnceLock;

/// What answers the calls to the tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    /// The local system's own.
    Embedded,
    /// Amazon's.
    DynamoDbLocal,
}

/// The engine of this test run.
pub struct Engine {
    pub name: Name,
    /// `None` for each world's own.
    pub url: Option<String>,
}

/// The engine that the environment names.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let Ok(setting) = std::env::var("TABLE_ENGINE") else {
            return Engine { name: Name::Embedded, url: None };
        };
        let (name, url) = match setting.split_once('@') {
            Some(("dynamodb-local", url)) => (Name::DynamoDbLocal, url),
            _ => panic!("TABLE_ENGINE is dynamodb-local@<url>, not {setting}"),
        };
        Engine { name, url: Some(url.to_owned()) }
    })
}

impl Engine {
    /// The name of a world's table: on an engine that worlds share, one of its own or of its data directory.
    pub fn table_name(&self, data_dir: Option<&Path>) -> String {
        if self.url.is_none() {
            return users::local::TABLE_NAME.to_owned();
        }
        let mut hasher =
            if data_dir.is_some() { DefaultHasher::new() } else { RandomState::new().build_hasher() };
        data_dir.hash(&mut hasher);
        let id = hasher.finish();
        format!("{}-{id:016x}", users::local::TABLE_NAME)
    }
}
