//! Models of a file that is read again while its secrets are looked up.

use std::{fs, path::Path};

use super::{Duration, FileStore, Instant, Secret};
use crate::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
    model, thread,
};

/// Replaces the file by one with this secret, as it should be done.
fn put(path: &Path, secret: &str) {
    let next = path.with_extension(secret);
    fs::write(&next, format!("access = ['{secret}']")).unwrap();
    fs::rename(next, path).unwrap();
}

/// The number of the secret that is live.
fn live(store: &FileStore<impl Fn() -> Instant>) -> usize {
    let live = store.live(b"access");
    let secrets = ["first", "second", "third"].map(|text| Secret::new(text).unwrap());
    secrets.iter().position(|secret| live.len() == 1 && live[0].is(secret)).unwrap()
}

/// loom looks for no order in which a lock is held by another when it is tried. The clock, which is
/// asked while the lock is held, makes it do so: whoever touches the same atomic meets it there.
#[test]
fn look_ups_never_go_back_and_a_reload_is_done_when_it_returns() {
    model(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        put(&path, "first");
        let asked = Arc::new(AtomicUsize::new(0));
        let clock = {
            let asked = Arc::clone(&asked);
            move || {
                asked.fetch_add(1, Relaxed);
                Instant::now()
            }
        };
        let store = Arc::new(FileStore::open_with_clock(&path, Duration::ZERO, clock).unwrap());
        put(&path, "second");
        let reader = {
            let store = Arc::clone(&store);
            thread::spawn(move || [live(&store), live(&store)])
        };
        asked.load(Relaxed);
        store.reload().unwrap();
        assert_eq!(live(&store), 1);
        assert!(matches!(reader.join().unwrap(), [0, 0 | 1] | [1, 1]));
    });
}

/// loom sees no files: whoever writes or reads one here touches an atomic before, which it sees.
#[test]
fn file_that_was_read_first_is_never_used_last() {
    model(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        put(&path, "first");
        // A look-up does not look at the file.
        let store = Arc::new(FileStore::open(&path, Duration::MAX).unwrap());
        let file = Arc::new(AtomicUsize::new(0));
        put(&path, "second");
        let other = {
            let (store, file) = (Arc::clone(&store), Arc::clone(&file));
            thread::spawn(move || {
                file.load(Relaxed);
                store.reload().unwrap();
            })
        };
        file.store(1, Relaxed);
        put(&path, "third");
        store.reload().unwrap();
        other.join().unwrap();
        assert_eq!(live(&store), 2);
        assert!(store.last_error().is_none());
    });
}
