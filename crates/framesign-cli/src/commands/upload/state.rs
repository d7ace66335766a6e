//! The file that says where an upload is while it lasts, for `--resume`.
//!
//! It is written once, when the upload is created, and removed when its result was printed. Another
//! process that uploads the same file to the same place puts its own state there, and no process
//! removes that of another. How
//! many bytes the server has is not in it: the server knows better, since an answer can be lost.
//! Nor is the state of the hash: what the server has is read again instead. So the hash of the
//! whole is one of what is in the file now, and a prefix that was changed without a trace is found,
//! which the saved state of a hash would have hidden.

use std::{
    env,
    ffi::OsString,
    fmt, fs,
    io::{self, ErrorKind, Write},
    iter,
    path::{Path, PathBuf},
    time::SystemTime,
};

use framesign::PayloadHash;
use http::Uri;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// The most bytes of a state: far more than it has.
const MAX_LEN: u64 = 64 * 1024;

/// Where an upload is, and what it is of. No secret is in it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Where the file is uploaded to.
    url: String,
    access_key: String,
    /// The stamp of the file.
    source: String,
    /// The URL of the upload resource.
    upload: String,
}

/// The places where the state of an upload can be.
#[derive(Clone, Debug)]
pub(super) struct StateFile {
    /// In the folder of the source.
    beside: PathBuf,
    /// In the folder of the user's states, if there is one.
    of_user: Option<PathBuf>,
    url: String,
    access_key: String,
    source: String,
}

/// The state of one upload. Another process that uploads the same file may have put its own there.
#[derive(Debug)]
pub(super) struct Kept {
    file: StateFile,
    /// The URL of the upload resource.
    upload: String,
}

impl StateFile {
    /// The places for an upload of the file at `path`, which has the stamp `source`.
    pub(super) fn new(
        path: &Path,
        url: &Uri,
        access_key: &str,
        source: String,
    ) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let url = url.to_string();
        // One file can be uploaded to several places at the same time.
        let target = digits(&[url.as_bytes(), access_key.as_bytes()], 16);
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{target}.framesign-upload"));
        let of_user = states_of_user().map(|folder| {
            let path = path.as_os_str().as_encoded_bytes();
            folder.join(digits(&[path, url.as_bytes(), access_key.as_bytes()], 32))
        });
        let beside = path.with_file_name(name);
        Ok(Self { beside, of_user, url, access_key: access_key.to_owned(), source })
    }

    /// The last state of an upload to this URL with this access key, if there is one, and where it
    /// is.
    ///
    /// Others may write to the folder of the source. So what cannot be the state that this user wrote
    /// is none: `warn` is told of it, and it neither stops the upload nor hides a state elsewhere.
    pub(super) fn load(&self, warn: impl Fn(&dyn fmt::Display)) -> Option<(State, &Path)> {
        let of_this = |path| match read(path) {
            Ok(Some((state, written))) => {
                let is_of_this = state.url == self.url && state.access_key == self.access_key;
                is_of_this.then_some((written, state, path))
            }
            Ok(None) => None,
            Err(error) => {
                warn(&format_args!("{}: {error}; it is not used", path.display()));
                None
            }
        };
        // One beside the source stays where the folder can be read only by now.
        let last = self.places().filter_map(of_this).max_by_key(|(written, ..)| *written);
        last.map(|(_, state, path)| (state, path))
    }

    fn places(&self) -> impl Iterator<Item = &Path> {
        iter::once(&*self.beside).chain(self.of_user.as_deref())
    }

    /// The state, as one of this upload.
    pub(super) fn of(&self, upload: &Uri) -> Kept {
        Kept { file: self.clone(), upload: upload.to_string() }
    }

    /// Whether the state is of the file as it is now.
    pub(super) fn is_of_source(&self, state: &State) -> bool {
        state.source == self.source
    }

    /// Writes the state of an upload, in one step.
    pub(super) fn save(&self, upload: &Uri) -> io::Result<Kept> {
        let state = State {
            url: self.url.clone(),
            access_key: self.access_key.clone(),
            source: self.source.clone(),
            upload: upload.to_string(),
        };
        let text = serde_json::to_vec(&state)?;
        if let Err(beside) = replace(&self.beside, &text) {
            let Some(of_user) = &self.of_user else { return Err(beside) };
            of_user.parent().map_or(Ok(()), create_private)?;
            replace(of_user, &text)?;
        }
        Ok(self.of(upload))
    }
}

impl Kept {
    /// Whether it is still there, and `--resume` goes on with this upload.
    pub(super) fn is_there(&self) -> bool {
        self.file.load(|_| {}).is_some_and(|(state, _)| state.upload == self.upload)
    }

    /// Removes the state, wherever it is, but for that of another upload.
    pub(super) fn remove(self) {
        for path in self.file.places() {
            if read(path)
                .is_ok_and(|read| read.is_some_and(|(state, _)| state.upload == self.upload))
            {
                // What is left of a state is found not to be of use when it is resumed.
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl State {
    /// The URL of the upload resource.
    pub(super) fn upload(&self) -> io::Result<Uri> {
        self.upload.parse().map_err(|_| unreadable())
    }
}

/// The state in a file, and when it was written.
fn read(path: &Path) -> io::Result<Option<(State, SystemTime)>> {
    use io::Read;

    let file = match open(path) {
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) if is_link(&error) => return Err(not_own()),
        file => file?,
    };
    let metadata = file.metadata()?;
    if !is_own(&metadata) {
        return Err(not_own());
    }
    let mut text = Vec::new();
    file.take(MAX_LEN).read_to_end(&mut text)?;
    let state: State = serde_json::from_slice(&text).map_err(|_| unreadable())?;
    state.upload()?;
    Ok(Some((state, metadata.modified()?)))
}

/// Opens a file for reading: not what a symbolic link names, and without waiting for the other end
/// of a FIFO or a device.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<fs::File> {
    fs::File::open(path)
}

/// Whether a file was not opened since a symbolic link has its name.
#[cfg(unix)]
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_link(_: &io::Error) -> bool {
    false
}

/// Whether a file can be one that this user wrote, and nobody else has changed.
#[cfg(unix)]
fn is_own(metadata: &fs::Metadata) -> bool {
    is_of(metadata, rustix::process::geteuid().as_raw())
}

/// Whether a file is a regular one of a user, which nobody else can write.
#[cfg(unix)]
fn is_of(metadata: &fs::Metadata, user: u32) -> bool {
    use std::os::unix::fs::MetadataExt;

    const OTHERS_WRITE: u32 = 0o022;
    metadata.is_file() && metadata.uid() == user && metadata.mode() & OTHERS_WRITE == 0
}

#[cfg(not(unix))]
fn is_own(metadata: &fs::Metadata) -> bool {
    metadata.is_file()
}

/// A name that is too long for a file is of no file.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidFilename)
}

fn not_own() -> io::Error {
    let problem = "expected the state of an upload in a regular file that is yours and that nobody \
                   else can write, found another one";
    io::Error::new(ErrorKind::PermissionDenied, problem)
}

fn unreadable() -> io::Error {
    let problem = "expected the state of an upload, found other content";
    io::Error::new(ErrorKind::InvalidData, problem)
}

/// Replaces a file, which only its owner can read, in one step.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::with_prefix_in(".framesign-", folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// `$XDG_STATE_HOME`, or its default, as the XDG Base Directory Specification has them.
fn states_of_user() -> Option<PathBuf> {
    let set = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".local/state"));
    let folder = set.or_else(home).filter(|path| path.is_absolute())?;
    Some(folder.join("framesign").join("uploads"))
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Digits that stand for some texts.
fn digits(texts: &[&[u8]], count: usize) -> String {
    // No URL and no access key has a line end in it.
    let mut digits = PayloadHash::of(&texts.join(&b'\n')).to_string();
    digits.truncate(count);
    digits
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::{is_of, is_own};

    #[test]
    fn own_file_is_one_that_nobody_else_can_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::write(&path, b"").unwrap();
        let user = rustix::process::geteuid().as_raw();
        for (mode, is) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!(is_own(&metadata), is, "{mode:o}");
            assert_eq!(is_of(&metadata, user), is, "{mode:o}");
            assert!(!is_of(&metadata, user + 1), "{mode:o}");
        }
        assert!(!is_own(&fs::metadata(folder.path()).unwrap()));
    }
}
