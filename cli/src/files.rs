//! The files that commands write: only their owner can read them, and they never take the place of a file of somebody else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ring::digest::{Context, Digest, SHA256};
use tempfile::{Builder, NamedTempFile};

/// How much of a file is read to recognise it.
const HEAD_BYTES: u64 = 256;

/// Creates a file that only its owner can read.
///
/// # Errors
/// Fails if there is anything under this name, even a link that leads nowhere.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    private_options().create_new(true).open(path)
}

/// Opens a file for writing. Creates one that only its owner can read if there is none.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    private_options().create(true).truncate(false).open(path)
}

/// Opens a file that is read more than once, which a pipe cannot be.
pub(crate) fn open_input(path: &Path) -> io::Result<File> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    if !found.is_file() {
        return Err(io::Error::other(
            "it is a pipe or a device, and an import reads a file more than once: write its content to a file that \
             only you can read",
        ));
    }
    File::open(path)
}

/// Writes a file, or replaces it. A kill during this leaves the previous file.
pub(crate) fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut draft = draft(path)?;
    draft.write_all(content)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    Ok(())
}

/// Writes a file that must not exist yet. Nobody ever sees half of it.
pub(crate) fn write_new_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut draft = NewFile::begin(path)?;
    draft.file().write_all(content)?;
    draft.finish()
}

/// A file that must not exist yet. It gets its name when it is whole.
pub(crate) struct NewFile {
    draft: NamedTempFile,
    path: PathBuf,
}

impl NewFile {
    /// Begins one that only its owner can read.
    ///
    /// # Errors
    /// Fails if there is anything under this name, even a link that leads nowhere.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        Ok(Self { draft: draft(path)?, path: path.to_owned() })
    }

    /// Where to write.
    pub(crate) fn file(&mut self) -> &mut File {
        self.draft.as_file_mut()
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// Fails if there is anything under this name by now.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.draft.as_file().sync_all()?;
        self.draft.persist_noclobber(self.path)?;
        Ok(())
    }
}

/// A file beside `path`, which is removed unless it gets that name.
fn draft(path: &Path) -> io::Result<NamedTempFile> {
    let name = path.file_name().unwrap_or_default();
    Builder::new().prefix(name).suffix(".draft").tempfile_in(folder(path))
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A kind of file that a command writes.
pub(crate) struct OutputKind {
    /// What such a file is, with its article.
    pub(crate) name: &'static str,
    /// Whether a file that begins like this is one.
    pub(crate) is_one: fn(&[u8]) -> bool,
}

impl OutputKind {
    /// Checks that a file may be written: its folder is there, and there is no such file, or it is one of this kind and
    /// `force` says to replace it.
    /// None of `inputs` is ever replaced, under whatever name.
    pub(crate) fn check(&self, path: &Path, inputs: &[&Path], force: bool) -> Result<(), String> {
        let shown = path.display();
        let cannot = |error: io::Error| format!("cannot look at {shown}: {error}");
        if inputs.iter().any(|input| is_same(path, input)) {
            return Err(format!("{shown} is a file that this command reads: choose another name"));
        }
        if !folder(path).is_dir() {
            return Err(format!("{shown} cannot be written: {} is no folder", folder(path).display()));
        }
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            found => found.map_err(cannot)?,
        };
        let is_one = fs::metadata(path).is_ok_and(|found| found.is_file())
            && (self.is_one)(&head(path).map_err(cannot)?);
        if !is_one {
            return Err(format!(
                "{shown} is there, and it is not {}: it stays. Choose another name",
                self.name
            ));
        }
        if !force {
            return Err(format!("{shown} is there, and it is {}: --force replaces it", self.name));
        }
        Ok(())
    }
}

fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// Whether two names are of the same file, which need not exist.
fn is_same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) {
        use std::os::unix::fs::MetadataExt as _;
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    place(one) == place(other)
}

/// A name that is the same for the same file, which need not exist.
pub(crate) fn place(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let folder = fs::canonicalize(folder(path)).unwrap_or_else(|_| folder(path).to_owned());
        folder.join(path.file_name().unwrap_or_default())
    })
}

/// Adds the first `bytes` of a file to a digest.
///
/// # Errors
/// Fails if the file is shorter.
pub(crate) fn digest_start(path: &Path, bytes: u64, context: &mut Context) -> io::Result<()> {
    let read = io::copy(&mut File::open(path)?.take(bytes), &mut Digesting(context))?;
    if read < bytes { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// The SHA-256 of a file.
pub(crate) fn digest(path: &Path) -> io::Result<Digest> {
    let mut context = Context::new(&SHA256);
    io::copy(&mut open_input(path)?, &mut Digesting(&mut context))?;
    Ok(context.finish())
}

struct Digesting<'a>(&'a mut Context);

impl io::Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a directory that only its owner can enter, if it is missing.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Takes a file's or a directory's permissions from everybody but its owner. Returns whether others had any.
pub(crate) fn make_private(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mut permissions = fs::metadata(path)?.permissions();
        let mode = permissions.mode();
        if mode & 0o077 != 0 {
            permissions.set_mode(mode & 0o700);
            fs::set_permissions(path, permissions)?;
            return Ok(true);
        }
    }
    let _ = path;
    Ok(false)
}

/// Whether others than its owner can use a file or a directory.
pub(crate) fn is_open_to_others(path: &Path) -> io::Result<bool> {
    let permissions = fs::metadata(path)?.permissions();
    #[cfg(unix)]
    return Ok(std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o077 != 0);
    #[cfg(not(unix))]
    {
        let _ = permissions;
        Ok(false)
    }
}
