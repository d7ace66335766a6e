//! A store that is a file.

mod contents;
mod error;
#[cfg(all(test, framesign_loom))]
mod models;
mod read;
mod stamp;
mod too_open;

use std::{
    fmt,
    path::PathBuf,
    sync::{PoisonError, TryLockError},
    time::{Duration, Instant},
};

pub(super) use self::contents::table;
pub use self::error::FileError;
pub use self::read::{ReadError, SecretFile};
pub use self::too_open::TooOpen;

use self::{contents::Contents, stamp::Stamp};
use super::{Secret, SecretStore, StoreError, table::Table};
use crate::sync::{Mutex, MutexGuard, RwLock};

/// Secrets in a TOML file, which is read again when it changes.
///
/// ```toml
/// # Access key = [secret, older secret]
/// "AKIAIOSFODNN7EXAMPLE" = ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "older secret"]
/// # Revoked
/// "AKIAI44QH8DHBEXAMPLE" = []
/// ```
///
/// - A look-up sees whether the file has changed, by its time, length and identity, if that was
///   last seen longer ago than the interval. Then it reads the file, of at most 1 MiB, before it
///   answers; look-ups beside it answer from the old secrets. That is short for a local file. For
///   one on a network, or if no look-up is ever to wait, set the interval to [`Duration::MAX`]
///   and call [`reload`](Self::reload) from a thread of its own.
/// - A file that is broken or gone changes nothing: the secrets read last stay alive, and
///   [`last_error`](Self::last_error) and [`on_reload`](Self::on_reload) tell. So a file cannot
///   revoke all by being emptied; a revoked access key is one with an empty list, or one that is
///   left out beside others.
/// - Replace the file by renaming another one over it. One that changes while it is read is not
///   taken, and read again at the next check. But one that is half written when it is read looks
///   like any other: the access keys in its other half are unknown until the next check.
/// - Only a regular file is read, or a link to one, and nothing blocks: a FIFO in its place is an
///   error like any other ([`SecretFile`]). [`MemoryStore::from_toml`](super::MemoryStore::from_toml)
///   takes what comes through a pipe.
/// - Nobody but its owner should be able to read the file. That is not enforced, because files that
///   are mounted into a container often cannot be had otherwise;
///   [`on_too_open`](Self::on_too_open) tells.
///
/// ```
/// use std::time::Duration;
/// use framesign::secrets::{FileStore, KeyCache};
///
/// # let dir = std::env::temp_dir().join(format!("framesign-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("secrets.toml");
/// std::fs::write(&path, "access = ['secret']")?;
/// let store = FileStore::open(&path, Duration::from_secs(5))?.on_reload(|result| match result {
///     Ok(()) => eprintln!("secrets were read again"),
///     Err(error) => eprintln!("secrets stay as they were: {error}"),
/// });
/// assert_eq!(store.live(b"access").len(), 1);
/// let keys = KeyCache::new(store);
/// # std::fs::remove_dir_all(dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileStore<C = fn() -> Instant> {
    path: PathBuf,
    interval: Duration,
    clock: C,
    table: RwLock<Table>,
    watch: Mutex<ChangeDetector>,
    report: Option<Box<Report>>,
    report_too_open: Option<Box<ReportTooOpen>>,
}

type Report = dyn Fn(Result<(), &FileError>) + Send + Sync;
type ReportTooOpen = dyn Fn(TooOpen) + Send + Sync;

/// The news of a look at the file: whether others get at it, or what is wrong.
type News = Result<Option<TooOpen>, FileError>;

/// The knowledge about the file.
struct ChangeDetector {
    checked: Instant,
    /// The secrets that were read last; `None` if the file could not be read then.
    seen: Option<Stamp>,
    /// The permissions of the file whose secrets are live, if they are too open.
    too_open: Option<TooOpen>,
    error: Option<FileError>,
}

impl FileStore {
    /// Reads the file, to be checked for changes at most once in an `interval`.
    ///
    /// # Errors
    ///
    /// A [`FileError`] if the file cannot be read or is broken.
    pub fn open(path: impl Into<PathBuf>, interval: Duration) -> Result<Self, FileError> {
        Self::open_with_clock(path, interval, Instant::now)
    }
}

impl<C: Fn() -> Instant> FileStore<C> {
    /// Reads the file; `clock` is asked at every look-up whether the interval has passed.
    ///
    /// # Errors
    ///
    /// A [`FileError`] if the file cannot be read or is broken.
    pub fn open_with_clock(
        path: impl Into<PathBuf>,
        interval: Duration,
        clock: C,
    ) -> Result<Self, FileError> {
        let path = path.into();
        let checked = clock();
        let contents = Contents::read(&path)?;
        let (seen, too_open) = (Some(contents.stamp), contents.too_open);
        let watch = ChangeDetector { checked, seen, too_open, error: None };
        Ok(Self {
            path,
            interval,
            clock,
            table: RwLock::new(contents.table?),
            watch: Mutex::new(watch),
            report: None,
            report_too_open: None,
        })
    }

    /// Sets what is told that the file was read again after a change, or why that failed. It is
    /// told in the look-up that found out, once for each change.
    #[must_use]
    pub fn on_reload(
        mut self,
        report: impl Fn(Result<(), &FileError>) + Send + Sync + 'static,
    ) -> Self {
        self.report = Some(Box::new(report));
        self
    }

    /// Sets what is told that others than its owner get at the file: at once of the file as it was
    /// opened, and of what is read after a change, together with
    /// [`on_reload`](Self::on_reload). A look at a file that has not changed tells nothing.
    #[must_use]
    pub fn on_too_open(mut self, report: impl Fn(TooOpen) + Send + Sync + 'static) -> Self {
        let too_open = self.watch().too_open;
        if let Some(too_open) = too_open {
            report(too_open);
        }
        self.report_too_open = Some(Box::new(report));
        self
    }

    /// The live secrets of an access key, in the order of the file, which is checked first if it is
    /// time for that.
    #[must_use]
    pub fn live(&self, access_key: &[u8]) -> Vec<Secret> {
        if let Some(mut watch) = self.due() {
            let news = self.check(&mut watch);
            drop(watch);
            self.tell(news.as_ref());
        }
        self.table.read().unwrap_or_else(PoisonError::into_inner).live(access_key)
    }

    /// Checks the file now.
    ///
    /// # Errors
    ///
    /// A [`FileError`] if the file as it is now cannot be read or is broken. The secrets read
    /// last stay alive.
    pub fn reload(&self) -> Result<(), FileError> {
        let mut watch = self.watch();
        let news = self.check(&mut watch);
        let result = watch.error.clone().map_or(Ok(()), Err);
        drop(watch);
        self.tell(news.as_ref());
        result
    }

    /// The reason why the secrets are not those of the file as it was when it was last checked.
    #[must_use]
    pub fn last_error(&self) -> Option<FileError> {
        self.watch().error.clone()
    }

    /// The detector, if it is time for a look at the file and nobody else is at it.
    fn due(&self) -> Option<MutexGuard<'_, ChangeDetector>> {
        let mut watch = match self.watch.try_lock() {
            Ok(watch) => watch,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let now = (self.clock)();
        let is_due = now.saturating_duration_since(watch.checked) >= self.interval;
        is_due.then(|| {
            watch.checked = now;
            watch
        })
    }

    /// Reads the file if it has changed, and returns what is to be told of that.
    fn check(&self, watch: &mut ChangeDetector) -> Option<News> {
        if watch.seen.is_some_and(|seen| seen.is_still(&self.path)) {
            return None;
        }
        let contents = Contents::read(&self.path);
        let stamp = contents.as_ref().ok().map(|contents| contents.stamp);
        let news = contents.and_then(|contents| {
            self.replace(contents.table?);
            Ok(contents.too_open)
        });
        let error = news.clone().err();
        let is_news = stamp != watch.seen || error != watch.error;
        (watch.seen, watch.error) = (stamp, error);
        if let Ok(too_open) = news {
            watch.too_open = too_open;
        }
        is_news.then_some(news)
    }

    fn replace(&self, mut table: Table) {
        let mut current = self.table.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *current, &mut table);
        // The old one is dropped when the lock is free again: zeroizing takes its time.
        drop(current);
    }

    fn tell(&self, news: Option<&News>) {
        let Some(news) = news else { return };
        if let Some(report) = &self.report {
            report(news.as_ref().map(|_| ()));
        }
        if let (Some(report), Ok(Some(too_open))) = (&self.report_too_open, news) {
            report(*too_open);
        }
    }

    // What panics while it holds a lock leaves the table and the watch whole.
    fn watch(&self) -> MutexGuard<'_, ChangeDetector> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Fn() -> Instant + Send + Sync> SecretStore for FileStore<C> {
    async fn secrets(&self, access_key: &[u8]) -> Result<Vec<Secret>, StoreError> {
        Ok(self.live(access_key))
    }
}

impl<C> fmt::Debug for FileStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.path)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
