//! What is read as a file of secrets, and what is not.

use std::{error::Error, fs, io, path::Path};

use framesign::{
    ApiMisuse,
    secrets::{FileError, MemoryStore, ReadError, SecretFile, signing_keys},
};
use tempfile::TempDir;

use super::{claim, date, signs, signs_of};

fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    SecretFile::read(path, 8).map(|file| file.bytes().to_vec())
}

#[test]
fn file_is_read_up_to_its_limit() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("secret");
    for text in ["", "x", "eight by"] {
        fs::write(&path, text).unwrap();
        assert_eq!(read(&path).unwrap(), text.as_bytes());
        assert_eq!(SecretFile::read(&path, usize::MAX).unwrap().bytes(), text.as_bytes());
    }
    fs::write(&path, "nine byte").unwrap();
    let error = read(&path).unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { max_len: 8 }));
    assert_eq!(error.to_string(), "expected a file of at most 8 bytes, found a longer one");
    assert_eq!(SecretFile::read(&path, 9).unwrap().bytes(), b"nine byte");
}

#[test]
fn missing_file_is_an_error() {
    let dir = TempDir::new().unwrap();
    let error = read(&dir.path().join("none")).unwrap_err();
    assert!(matches!(&error, ReadError::Io(error) if error.kind() == io::ErrorKind::NotFound));
    assert!(error.source().is_none());
}

#[test]
fn nothing_that_was_read_is_shown() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, "Hush").unwrap();
    let shown = format!("{:?}", SecretFile::read(&path, 8).unwrap());
    assert!(shown.starts_with("SecretFile") && !shown.contains("Hush"), "{shown}");
}

#[test]
fn store_is_made_of_a_document_from_elsewhere() {
    let store = MemoryStore::from_toml(b"access = ['secret', 'older']\nrevoked = []").unwrap();
    let found = signs(&signing_keys(&claim("access"), &store.live(b"access")));
    assert_eq!(found, signs_of("access", date(), &["secret", "older"]));
    assert!(store.live(b"revoked").is_empty() && store.live(b"unknown").is_empty());
    for (document, expected) in [
        (&b""[..], FileError::Empty),
        (b"a = ['\xFF']", FileError::NotUtf8),
        (b"\n= [", FileError::NotToml { line: 2 }),
        (b"a = 1", FileError::NotStrings { line: 1 }),
        (b"a = ['']", FileError::Unusable { line: 1, error: ApiMisuse::EmptySecretKey }),
    ] {
        let error = MemoryStore::from_toml(document).unwrap_err();
        assert_eq!(error, expected, "{}", document.escape_ascii());
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        fs,
        os::unix::{
            fs::{MetadataExt, symlink},
            net::UnixListener,
        },
        path::Path,
        sync::{Arc, Mutex, mpsc},
        thread,
        time::Duration,
    };

    use framesign::secrets::{FileError, FileStore, ReadError, SecretFile};
    use tempfile::TempDir;

    use super::read;
    use crate::support::{make_fifo, set_mode};

    /// How long a test waits for what must not wait at all.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Runs what could wait for ever, beside the test.
    fn without_waiting<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        thread::spawn(move || done.send(run()));
        result.recv_timeout(PATIENCE).expect("it waits")
    }

    fn found(path: &Path) -> &'static str {
        let path = path.to_owned();
        match without_waiting(move || read(&path)) {
            Err(ReadError::NotRegular { found }) => found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_regular_file_is_read_and_nothing_is_waited_for() {
        let dir = TempDir::new().unwrap();
        let [fifo, file, link] = ["fifo", "file", "link"].map(|name| dir.path().join(name));
        make_fifo(&fifo);
        assert_eq!(found(&fifo), "a FIFO");
        assert_eq!(found(dir.path()), "a directory");
        assert_eq!(found(Path::new("/dev/zero")), "a device");
        symlink(&fifo, &link).unwrap();
        assert_eq!(found(&link), "a FIFO");
        fs::write(&file, "secret").unwrap();
        fs::remove_file(&link).unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read(&link).unwrap(), b"secret");
        let socket = dir.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        // A socket cannot be opened at all.
        assert!(matches!(read(&socket), Err(ReadError::Io(_))));
    }

    #[test]
    fn fifo_in_the_place_of_the_file_does_not_stop_a_store() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("secrets.toml");
        fs::write(&path, "access = ['first']").unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let store = FileStore::open(&path, Duration::ZERO).unwrap();
        let store =
            store.on_reload(move |news| tell.lock().unwrap().push(news.map_err(Clone::clone)));
        let store = Arc::new(store);
        let live = || {
            let store = Arc::clone(&store);
            without_waiting(move || store.live(b"access").len())
        };
        let told = || std::mem::take(&mut *told.lock().unwrap());
        fs::remove_file(&path).unwrap();
        make_fifo(&path);
        let is_fifo = FileError::NotRegular { found: "a FIFO" };
        assert_eq!((live(), told()), (1, vec![Err(is_fifo.clone())]));
        assert_eq!((live(), told()), (1, vec![]), "told once");
        assert_eq!(store.last_error(), Some(is_fifo.clone()));
        let at_start = path.clone();
        let opened = without_waiting(move || FileStore::open(at_start, Duration::ZERO).map(drop));
        assert_eq!(opened, Err(is_fifo));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "access = ['first', 'second']").unwrap();
        assert_eq!((live(), told(), store.last_error()), (2, vec![Ok(())], None));
    }

    #[test]
    fn permissions_that_are_too_open_are_told_of_what_is_read() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "secret").unwrap();
        for (mode, is_too_open) in [(0o400, false), (0o600, false), (0o604, true), (0o646, true)] {
            set_mode(&path, mode);
            let too_open = SecretFile::read(&path, 8).unwrap().too_open();
            assert_eq!(too_open.map(|too_open| too_open.mode()), is_too_open.then_some(mode));
        }
        // The group may read what root owns.
        let is_of_root = fs::metadata(&path).unwrap().uid() == 0;
        set_mode(&path, 0o640);
        assert_eq!(SecretFile::read(&path, 8).unwrap().too_open().is_none(), is_of_root);
    }

    #[test]
    fn store_tells_of_permissions_once_for_each_load() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("secrets.toml");
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            set_mode(&path, mode);
        };
        write("access = ['first']", 0o604);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let store = FileStore::open(&path, Duration::ZERO).unwrap();
        let store = store.on_too_open(move |too_open| tell.lock().unwrap().push(too_open.mode()));
        let told = || std::mem::take(&mut *told.lock().unwrap());
        assert_eq!(told(), [0o604], "of the file as it was opened");
        // The file is fresh, so that each look reads it.
        for _ in 0..10 {
            assert_eq!(store.live(b"access").len(), 1);
        }
        assert_eq!(told(), [0; 0]);
        write("access = ['first', 'second']", 0o606);
        assert_eq!((store.live(b"access").len(), told()), (2, vec![0o606]));
        write("access = [", 0o604);
        assert_eq!((store.live(b"access").len(), told()), (2, vec![]), "it was not taken");
        write("access = ['third']", 0o600);
        assert_eq!((store.live(b"access").len(), told()), (1, vec![]));
        assert_eq!((store.reload(), told()), (Ok(()), vec![]));
    }
}
