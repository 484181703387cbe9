//! The directory in which a local system stores everything.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file that names the layout of the directory.
const VERSION_FILE: &str = "version";
/// The file that a running system holds a lock on.
const LOCK_FILE: &str = "lock";
/// The layout that this program reads and writes.
const VERSION: &str = "1";
/// How often the existence of the directory is checked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Creates the directory if it is missing, for its owner only. Locks it until the result is dropped or the process
/// ends.
///
/// # Errors
/// Says that it cannot be made or written to, that another system uses it, or that its data is of another version.
pub(super) fn prepare(data_dir: &Path) -> Result<File, String> {
    create_private_dir(data_dir).map_err(|error| format!("cannot make {}: {error}", data_dir.display()))?;
    let lock = lock(data_dir)?;
    let file = data_dir.join(VERSION_FILE);
    let fault = |what: &str, error: io::Error| format!("cannot {what} {}: {error}", file.display());
    match fs::read_to_string(&file) {
        Ok(version) if version.trim_end() == VERSION => {}
        Ok(version) => {
            return Err(format!(
                "{} was made by another version of this program: its data is of version {:?}, read here is \
                 version {VERSION}. Use that program, or another directory with --data-dir",
                data_dir.display(),
                version.trim_end()
            ));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(fault("read", error)),
    }
    // Written at every start, so that a directory that accepts no data fails now and not in a request.
    let draft = data_dir.join(format!("{VERSION_FILE}.{}", std::process::id()));
    let written = write_private(&draft, VERSION.as_bytes()).and_then(|()| fs::rename(&draft, &file));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.map(|()| lock).map_err(|error| fault("write", error))
}

fn lock(data_dir: &Path) -> Result<File, String> {
    let file = data_dir.join(LOCK_FILE);
    let fault = |error: io::Error| format!("cannot lock {}: {error}", file.display());
    let lock = private_options().open(&file).map_err(fault)?;
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

pub(super) fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

pub(super) fn write_private(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = private_options().truncate(true).open(file)?;
    file.write_all(content)?;
    file.sync_all()
}

fn private_options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
