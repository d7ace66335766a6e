//! Stamps, by which a change of a file is seen.

use std::{
    fs::{self, Metadata},
    path::Path,
    time::{Duration, SystemTime},
};

/// A stamp that tells one state of a file from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    identity: Identity,
    taken: SystemTime,
}

/// The identity of a file, and the time at which anything about it changed.
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);
#[cfg(not(unix))]
type Identity = ();

/// Two changes within this time can have the same time of change.
const GRANULARITY: Duration = Duration::from_secs(2);

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            len: metadata.len(),
            identity: identity(metadata),
            taken: SystemTime::now(),
        }
    }

    /// Returns `true` if the file at `path` is still as it was.
    pub(super) fn is_still(&self, path: &Path) -> bool {
        self.is_settled() && fs::metadata(path).is_ok_and(|metadata| Self::of(&metadata) == *self)
    }

    /// Returns `true` if the bytes of one open file were the same at both times. What has another
    /// name by then, or none because another file was renamed over it, has them still.
    pub(super) fn is_of_same_bytes(&self, other: &Self) -> bool {
        (self.modified, self.len) == (other.modified, other.len)
    }

    /// Returns `true` if a change right after it was taken would show. One that is too fresh would
    /// not, and so the file is read again.
    fn is_settled(&self) -> bool {
        let age = self.modified.and_then(|modified| self.taken.duration_since(modified).ok());
        age.is_some_and(|age| age > GRANULARITY)
    }
}

impl PartialEq for Stamp {
    /// Compares the file; the times at which the stamps were taken do not count.
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

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::Write,
        time::{Duration, SystemTime},
    };

    use super::{GRANULARITY, Stamp};

    /// A further change within the granularity of the clock of a file system would not show.
    #[test]
    fn file_that_was_changed_just_now_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let stamp = || Stamp::of(&file.as_file().metadata().unwrap());
        File::create(file.path()).unwrap().write_all(b"secret").unwrap();
        assert!(!stamp().is_still(file.path()));
        let earlier = SystemTime::now() - Duration::from_secs(3600);
        file.as_file().set_modified(earlier).unwrap();
        let settled = stamp();
        assert!(settled.is_still(file.path()));
        File::create(file.path()).unwrap().write_all(b"other").unwrap();
        assert!(!settled.is_still(file.path()));
    }

    #[test]
    fn file_is_settled_once_it_is_older_than_the_granularity() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut stamp = Stamp::of(&file.as_file().metadata().unwrap());
        let modified = stamp.modified.unwrap();
        for (age, is_settled) in [
            (Duration::ZERO, false),
            (GRANULARITY, false),
            (GRANULARITY + Duration::from_nanos(1), true),
        ] {
            stamp.taken = modified + age;
            assert_eq!(stamp.is_settled(), is_settled, "{age:?}");
        }
        // A file of the future says nothing of its age.
        stamp.taken = modified - Duration::from_secs(3600);
        assert!(!stamp.is_settled());
    }
}
