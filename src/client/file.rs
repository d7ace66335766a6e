//! A file as the body of a request: hashed once, and read again for each attempt.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Seek},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    NotSigned,
    blocking::{self, Awaited, CancellableReader},
    file_reader::FileReader,
    file_stamp::{FileStamp, changed},
};
use crate::protocol::PayloadHash;

/// A file that is the body of a request, and of the further attempts to send it.
///
/// It is opened when a request with it is signed. The first time it is read twice, since the
/// signature stands before the payload: it is hashed, and it is sent. Clones share the hash. It
/// counts for the next attempt if the file at the path is still the same one (device and inode,
/// where there are such), with the same size and the same modification time; else the file is hashed
/// again.
///
/// What is signed is the file as it was hashed. If its size or its modification time is another one
/// when the last byte is read, the body ends in an error before that byte is sent. A file that was
/// changed without a trace in either is refused by the server, since its hash is another one.
///
/// ```no_run
/// use framesign::client::{SignableBody, SignableFile};
///
/// let file = SignableFile::new("upload.bin");
/// let request = http::Request::put("http://test.com/up").body(SignableBody::from(file))?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SignableFile {
    path: Arc<Path>,
    hashed: Arc<Mutex<Option<Hashed>>>,
}

/// The hash of a file in one of its states.
#[derive(Clone, Copy, Debug)]
struct Hashed {
    stamp: FileStamp,
    hash: PayloadHash,
}

impl SignableFile {
    /// Names the file. It is opened for each attempt.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path: PathBuf = path.into();
        Self { path: path.into(), hashed: Arc::default() }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file and finds its hash, away from the threads of the runtime.
    pub(super) async fn open(self) -> Result<(FileReader, PayloadHash), NotSigned> {
        let path = self.path.clone();
        let opened = blocking::run_while_awaited(move |awaited| self.open_blocking(awaited));
        let result = opened.await.map_err(NotSigned::Runtime)?;
        result.map_err(|error| NotSigned::File { path: path.to_path_buf(), error })
    }

    fn open_blocking(&self, awaited: Awaited) -> io::Result<(FileReader, PayloadHash)> {
        // Anything else, such as a pipe, may block when it is opened, and is read only once.
        if !fs::metadata(&self.path)?.is_file() {
            let problem = "expected a regular file, found something that is read only once";
            return Err(io::Error::new(ErrorKind::InvalidInput, problem));
        }
        let file = File::open(&self.path)?;
        let stamp = FileStamp::of(&file)?;
        let hash = match self.known(stamp) {
            Some(hash) => hash,
            None => self.hash(&file, stamp, awaited)?,
        };
        Ok((FileReader::new(file, stamp), hash))
    }

    /// The hash of the file in the state of `stamp`, if that was hashed last.
    fn known(&self, stamp: FileStamp) -> Option<PayloadHash> {
        let hashed = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
        hashed.filter(|hashed| hashed.stamp == stamp).map(|hashed| hashed.hash)
    }

    /// Hashes the file, and goes back to its beginning.
    fn hash(&self, mut file: &File, stamp: FileStamp, awaited: Awaited) -> io::Result<PayloadHash> {
        let (hash, len) = PayloadHash::of_reader(CancellableReader { reader: file, awaited })?;
        if len != stamp.len || FileStamp::of(file)? != stamp {
            return Err(changed());
        }
        file.rewind()?;
        let mut hashed = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
        *hashed = Some(Hashed { stamp, hash });
        Ok(hash)
    }
}
