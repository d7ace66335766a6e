//! No secret is ever shown.

use std::{error::Error, fmt::Debug, fs, time::Duration};

use framesign::secrets::{AnyStore, FileStore, KeyCache, MemoryStore, StoreError};
use tempfile::TempDir;

use super::{claim, keys, secret};

/// In every test here the secret, and nothing else.
const SECRET: &str = "Hush";

fn assert_silent(shown: &str) {
    assert!(!shown.to_lowercase().contains("hush"), "{shown}");
    let bytes = format!("{:?}", SECRET.as_bytes());
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}

fn assert_debug_silent(value: &impl Debug) {
    assert_silent(&format!("{value:?}"));
    assert_silent(&format!("{value:#?}"));
}

fn assert_error_silent(error: &impl Error) {
    assert_debug_silent(error);
    assert_silent(&error.to_string());
    let mut source = error.source();
    while let Some(inner) = source {
        assert_silent(&format!("{inner} {inner:?}"));
        source = inner.source();
    }
}

#[test]
fn stores_and_caches_show_no_secret() {
    let store = MemoryStore::new();
    store.add("access", secret(SECRET)).unwrap();
    assert_debug_silent(&secret(SECRET));
    assert_debug_silent(&store.live(b"access"));
    assert_debug_silent(&store);
    let cache = KeyCache::new(store);
    assert_debug_silent(&keys(&cache, &claim("access")));
    assert_debug_silent(&cache);
    assert!(format!("{cache:?}").contains("access_keys: 1"));
    assert_debug_silent(&AnyStore::new(MemoryStore::new()));
}

#[test]
fn debug_tells_what_a_value_is() {
    let store = MemoryStore::new();
    store.add("access", secret(SECRET)).unwrap();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("secrets.toml");
    fs::write(&path, format!("access = ['{SECRET}']")).unwrap();
    let file = FileStore::open(&path, Duration::from_secs(7)).unwrap();
    let in_file = format!("FileStore {{ path: {path:?}, interval: 7s, .. }}");
    for (value, shown) in [
        (&secret(SECRET) as &dyn Debug, "Secret(..)"),
        (&store, "MemoryStore { access_keys: 1 }"),
        (&AnyStore::new(MemoryStore::new()), "AnyStore { .. }"),
        (&file, &in_file),
        (&StoreError::new("it is away"), "StoreError(\"it is away\")"),
    ] {
        assert_eq!(format!("{value:?}"), shown);
    }
}

#[cfg(feature = "remote-keys")]
#[test]
fn keys_from_elsewhere_show_their_source_alone() {
    let keys = framesign::secrets::RemoteKeys::new(MemoryStore::new());
    let shown = "RemoteKeys { source: MemoryStore { access_keys: 0 }, .. }";
    assert_eq!(format!("{keys:?}"), shown);
}

#[test]
fn file_store_and_its_errors_show_no_secret() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("secrets.toml");
    fs::write(&path, format!("access = ['{SECRET}']")).unwrap();
    assert_debug_silent(&FileStore::open(&path, Duration::ZERO).unwrap());
    for broken in [
        "access = ['Hush",
        "access = [Hush]",
        "access = ['Hush']]",
        "access = 'Hush'",
        "access = [['Hush']]",
        "access = ['Hush', 1]",
        "access = ['Hush', '']",
        "access = [\"\\u0000Hush\"]",
        "access = [\"\\Hush\"]",
        "access = [\"Hush\\x\"]",
        "access = { Hush = 1, Hush = 2 }",
        "Hush = []\nHush = []",
        "[Hush]\n[Hush]",
        "Hush",
        "Hush = ",
        "Hush.a = 1\nHush = 1",
    ] {
        fs::write(&path, broken).unwrap();
        let error = FileStore::open(&path, Duration::ZERO).unwrap_err();
        assert_error_silent(&error);
        assert_error_silent(&StoreError::new(error));
    }
}
