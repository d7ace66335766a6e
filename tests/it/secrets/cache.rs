//! The cache of derived keys.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use framesign::{
    SigningDate,
    secrets::{KeyCache, MemoryStore, Secret, SecretStore, StoreError},
};

use super::{claim, claim_of, date, keys, secret, signs, signs_of, verified, wait};

fn with_access(secrets: &[&str]) -> MemoryStore {
    let store = MemoryStore::new();
    for text in secrets {
        store.add("access", secret(text)).unwrap();
    }
    store
}

fn day(number: u32) -> SigningDate {
    format!("202308{number:02}").parse().unwrap()
}

/// A store with every access key there is, all with one secret.
struct Everyone;

impl SecretStore for Everyone {
    async fn secrets(&self, _: &[u8]) -> Result<Vec<Secret>, StoreError> {
        Ok(vec![secret("secret")])
    }
}

#[test]
fn kept_keys_sign_as_derived_ones() {
    let cache = KeyCache::new(with_access(&["older", "newer"]));
    let expected = signs_of("access", date(), &["newer", "older"]);
    for _ in 0..3 {
        assert_eq!(signs(&keys(&cache, &claim("access"))), expected);
    }
    assert_eq!(cache.len(), 1);
    assert!(!cache.is_empty());
}

#[test]
fn key_is_of_the_date_that_is_asked_for() {
    let cache = KeyCache::new(with_access(&["secret"]));
    for number in [1, 2, 1, 3, 9, 2, 1] {
        let date = day(number);
        let found = keys(&cache, &claim_of(b"access", date));
        assert_eq!(signs(&found), signs_of("access", date, &["secret"]), "{date}");
    }
    assert_eq!(cache.len(), 1);
}

#[test]
fn key_is_of_the_access_key_that_is_asked_for() {
    let cache = KeyCache::new(Everyone);
    for access_key in ["a", "b", "a", "A"] {
        let found = keys(&cache, &claim(access_key));
        assert_eq!(signs(&found), signs_of(access_key, date(), &["secret"]), "{access_key}");
    }
    assert_eq!(cache.len(), 3);
}

#[test]
fn rotation_is_followed_at_once() {
    let cache = KeyCache::new(with_access(&["first"]));
    assert_eq!(signs(&keys(&cache, &claim("access"))), signs_of("access", date(), &["first"]));
    cache.store().add("access", secret("second")).unwrap();
    let both = signs_of("access", date(), &["second", "first"]);
    assert_eq!(signs(&keys(&cache, &claim("access"))), both);
    cache.store().retire("access");
    assert_eq!(signs(&keys(&cache, &claim("access"))), signs_of("access", date(), &["second"]));
}

#[test]
fn revoked_secret_is_not_returned_and_not_kept() {
    let cache = KeyCache::new(with_access(&["secret"]));
    assert_eq!(keys(&cache, &claim("access")).len(), 1);
    cache.store().revoke("access");
    assert!(keys(&cache, &claim("access")).is_empty());
    assert!(cache.is_empty());
}

#[test]
fn what_was_verified_counts_while_its_secret_is_live() {
    let cache = KeyCache::new(with_access(&["first"]));
    let (first, second) = (secret("first"), secret("second"));
    let by_first = verified("access", &first);
    let by_second = verified("access", &second);
    let of_another = verified("another", &first);
    let is_live = |verified| wait(cache.is_live(verified)).unwrap();
    assert!(is_live(&by_first) && !is_live(&by_second) && !is_live(&of_another));
    // A rotation with overlap takes nothing away, ...
    cache.store().add("access", second.clone()).unwrap();
    assert!(is_live(&by_first) && is_live(&by_second) && !is_live(&of_another));
    // ... until it ends.
    cache.store().retire("access");
    assert!(!is_live(&by_first) && is_live(&by_second));
    cache.store().revoke("access");
    assert!(!is_live(&by_first) && !is_live(&by_second) && cache.is_empty());
    cache.store().add("access", first).unwrap();
    assert!(is_live(&by_first) && !is_live(&by_second));
}

#[test]
fn whether_a_secret_is_live_is_not_known_where_the_store_cannot_tell() {
    struct Outage;

    impl SecretStore for Outage {
        async fn secrets(&self, _: &[u8]) -> Result<Vec<Secret>, StoreError> {
            Err(StoreError::new("there is an outage"))
        }
    }

    let verified = verified("access", &secret("secret"));
    let error = wait(KeyCache::new(Outage).is_live(&verified)).unwrap_err();
    assert!(error.to_string().contains("outage"), "{error}");
}

#[test]
fn unknown_access_keys_take_no_room() {
    let cache = KeyCache::new(with_access(&["secret"]));
    for number in 0..1_000 {
        assert!(keys(&cache, &claim(&format!("unknown-{number}"))).is_empty());
        assert!(keys(&cache, &claim_of(&[0xFF, 0xFE], date())).is_empty());
    }
    assert!(cache.is_empty());
}

#[test]
fn access_key_that_is_no_text_is_unknown_whatever_the_store_says() {
    let cache = KeyCache::new(Everyone);
    assert!(keys(&cache, &claim_of(b"\xFF", date())).is_empty());
    assert!(cache.is_empty());
}

#[test]
fn never_more_is_kept_than_there_is_room_for() {
    for most in [0, 1, 2, 3, 10, 100] {
        let cache = KeyCache::new(Everyone).max_access_keys(most);
        for number in 0..500 {
            let access_key = format!("access-{}", number % 250);
            let found = keys(&cache, &claim_of(access_key.as_bytes(), day(1 + number / 100)));
            assert_eq!(found.len(), 1);
            assert!(cache.len() <= most, "{} of {most}", cache.len());
        }
        assert!(cache.len() >= most / 2, "{} of {most}", cache.len());
    }
}

#[test]
fn asking_again_for_what_is_kept_evicts_nothing() {
    let cache = KeyCache::new(Everyone).max_access_keys(4);
    for (access_key, kept) in
        [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("a", 4), ("b", 4), ("c", 4), ("d", 4)]
    {
        keys(&cache, &claim(access_key));
        assert_eq!(cache.len(), kept, "{access_key}");
    }
}

#[test]
fn keys_of_a_silent_access_key_are_gone_on_the_second_day() {
    let cache = KeyCache::new(Everyone);
    let ask = |access_key: &str, date| keys(&cache, &claim_of(access_key.as_bytes(), date)).len();
    for access_key in ["a", "b"] {
        ask(access_key, day(1));
    }
    assert_eq!(cache.len(), 2);
    ask("a", day(2));
    assert_eq!(cache.len(), 2);
    ask("a", day(3));
    assert_eq!(cache.len(), 1);
}

#[test]
fn threads_share_a_cache_while_secrets_change() {
    let store = Arc::new(with_access(&["first"]));
    let cache = KeyCache::new(Arc::clone(&store)).max_access_keys(4);
    let first = signs_of("access", date(), &["first"]);
    let both = signs_of("access", date(), &["second", "first"]);
    let last = signs_of("access", date(), &["second"]);
    let rounds = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, rounds, states) = (&cache, &rounds, [&first, &both, &last]);
            scope.spawn(move || {
                for round in 0..300 {
                    let found = signs(&keys(cache, &claim("access")));
                    assert!(states.contains(&&found));
                    keys(cache, &claim(&format!("unknown-{thread}-{round}")));
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while rounds.load(Ordering::Relaxed) < 200 {
            thread::yield_now();
        }
        store.add("access", secret("second")).unwrap();
        while rounds.load(Ordering::Relaxed) < 600 {
            thread::yield_now();
        }
        store.retire("access");
    });
    assert_eq!(signs(&keys(&cache, &claim("access"))), last);
    assert_eq!(cache.len(), 1);
}
