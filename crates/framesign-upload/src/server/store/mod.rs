//! Where uploads are: the interface, and its implementations.
//!
//! A store has two kinds of things. **Records** are small texts, one for each upload, which are
//! replaced by condition. **Data** are the bytes of an upload, which come in pieces and become
//! visible as a file in one step. Everything else (offsets, hashes, limits, who may do what) is
//! above the store, once for all of them.

mod directory;
#[cfg(feature = "objects")]
mod objects;

use std::{error, fmt, pin::Pin};

use bytes::Bytes;
use futures_util::Stream;

pub use self::directory::Directory;
#[cfg(feature = "objects")]
pub use self::objects::{ObjectBackend, Objects};
use super::{
    names::{FileName, UploadKey},
    record::Whole,
};

/// The answer of a store.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The uploads whose records a store lists. Nothing comes after an error.
pub type Listing<'a> = Pin<Box<dyn Stream<Item = Result<UploadKey, StoreError>> + Send + 'a>>;

/// A store of uploads.
///
/// Nothing may be lost that a call has acknowledged: it is on stable storage when the call returns.
/// Two calls for one upload do not run at the same time in one process, unless they only read.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The properties of the store.
    fn properties(&self) -> Properties;

    /// Asks whether there is a file `name`.
    fn exists<'a>(&'a self, name: &'a FileName) -> Answer<'a, bool>;

    /// Reads a record; `None` if there is none.
    fn read<'a>(&'a self, record: &'a RecordName) -> Answer<'a, Option<(Vec<u8>, Version)>>;

    /// Replaces a record if it still is of the version `expected`, or, with `None`, makes one if
    /// there is none. Returns the new version; `None` if the condition does not hold.
    fn replace<'a>(
        &'a self,
        record: &'a RecordName,
        text: Vec<u8>,
        expected: Option<&'a Version>,
    ) -> Answer<'a, Option<Version>>;

    /// Deletes a record, if there is one.
    fn delete<'a>(&'a self, record: &'a RecordName) -> Answer<'a, ()>;

    /// Lists the records of a kind, of one owner or of all, and holds some of their names at a time.
    /// Records can be made and deleted meanwhile; others are listed once.
    fn list<'a>(&'a self, kind: RecordKind, owner: Option<&'a str>) -> Listing<'a>;

    /// Makes room for the data of an upload. The handle, if there is one, is kept in the record.
    fn begin<'a>(&'a self, key: &'a UploadKey, name: &'a FileName) -> Answer<'a, Option<String>>;

    /// Writes the next piece. The tag, if there is one, is kept in the record. What is written after
    /// the place that the record knows may be written again.
    fn write<'a>(&'a self, place: &'a Place, piece: Piece) -> Answer<'a, Option<String>>;

    /// Makes what was written stable, if writing does not. Fails if the store sees that the data are
    /// gone.
    fn sync<'a>(&'a self, place: &'a Place) -> Answer<'a, ()>;

    /// Makes a whole upload visible as the file that it is for, in one step. Called again for the
    /// same upload it returns the same.
    fn publish<'a>(&'a self, whole: &'a Whole) -> Answer<'a, Published>;

    /// Deletes the data of an upload, and all that was kept to make it visible. A file that is
    /// visible stays.
    fn clear<'a>(&'a self, place: &'a Place) -> Answer<'a, ()>;
}

/// The properties of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Several processes use the store at the same time.
    pub is_shared: bool,
    /// The bytes of a piece. The pieces of a part are at least so large, and smaller than two; the
    /// one piece of a part that is smaller has all of it.
    pub piece: usize,
    /// The most pieces of an upload.
    pub max_pieces: usize,
    /// The least bytes of a part that is not the last.
    pub min_part: u64,
}

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Of an upload that has not ended.
    Open,
    /// Of an upload whose file is visible.
    Done,
}

impl RecordKind {
    /// The name of the folder.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
        }
    }
}

/// The name of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordName {
    /// The kind.
    pub kind: RecordKind,
    /// The upload.
    pub key: UploadKey,
}

/// The version of a record, as the store tells them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Box<str>);

impl Version {
    /// The version that a store calls so.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// What the store calls it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the data of an upload are.
#[derive(Clone, Debug)]
pub struct Place {
    /// The upload.
    pub key: UploadKey,
    /// The file that it is for.
    pub name: FileName,
    /// What [`Store::begin`] returned.
    pub handle: Option<String>,
}

/// Bytes for a place of the data.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The number of pieces before it.
    pub index: usize,
    /// The number of bytes before it.
    pub offset: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// What became of a whole upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Published {
    /// The file is there.
    Visible,
    /// Another file has its name, and stays as it is.
    NameTaken,
}

/// A store that failed.
///
/// The message is for the log. It has the names of files and of uploads, and nothing of their bytes.
pub struct StoreError {
    call: &'static str,
    source: Box<dyn error::Error + Send + Sync>,
}

impl StoreError {
    /// Wraps why `call` failed.
    pub fn new(call: &'static str, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self { call, source: source.into() }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("call", &self.call)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store failed to {}: {}", self.call, self.source)
    }
}

impl error::Error for StoreError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The inner message is shown already, so the chain goes on below it.
        self.source.source()
    }
}
