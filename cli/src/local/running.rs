//! The local systems that are running, so that the same user's other commands find them.
//!
//! Each system writes a private file with its address and its signing key. A route of the API would not work: a command
//! would have to know the port, and every user and container that reaches the port would get tokens.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};

use super::{LocalSystem, SigningKey};
use crate::files::{create_private_dir, make_private, open_private, replace_private};

const NOTE_EXTENSION: &str = "json";
const LOCK_EXTENSION: &str = "lock";

/// A local system that is running.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RunningSystem {
    /// Where the API answers.
    pub(crate) api: String,
    /// The API's port.
    pub(crate) port: u16,
    started_at_nanos: u128,
    /// PKCS #8, in base64.
    signing_key: String,
}

impl RunningSystem {
    /// The key that signs its tokens.
    pub(crate) fn signing_key(&self) -> Result<SigningKey, String> {
        let pkcs8 = BASE64.decode(&self.signing_key).map_err(|_| "is not base64".to_owned());
        pkcs8
            .and_then(|pkcs8| SigningKey::from_pkcs8(&pkcs8))
            .map_err(|why| format!("the signing key of {} {why}", self.api))
    }
}

/// The file that says where a system runs. Dropping it removes the file.
pub(crate) struct Published {
    note: PathBuf,
    lock: PathBuf,
    /// The system holds this lock while it runs. The end of the process releases it, even after SIGKILL.
    _locked: File,
}

impl Drop for Published {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.note);
        let _ = fs::remove_file(&self.lock);
    }
}

/// Publishes where a system runs, until the result is dropped.
pub(crate) fn publish(system: &LocalSystem) -> io::Result<Published> {
    let dir = dir()?;
    create_private_dir(&dir)?;
    make_private(&dir)?;
    remove_stale(&dir)?;
    let name = std::process::id().to_string();
    let path = |extension| dir.join(&name).with_extension(extension);
    let (note, lock) = (path(NOTE_EXTENSION), path(LOCK_EXTENSION));
    let locked = open_private(&lock)?;
    locked.try_lock()?;
    let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let running = RunningSystem {
        api: format!("http://{}", system.api_address),
        port: system.api_address.port(),
        started_at_nanos: started_at.as_nanos(),
        signing_key: BASE64.encode(system.signing_key.pkcs8()),
    };
    replace_private(&note, &serde_json::to_vec(&running)?)?;
    Ok(Published { note, lock, _locked: locked })
}

/// The systems that are running, newest first.
pub(crate) fn all() -> io::Result<Vec<RunningSystem>> {
    let mut systems = Vec::new();
    for note in notes(&dir()?)? {
        // A system that has just ended has no file any more.
        if is_running(&note)
            && let Ok(text) = fs::read(&note)
            && let Ok(system) = serde_json::from_slice::<RunningSystem>(&text)
        {
            systems.push(system);
        }
    }
    systems.sort_by_key(|system| std::cmp::Reverse(system.started_at_nanos));
    Ok(systems)
}

/// The user's runtime directory, or the cache directory where the operating system has none.
fn dir() -> io::Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy().map_err(io::Error::other)?;
    let base = strategy.runtime_dir().unwrap_or_else(|| strategy.cache_dir());
    Ok(base.join("users-local-systems"))
}

fn notes(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == NOTE_EXTENSION)).collect())
}

/// Removes the files of systems that were killed.
fn remove_stale(dir: &Path) -> io::Result<()> {
    for note in notes(dir)?.iter().filter(|note| !is_running(note)) {
        let _ = fs::remove_file(note);
        let _ = fs::remove_file(note.with_extension(LOCK_EXTENSION));
    }
    Ok(())
}

fn is_running(note: &Path) -> bool {
    let lock = File::open(note.with_extension(LOCK_EXTENSION));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
