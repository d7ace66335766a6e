//! What stands in the file, and how a change is seen.

use std::{
    borrow::Cow,
    fs::{self, File, Metadata},
    io::{self, Read},
    path::Path,
    time::{Duration, SystemTime},
};

use toml_span::{Value, value::ValueInner};
use zeroize::Zeroizing;

use super::{FileError, Table};
use crate::secrets::Secret;

/// Far more than the secrets of a file should be, and read in a few milliseconds.
const MAX_LEN: usize = 1024 * 1024;

/// What was read at once.
pub(super) struct Contents {
    pub(super) stamp: Stamp,
    /// The secrets, or why there are none to be had.
    pub(super) table: Result<Table, FileError>,
}

impl Contents {
    /// Reads the file; the error is for one that is out of reach.
    pub(super) fn read(path: &Path) -> Result<Self, FileError> {
        let file = File::open(path)?;
        // Taken before reading: what changes meanwhile is seen the next time.
        let stamp = Stamp::of(&file.metadata()?);
        Ok(Self { stamp, table: table(&read(file)?) })
    }
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    identity: Identity,
    is_file: bool,
    taken: SystemTime,
}

/// Which file it is, and when anything about it changed.
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);
#[cfg(not(unix))]
type Identity = ();

/// Two changes within this time can have the same time of change.
const GRANULARITY: Duration = Duration::from_secs(2);

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            len: metadata.len(),
            identity: identity(metadata),
            is_file: metadata.is_file(),
            taken: SystemTime::now(),
        }
    }

    /// Whether the file is still as it was. A pipe always is: there is no reading it again.
    pub(super) fn is_still(&self, path: &Path) -> bool {
        if !self.is_file {
            return true;
        }
        self.is_settled() && fs::metadata(path).is_ok_and(|metadata| Self::of(&metadata) == *self)
    }

    /// Whether a change right after it was taken would show. One that is too fresh would not, and
    /// so the file is read again.
    fn is_settled(&self) -> bool {
        let age = self.modified.and_then(|modified| self.taken.duration_since(modified).ok());
        age.is_some_and(|age| age > GRANULARITY)
    }
}

impl PartialEq for Stamp {
    /// Of the file; when each was taken does not count.
    fn eq(&self, other: &Self) -> bool {
        (self.modified, self.len, self.identity) == (other.modified, other.len, other.identity)
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}

fn read(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN + 1));
    file.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn table(bytes: &[u8]) -> Result<Table, FileError> {
    if bytes.len() > MAX_LEN {
        return Err(FileError::TooLarge);
    }
    let text = str::from_utf8(bytes).map_err(|_| FileError::NotUtf8)?;
    let line = |at: usize| 1 + bytes.iter().take(at).filter(|&&byte| byte == b'\n').count();
    let mut document = toml_span::parse(text)
        .map_err(|error| FileError::NotToml { line: line(error.span.start) })?;
    let ValueInner::Table(entries) = document.take() else { return Err(FileError::Empty) };
    let mut table = Table::default();
    for (access_key, mut value) in entries {
        let line = line(value.span.start);
        let secrets = secrets(&mut value).ok_or(FileError::NotStrings { line })?;
        let unusable = |error| FileError::Unusable { line, error };
        let entry = table.entry(&access_key.name).map_err(unusable)?;
        for secret in secrets {
            entry.push(Secret::new(&secret).map_err(unusable)?);
        }
    }
    if table.len() == 0 { Err(FileError::Empty) } else { Ok(table) }
}

/// The strings of a list.
fn secrets(value: &mut Value<'_>) -> Option<Vec<Zeroizing<String>>> {
    let ValueInner::Array(list) = value.take() else { return None };
    let strings = list.into_iter().map(|mut value| match value.take() {
        ValueInner::String(text) => Some(Zeroizing::new(Cow::into_owned(text))),
        _ => None,
    });
    strings.collect()
}
