//! A local directory as the store.

#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, ReadDir, TryLockError},
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use futures_util::{StreamExt, TryStreamExt, stream};
use sha256_multi::State;
use tokio::task;

use super::{
    Answer, Listing, Piece, Place, Properties, Published, RecordKind, RecordName, Store,
    StoreError, Version,
};
use crate::server::{
    names::{FileName, UploadKey},
    record::Whole,
};

/// A local directory: files that are complete, and a folder `.uploads` for those that are not.
///
/// ```text
/// DIR/backup.tar                  a file: all of it, proven
/// DIR/.uploads/open/OWNER.ID      the record of an upload
/// DIR/.uploads/data/OWNER.ID      its bytes
/// DIR/.uploads/done/OWNER.ID      the record of one that is complete
/// DIR/.uploads/tmp/               records that are being written
/// DIR/.uploads/lock               is locked by the one process that may write here
/// ```
///
/// A record is replaced by rename, a file becomes visible by a hard link, which fails if there is
/// one of that name. Files and folders are synced in the order in which they depend on each other.
/// All of it must be one file system.
#[derive(Debug)]
pub struct Directory {
    folder: Arc<Folder>,
    /// Held for as long as the process has the directory.
    _lock: File,
}

#[derive(Debug)]
struct Folder {
    files: PathBuf,
    own: PathBuf,
    temporary: AtomicU64,
}

impl Directory {
    /// The bytes of a piece: so many are written at a time.
    const PIECE: usize = 1 << 20;
    /// The names of records that are held at a time: some 10 KiB.
    const LISTED: usize = 100;

    /// Opens a directory, and makes what is missing of it.
    ///
    /// It blocks, for as long as the file system takes.
    ///
    /// # Errors
    ///
    /// If it cannot be made or written, and of the kind [`WouldBlock`](ErrorKind::WouldBlock) if
    /// another process has it.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let files = path.into();
        let own = files.join(".uploads");
        fs::create_dir_all(&files)?;
        create_private(&own)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(own.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {
                let message = "expected a directory of its own, found one that another process has";
                return Err(io::Error::new(ErrorKind::WouldBlock, message));
            }
        }
        // Records that were being written when a former process ended.
        match fs::remove_dir_all(own.join("tmp")) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for folder in ["open", "done", "data", "tmp"] {
            let folder = own.join(folder);
            create_private(&folder)?;
            // What a process that was killed has renamed may not be on stable storage yet.
            sync_folder(&folder)?;
        }
        sync_folder(&own)?;
        sync_folder(&files)?;
        let folder = Arc::new(Folder { files, own, temporary: AtomicU64::new(0) });
        Ok(Self { folder, _lock: lock })
    }

    /// Runs `call` where it may block.
    fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        call: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        let folder = Arc::clone(&self.folder);
        Box::pin(async move {
            let done = task::spawn_blocking(move || call(&folder)).await;
            let done = done.map_err(|error| StoreError::new(name, error))?;
            done.map_err(|error| StoreError::new(name, error))
        })
    }
}

impl Store for Directory {
    fn properties(&self) -> Properties {
        Properties { is_shared: false, piece: Self::PIECE, max_pieces: usize::MAX, min_part: 0 }
    }

    fn exists<'a>(&'a self, name: &'a FileName) -> Answer<'a, bool> {
        let name = name.clone();
        self.run("find a file", move |folder| folder.file(&name).try_exists())
    }

    fn read<'a>(&'a self, record: &'a RecordName) -> Answer<'a, Option<(Vec<u8>, Version)>> {
        let record = record.clone();
        self.run("read a record", move |folder| {
            Ok(found(fs::read(folder.record(&record)))?.map(versioned))
        })
    }

    fn replace<'a>(
        &'a self,
        record: &'a RecordName,
        text: Vec<u8>,
        expected: Option<&'a Version>,
    ) -> Answer<'a, Option<Version>> {
        let (record, expected) = (record.clone(), expected.cloned());
        self.run("replace a record", move |folder| {
            folder.replace(&record, &text, expected.as_ref())
        })
    }

    fn delete<'a>(&'a self, record: &'a RecordName) -> Answer<'a, ()> {
        let record = record.clone();
        self.run("delete a record", move |folder| remove(&folder.record(&record)))
    }

    fn list<'a>(&'a self, kind: RecordKind, owner: Option<&'a str>) -> Listing<'a> {
        let listed = stream::try_unfold(None, move |entries: Option<ReadDir>| async move {
            let call = move |folder: &Folder| {
                let opened = || fs::read_dir(folder.own.join(kind.as_str()));
                let mut entries = entries.map_or_else(opened, Ok)?;
                let some: Vec<_> = entries.by_ref().take(Self::LISTED).collect::<Result<_, _>>()?;
                Ok((some, entries))
            };
            let (some, entries) = self.run("list records", call).await?;
            Ok((!some.is_empty()).then_some((some, Some(entries))))
        });
        let keys = listed.map_ok(move |entries| {
            let keys = entries.into_iter().filter_map(|entry| key(&entry.file_name()));
            stream::iter(keys.filter(move |key| owner.is_none_or(|owner| owner == key.owner())))
                .map(Ok)
        });
        Box::pin(keys.try_flatten())
    }

    fn begin<'a>(&'a self, key: &'a UploadKey, _: &'a FileName) -> Answer<'a, Option<String>> {
        let key = key.clone();
        self.run("begin with data", move |folder| {
            let path = folder.data(&key);
            OpenOptions::new().create(true).append(true).open(&path)?.sync_all()?;
            sync_parent(&path)?;
            Ok(None)
        })
    }

    fn write<'a>(&'a self, place: &'a Place, piece: Piece) -> Answer<'a, Option<String>> {
        let key = place.key.clone();
        self.run("write data", move |folder| {
            // Not made anew: a file that is gone is an error.
            let mut file = OpenOptions::new().write(true).open(folder.data(&key))?;
            file.seek(SeekFrom::Start(piece.offset))?;
            file.write_all(&piece.bytes)?;
            begin_to_write(&file, &piece);
            Ok(None)
        })
    }

    fn sync<'a>(&'a self, place: &'a Place) -> Answer<'a, ()> {
        let key = place.key.clone();
        self.run("sync data", move |folder| {
            OpenOptions::new().write(true).open(folder.data(&key))?.sync_data()
        })
    }

    fn publish<'a>(&'a self, whole: &'a Whole) -> Answer<'a, Published> {
        let whole = whole.clone();
        self.run("publish a file", move |folder| folder.publish(&whole))
    }

    fn clear<'a>(&'a self, place: &'a Place) -> Answer<'a, ()> {
        let key = place.key.clone();
        self.run("delete data", move |folder| remove(&folder.data(&key)))
    }
}

impl Folder {
    fn file(&self, name: &FileName) -> PathBuf {
        self.files.join(name.as_str())
    }

    fn record(&self, record: &RecordName) -> PathBuf {
        self.own.join(record.kind.as_str()).join(file_name(&record.key))
    }

    fn data(&self, key: &UploadKey) -> PathBuf {
        self.own.join("data").join(file_name(key))
    }

    /// This process alone replaces records, and one call at a time those of an upload. So nothing
    /// comes between the comparison and the rename.
    fn replace(
        &self,
        record: &RecordName,
        text: &[u8],
        expected: Option<&Version>,
    ) -> io::Result<Option<Version>> {
        let path = self.record(record);
        let found = found(fs::read(&path))?.map(|text| version(&text));
        if found.as_ref() != expected {
            return Ok(None);
        }
        let number = self.temporary.fetch_add(1, Relaxed);
        let temporary = self.own.join("tmp").join(number.to_string());
        write_synced(&temporary, text).and_then(|()| fs::rename(&temporary, &path)).inspect_err(
            // The error that is told is the first one.
            |_| drop(fs::remove_file(&temporary)),
        )?;
        sync_parent(&path)?;
        Ok(Some(version(text)))
    }

    fn publish(&self, whole: &Whole) -> io::Result<Published> {
        let Place { key, name, .. } = whole.place();
        let (data, file) = (self.data(key), self.file(name));
        let opened = match OpenOptions::new().write(true).open(&data) {
            // They were deleted because the name was taken, and the process ended before the record
            // was deleted too.
            Err(error) if error.kind() == ErrorKind::NotFound && file.try_exists()? => {
                return Ok(Published::NameTaken);
            }
            opened => opened?,
        };
        let length = opened.metadata()?.len();
        if length < whole.size() {
            let problem = format!("expected {} bytes of data, found {length}", whole.size());
            return Err(io::Error::new(ErrorKind::UnexpectedEof, problem));
        }
        // What is beyond was written by a part that was refused.
        if length > whole.size() {
            opened.set_len(whole.size())?;
        }
        opened.sync_all()?;
        match fs::hard_link(&data, &file) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if !is_one_file(&data, &file)? {
                    return Ok(Published::NameTaken);
                }
            }
            Err(error) => return Err(error),
        }
        sync_folder(&self.files)?;
        Ok(Published::Visible)
    }
}

/// Has the kernel write a piece to the disk while the next one comes, so that the sync of the part finds
/// little left.
///
/// `POSIX_FADV_DONTNEED` begins to write dirty pages and does not wait for them (`sync_file_range` does
/// the same, but needs `unsafe` code here). Nobody reads them soon, so they need not stay in memory.
#[cfg(target_os = "linux")]
fn begin_to_write(file: &File, piece: &Piece) {
    let length = NonZeroU64::new(piece.bytes.len() as u64);
    // Only advice: the sync tells whether writing has failed.
    let _ = rustix::fs::fadvise(file, piece.offset, length, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn begin_to_write(_: &File, _: &Piece) {}

fn write_synced(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_data()
}

fn file_name(key: &UploadKey) -> String {
    format!("{}.{}", key.owner(), key.id())
}

/// The upload whose record has this name; `None` for what is no record.
fn key(file_name: &OsStr) -> Option<UploadKey> {
    let (owner, id) = file_name.to_str()?.split_once('.')?;
    UploadKey::parse(owner, id)
}

/// The version of a record is the hash of its text.
fn version(text: &[u8]) -> Version {
    let mut state = State::new();
    state.update(text);
    Version::new(hex::encode(state.finalize()))
}

fn versioned(text: Vec<u8>) -> (Vec<u8>, Version) {
    let version = version(&text);
    (text, version)
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if found(fs::remove_file(path))?.is_some() {
        sync_parent(path)?;
    }
    Ok(())
}

/// Returns whether both names are those of one file: it was published before.
#[cfg(unix)]
fn is_one_file(one: &Path, other: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let of = |path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()));
    Ok(of(one)? == of(other)?)
}

#[cfg(not(unix))]
fn is_one_file(_: &Path, _: &Path) -> io::Result<bool> {
    Ok(false)
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

/// A name is on stable storage when its folder is synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
