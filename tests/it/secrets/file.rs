//! The store that is a file.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use framesign::{
    ApiMisuse,
    secrets::{FileError, FileStore, KeyCache, signing_keys},
};
use tempfile::TempDir;

use super::{claim, date, keys, signs, signs_of};

const INTERVAL: Duration = Duration::from_secs(5);
const SECONDS: u64 = 5;

/// A file of secrets, a clock that is set by hand, and what was told of reading it again.
struct Place {
    dir: TempDir,
    seconds: Arc<AtomicU64>,
    told: Arc<Mutex<Vec<Result<(), FileError>>>>,
}

impl Place {
    fn new(text: &str) -> Self {
        let place =
            Self { dir: TempDir::new().unwrap(), seconds: Arc::default(), told: Arc::default() };
        place.write(text);
        place
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("secrets.toml")
    }

    /// Writes in place.
    fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.path(), text).unwrap();
    }

    /// Renames another file over it.
    fn replace(&self, text: &str) {
        let other = self.dir.path().join("other");
        fs::write(&other, text).unwrap();
        fs::rename(other, self.path()).unwrap();
    }

    /// Makes the file look as if it was changed so long ago that its time can be relied on.
    fn settle(&self) {
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().append(true).open(self.path()).unwrap().set_modified(past).unwrap();
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn open(&self) -> FileStore<impl Fn() -> Instant + Send + Sync + use<>> {
        let (begin, seconds) = (Instant::now(), Arc::clone(&self.seconds));
        let clock = move || begin + Duration::from_secs(seconds.load(Ordering::Relaxed));
        let told = Arc::clone(&self.told);
        let store = FileStore::open_with_clock(self.path(), INTERVAL, clock).unwrap();
        store.on_reload(move |news| told.lock().unwrap().push(news.map_err(Clone::clone)))
    }

    fn told(&self) -> Vec<Result<(), FileError>> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

/// What the live secrets of `access` sign.
fn live<C: Fn() -> Instant>(store: &FileStore<C>) -> Vec<String> {
    signs(&signing_keys(&claim("access"), &store.live(b"access")))
}

fn expected(secrets: &[&str]) -> Vec<String> {
    signs_of("access", date(), secrets)
}

const FIRST: &str = "access = ['first']";
const OTHER: &str = "access = ['other']";

fn error_of(text: impl AsRef<[u8]>) -> FileError {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("secrets.toml");
    fs::write(&path, text).unwrap();
    FileStore::open(path, INTERVAL).unwrap_err()
}

#[test]
fn secrets_are_those_of_the_file() {
    let place = Place::new(
        "# Comment\n\"access\" = [\"sec\\u0072et\", 'older # secret']\n'revoked' = []\n\
         \"with space é\" = [\n  \"x\",\n]\n",
    );
    let store = place.open();
    assert_eq!(live(&store), expected(&["secret", "older # secret"]));
    assert_eq!(store.live("with space é".as_bytes()).len(), 1);
    for access_key in [&b"revoked"[..], b"unknown", b"", b"\xFF"] {
        assert!(store.live(access_key).is_empty());
    }
    assert_eq!(store.last_error(), None);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    assert_eq!(error_of(""), FileError::Empty);
    assert_eq!(error_of("# nothing\n"), FileError::Empty);
    assert_eq!(error_of(b"a = ['\xFF']"), FileError::NotUtf8);
    assert_eq!(error_of("a = ['x']\n= ["), FileError::NotToml { line: 2 });
    assert_eq!(error_of("a = ['x']\n\na = ['y']"), FileError::NotToml { line: 3 });
    for text in ["a = 'x'", "a = [1]", "a = [['x']]", "a.b = ['x']", "a = true", "a = {}"] {
        assert_eq!(
            error_of(format!("b = []\n{text}")),
            FileError::NotStrings { line: 2 },
            "{text}"
        );
    }
    assert_eq!(error_of("b = []\n[a]\nc = ['x']"), FileError::NotStrings { line: 2 });
    let nested = format!("a = {}", "[".repeat(100_000));
    assert_eq!(error_of(nested), FileError::NotToml { line: 1 });
    let unusable = |line, error| FileError::Unusable { line, error };
    assert_eq!(error_of("a = ['']"), unusable(1, ApiMisuse::EmptySecretKey));
    assert_eq!(error_of("b = []\na = [\"\\u0000\"]"), unusable(2, ApiMisuse::NulInSecretKey));
    assert_eq!(error_of("'' = ['x']"), unusable(1, ApiMisuse::EmptyAccessKey));
    assert_eq!(error_of("\"\\u0000\" = []"), unusable(1, ApiMisuse::NulInAccessKey));
}

#[test]
fn file_may_have_a_mebibyte() {
    let padding = |len: usize| format!("{FIRST}\n#{}", "x".repeat(len - FIRST.len() - 2));
    assert_eq!(live(&Place::new(&padding(1 << 20)).open()), expected(&["first"]));
    assert_eq!(error_of(padding((1 << 20) + 1)), FileError::TooLarge);
}

#[test]
fn missing_file_and_directory_are_errors() {
    let dir = TempDir::new().unwrap();
    let error = |path: PathBuf| FileStore::open(path, INTERVAL).unwrap_err();
    assert_eq!(error(dir.path().join("none")), FileError::Io(io::ErrorKind::NotFound));
    let directory = FileError::NotRegular { found: "a directory" };
    assert_eq!(error(dir.path().to_owned()), directory);
    assert_eq!(directory.to_string(), "expected a regular file, found a directory");
}

#[test]
fn changed_file_is_read_after_the_interval() {
    let place = Place::new(FIRST);
    let store = place.open();
    place.write("access = ['second', 'first']");
    place.pass(SECONDS - 1);
    assert_eq!(live(&store), expected(&["first"]));
    place.pass(1);
    assert_eq!(live(&store), expected(&["second", "first"]));
    assert_eq!(place.told(), [Ok(())]);
    place.pass(SECONDS);
    assert_eq!(live(&store), expected(&["second", "first"]));
    assert_eq!(place.told(), []);
    // The interval begins anew with each look at the file.
    place.write(OTHER);
    place.pass(SECONDS - 1);
    assert_eq!(live(&store), expected(&["second", "first"]));
}

#[test]
fn change_that_keeps_length_and_time_is_seen() {
    let place = Place::new(FIRST);
    let modified = fs::metadata(place.path()).unwrap().modified().unwrap();
    let store = place.open();
    place.write(OTHER);
    File::options().append(true).open(place.path()).unwrap().set_modified(modified).unwrap();
    place.pass(SECONDS);
    assert_eq!(live(&store), expected(&["other"]));
}

#[cfg(unix)]
#[test]
fn atomically_replaced_file_of_the_same_length_and_time_is_seen() {
    let place = Place::new(FIRST);
    place.settle();
    let store = place.open();
    place.replace(OTHER);
    place.settle();
    place.pass(SECONDS);
    assert_eq!(live(&store), expected(&["other"]));
    assert_eq!(place.told(), [Ok(())]);
}

#[cfg(unix)]
#[test]
fn link_to_another_file_is_seen() {
    let place = Place::new(FIRST);
    let [first, other] = ["1", "2"].map(|name| place.dir.path().join(name));
    fs::rename(place.path(), &first).unwrap();
    fs::write(&other, OTHER).unwrap();
    std::os::unix::fs::symlink(&first, place.path()).unwrap();
    let store = place.open();
    assert_eq!(live(&store), expected(&["first"]));
    fs::remove_file(place.path()).unwrap();
    std::os::unix::fs::symlink(&other, place.path()).unwrap();
    place.pass(SECONDS);
    assert_eq!(live(&store), expected(&["other"]));
}

#[test]
fn broken_file_leaves_the_old_secrets_alive() {
    let place = Place::new(FIRST);
    let store = place.open();
    for text in ["access = ['oth", "", "access = 'other'", "access = ['']", "\u{0}"] {
        place.write(text);
        place.pass(SECONDS);
        assert_eq!(live(&store), expected(&["first"]), "{text:?}");
        let error = store.last_error().unwrap();
        assert_eq!(error, error_of(text));
        assert_eq!(place.told(), [Err(error)]);
        place.pass(SECONDS);
        assert_eq!(live(&store), expected(&["first"]));
        assert_eq!(place.told(), [], "told once");
    }
    place.write(OTHER);
    place.pass(SECONDS);
    assert_eq!(live(&store), expected(&["other"]));
    assert_eq!((store.last_error(), place.told()), (None, vec![Ok(())]));
}

#[test]
fn file_that_is_gone_leaves_the_old_secrets_alive() {
    let place = Place::new(FIRST);
    let store = place.open();
    fs::remove_file(place.path()).unwrap();
    for told in [vec![Err(FileError::Io(io::ErrorKind::NotFound))], vec![]] {
        place.pass(SECONDS);
        assert_eq!(live(&store), expected(&["first"]));
        assert_eq!(place.told(), told);
    }
    place.write(OTHER);
    place.pass(SECONDS);
    assert_eq!(live(&store), expected(&["other"]));
    assert_eq!((store.last_error(), place.told()), (None, vec![Ok(())]));
}

#[test]
fn file_that_did_not_change_is_not_read_again() {
    let place = Place::new(FIRST);
    place.settle();
    let store = place.open();
    place.pass(SECONDS);
    assert_eq!((live(&store), place.told()), (expected(&["first"]), vec![]));
    assert_eq!((store.reload(), place.told()), (Ok(()), vec![]));
}

#[test]
fn reload_does_not_wait_for_the_interval() {
    let place = Place::new(FIRST);
    let store = FileStore::open(place.path(), Duration::MAX).unwrap();
    place.write(OTHER);
    assert_eq!(live(&store), expected(&["first"]));
    assert_eq!(store.reload(), Ok(()));
    assert_eq!(live(&store), expected(&["other"]));
    place.write("access");
    assert_eq!(store.reload(), Err(error_of("access")));
    assert_eq!(live(&store), expected(&["other"]));
}

#[test]
fn revoked_secret_is_gone_from_a_cache_too() {
    let place = Place::new("access = ['first', 'second']");
    let cache = KeyCache::new(place.open());
    assert_eq!(keys(&cache, &claim("access")).len(), 2);
    place.write("access = ['second']");
    place.pass(SECONDS);
    assert_eq!(signs(&keys(&cache, &claim("access"))), expected(&["second"]));
    place.write("access = []");
    place.pass(SECONDS);
    assert!(keys(&cache, &claim("access")).is_empty());
}

#[test]
fn threads_see_one_file_or_the_other() {
    let place = Place::new(FIRST);
    let store = place.open();
    let states = [expected(&["first"]), expected(&["other"])];
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert!(states.contains(&live(&store)));
                    place.pass(SECONDS);
                }
            });
        }
        for round in 0..100 {
            place.replace([OTHER, FIRST][round % 2]);
        }
    });
    place.pass(SECONDS);
    assert_eq!(live(&store), states[0]);
}
