//! Reads a file of secrets, whole and without ever waiting for another process.

use std::{
    error, fmt,
    fs::{File, FileType, OpenOptions},
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

use super::{stamp::Stamp, too_open::TooOpen};

/// The bytes of a file of secrets, zeroized on drop.
///
/// - Only a regular file is read, or a link to one. It is opened without blocking, and looked at
///   when it is open: a FIFO in its place does not hold up the reader, and nothing can take its
///   place between the look and the opening.
/// - A file that changes while it is read is an error, which may be gone the next time. That is as
///   far as it goes: between two writes a file that is half written looks like any other. So
///   replace a file by renaming another one over it.
/// - A file whose length is not known beforehand, as in `/proc`, counts as one that changes.
/// - Permissions are a matter of the caller, who asks for [`too_open`](Self::too_open).
///
/// ```
/// use framesign::secrets::SecretFile;
///
/// # let dir = std::env::temp_dir().join(format!("framesign-doc-read-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("secret");
/// std::fs::write(&path, "a secret")?;
/// let file = SecretFile::read(&path, 1024)?;
/// assert_eq!(file.bytes(), b"a secret");
/// if let Some(too_open) = file.too_open() {
///     eprintln!("{}: {too_open}", path.display());
/// }
/// # std::fs::remove_dir_all(dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SecretFile {
    bytes: Zeroizing<Vec<u8>>,
    stamp: Stamp,
    too_open: Option<TooOpen>,
}

/// The reason why a file of secrets was not read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The file is out of reach.
    Io(io::Error),
    /// The file is not a regular one.
    NotRegular {
        /// Its kind, with an article: "a FIFO".
        found: &'static str,
    },
    /// The file is too long.
    TooLarge {
        /// The most bytes that it may have.
        max_len: usize,
    },
    /// The file changed while it was read.
    Changed,
}

impl SecretFile {
    /// Reads the file at `path`, which may have `max_len` bytes at most.
    ///
    /// # Errors
    ///
    /// A [`ReadError`] if the file is out of reach, not a regular one, longer, or being changed.
    pub fn read(path: impl AsRef<Path>, max_len: usize) -> Result<Self, ReadError> {
        Opened::open(path.as_ref())?.read(max_len)
    }

    /// The bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The access that others than the owner have to the file. Always `None` if there are no modes.
    #[must_use]
    pub fn too_open(&self) -> Option<TooOpen> {
        self.too_open
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }
}

/// A regular file that is open, and what it was like then.
struct Opened {
    file: File,
    len: u64,
    stamp: Stamp,
    too_open: Option<TooOpen>,
}

impl Opened {
    fn open(path: &Path) -> Result<Self, ReadError> {
        let file = without_blocking().read(true).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ReadError::NotRegular { found: name_of(metadata.file_type()) });
        }
        let (stamp, too_open) = (Stamp::of(&metadata), TooOpen::of(&metadata));
        Ok(Self { file, len: metadata.len(), stamp, too_open })
    }

    fn read(self, max_len: usize) -> Result<SecretFile, ReadError> {
        let too_large = ReadError::TooLarge { max_len };
        let len = usize::try_from(self.len).ok().filter(|len| *len <= max_len).ok_or(too_large)?;
        // Read to where it stays: growing, or a buffer in between, would leave copies behind.
        let mut bytes = Zeroizing::new(vec![0; len]);
        let is_whole = fill(&self.file, &mut bytes)?;
        if !is_whole || !self.stamp.is_of_same_bytes(&Stamp::of(&self.file.metadata()?)) {
            return Err(ReadError::Changed);
        }
        Ok(SecretFile { bytes, stamp: self.stamp, too_open: self.too_open })
    }
}

/// Fills `bytes`; whether the file has as many, and no more.
fn fill(mut file: &File, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    Ok(file.read(&mut [0])? == 0)
}

/// Opening a FIFO or a device does not wait for its other end, and no terminal becomes that of the
/// process. Descriptors are closed on exec in any case. Reading a regular file is not changed by
/// it.
#[cfg(unix)]
fn without_blocking() -> OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;

    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.custom_flags(flags.bits().cast_signed());
    options
}

#[cfg(not(unix))]
fn without_blocking() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(unix)]
fn name_of(file_type: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match () {
        () if file_type.is_dir() => "a directory",
        () if file_type.is_fifo() => "a FIFO",
        () if file_type.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(not(unix))]
fn name_of(file_type: FileType) -> &'static str {
    if file_type.is_dir() { "a directory" } else { "a device" }
}

impl fmt::Debug for SecretFile {
    /// Without what stands in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("too_open", &self.too_open).finish_non_exhaustive()
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotRegular { found } => write!(f, "expected a regular file, found {found}"),
            Self::TooLarge { max_len } => {
                write!(f, "expected a file of at most {max_len} bytes, found a longer one")
            }
            Self::Changed => f.write_str(
                "the file changed while it was read; write another one and rename it over this one",
            ),
        }
    }
}

impl error::Error for ReadError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            // Its message is shown already, so the chain goes on below it.
            Self::Io(error) => error.source(),
            Self::NotRegular { .. } | Self::TooLarge { .. } | Self::Changed => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::PathBuf};

    use tempfile::TempDir;

    use super::{Opened, ReadError, SecretFile};

    /// A file that is open, and where it is.
    fn opened(dir: &TempDir, text: &str) -> (Opened, PathBuf) {
        let path = dir.path().join("secret");
        fs::write(&path, text).unwrap();
        (Opened::open(&path).unwrap(), path)
    }

    #[test]
    fn file_that_changes_while_it_is_read_is_refused() {
        let dir = TempDir::new().unwrap();
        let longer = |path: &PathBuf| {
            fs::File::options().append(true).open(path).unwrap().write_all(b" of them").unwrap();
        };
        let shorter = |path: &PathBuf| fs::write(path, "one").unwrap();
        let of_another_time = |path: &PathBuf| {
            let file = fs::File::options().append(true).open(path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        };
        for change in [longer, shorter, of_another_time] as [fn(&PathBuf); 3] {
            let (opened, path) = opened(&dir, "the secret");
            change(&path);
            assert!(matches!(opened.read(1024), Err(ReadError::Changed)));
            // Nothing changes the next time.
            assert!(SecretFile::read(&path, 1024).is_ok());
        }
    }

    #[cfg(unix)]
    #[test]
    fn file_that_another_one_was_renamed_over_is_read_whole() {
        let dir = TempDir::new().unwrap();
        let (opened, path) = opened(&dir, "the secret");
        let other = dir.path().join("other");
        fs::write(&other, "another").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(opened.read(1024).unwrap().bytes(), b"the secret");
        assert_eq!(SecretFile::read(&path, 1024).unwrap().bytes(), b"another");
    }

    /// Such an error may come of a disk; here the file is not open to be read.
    #[test]
    fn error_of_reading_is_told_as_it_is() {
        let dir = TempDir::new().unwrap();
        let (mut opened, path) = opened(&dir, "the secret");
        opened.file = fs::File::options().append(true).open(path).unwrap();
        assert!(matches!(opened.read(1024), Err(ReadError::Io(_))));
    }
}
