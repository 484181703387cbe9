//! The directory in which a local system stores everything.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{dynamodb, signing_key};
use crate::files::{create_private_dir, is_open_to_others, make_private, open_private, replace_private};

/// The file that names the layout of the directory.
const VERSION_FILE: &str = "version";
/// The file that a running system holds a lock on.
const LOCK_FILE: &str = "lock";
/// The layout that this program reads and writes.
const VERSION: &str = "1";
/// How often the existence of the directory is checked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A data directory that is ready.
pub(super) struct DataDir {
    /// Keeps other systems off the directory until it is dropped or the process ends.
    pub(super) lock: File,
    /// What was changed about it, in a sentence.
    pub(super) remark: Option<String>,
}

/// Creates the directory if it is missing, for its owner only, and locks it. Leaves that of another program as it is.
///
/// # Errors
/// Says that it cannot be made or written to, that others can enter it, that another system uses it, or that its data is
/// of another version.
pub(super) fn prepare(data_dir: &Path) -> Result<DataDir, String> {
    create_private_dir(data_dir).map_err(|error| format!("cannot make {}: {error}", data_dir.display()))?;
    check_version(data_dir)?;
    let remark = close_to_others(data_dir)?;
    let lock = lock(data_dir)?;
    // Another version may have been the first to lock it.
    check_version(data_dir)?;
    // Written at every start, so that a directory that accepts no data fails now and not in a request.
    let file = data_dir.join(VERSION_FILE);
    replace_private(&file, VERSION.as_bytes())
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    make_files_private(data_dir)?;
    Ok(DataDir { lock, remark })
}

/// Checks that the data, if there is any, is of the version that this program reads.
fn check_version(data_dir: &Path) -> Result<(), String> {
    let file = data_dir.join(VERSION_FILE);
    let version = match fs::read_to_string(&file) {
        Ok(version) => version,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("cannot read {}: {error}", file.display())),
    };
    let version = version.trim_end();
    if version == VERSION {
        return Ok(());
    }
    let shown = data_dir.display();
    Err(if holds_data(data_dir) {
        format!(
            "{shown} was made by another version of this program: its data is of version {version:?}, read here is \
             version {VERSION}. Use that program, or another directory with --data-dir"
        )
    } else {
        format!(
            "{shown} is not a data directory of this program, and it holds a file {VERSION_FILE}: choose another \
             directory with --data-dir"
        )
    })
}

/// Whether a local system has stored anything in the directory.
fn holds_data(data_dir: &Path) -> bool {
    [dynamodb::FILE, signing_key::FILE].iter().any(|name| data_dir.join(name).exists())
}

/// Takes the permissions of others from a directory that is ours or empty. Any other directory is left as it is.
fn close_to_others(data_dir: &Path) -> Result<Option<String>, String> {
    let shown = data_dir.display();
    let cannot = |error: io::Error| format!("cannot look at {shown}: {error}");
    if !is_open_to_others(data_dir).map_err(cannot)? {
        return Ok(None);
    }
    // A start that was interrupted leaves no data yet.
    let is_begun = |name: &OsStr| [VERSION_FILE, LOCK_FILE].iter().any(|ours| name == *ours);
    let mut is_ours = data_dir.join(VERSION_FILE).exists() && holds_data(data_dir);
    if !is_ours {
        let names = fs::read_dir(data_dir).map_err(cannot)?.map(|entry| entry.map(|entry| entry.file_name()));
        let names: Vec<_> = names.collect::<Result<_, _>>().map_err(cannot)?;
        is_ours = names.iter().all(|name| is_begun(name));
    }
    if !is_ours {
        return Err(format!(
            "others than you can enter {shown}, and it holds other files: choose another directory with --data-dir, or \
             `chmod 700` it first"
        ));
    }
    make_private(data_dir).map_err(|error| {
        format!("others than you can enter {shown}, and that cannot be changed ({error}): choose another directory")
    })?;
    Ok(Some(format!("others could enter {shown}: now only you can")))
}

/// Makes the files private that an earlier version or another program has left open to others.
fn make_files_private(data_dir: &Path) -> Result<(), String> {
    // SQLite's companions of the table's file have its permissions from their creation on.
    let names = [VERSION_FILE, LOCK_FILE, signing_key::FILE, dynamodb::FILE];
    let companions = ["wal", "shm", "journal"].map(|ending| format!("{}-{ending}", dynamodb::FILE));
    for name in names.into_iter().chain(companions.iter().map(String::as_str)) {
        let file = data_dir.join(name);
        match make_private(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(format!(
                    "others than you can read {}, and that cannot be changed: {error}",
                    file.display()
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn lock(data_dir: &Path) -> Result<File, String> {
    let file = data_dir.join(LOCK_FILE);
    let fault = |error: io::Error| format!("cannot lock {}: {error}", file.display());
    let lock = open_private(&file).map_err(fault)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another `users serve` is using {}: stop it, or choose another directory with --data-dir",
            data_dir.display()
        )),
        Err(TryLockError::Error(error)) => Err(fault(error)),
    }
}

/// Resolves when a file was removed or replaced.
pub(super) async fn gone(file: PathBuf) {
    let first = identity(&file);
    while identity(&file) == first {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The identity of a file, which differs from that of another file with the same name.
fn identity(file: &Path) -> Option<impl PartialEq + use<>> {
    let metadata = fs::metadata(file).ok()?;
    #[cfg(unix)]
    return Some((
        std::os::unix::fs::MetadataExt::dev(&metadata),
        std::os::unix::fs::MetadataExt::ino(&metadata),
    ));
    #[cfg(not(unix))]
    return Some(metadata.created().ok());
}
