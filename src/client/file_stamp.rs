//! The stamp of a file, by which a change is seen.

use std::{
    fs::{File, Metadata},
    io::{self, ErrorKind},
    time::SystemTime,
};

/// The state of a file, as far as it is known without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    pub(super) len: u64,
    modified: SystemTime,
    identity: Identity,
}

impl FileStamp {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            len: metadata.len(),
            modified: metadata.modified()?,
            identity: identity(&metadata),
        })
    }
}

/// Device and inode.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = ();

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}

/// The error of a file that is not what was hashed.
pub(super) fn changed() -> io::Error {
    let problem = "expected a file that stays as it was hashed, found it changed; send it again";
    io::Error::new(ErrorKind::InvalidData, problem)
}
