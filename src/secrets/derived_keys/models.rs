//! Models of threads that ask for keys of the day at the same time.

use super::{Derived, DerivedKeys, Secret};
use crate::{
    protocol::{PayloadHash, SigningDate, SigningKey},
    secrets::{KeySource, MemoryStore},
    sync::{Arc, model, thread},
};

fn day(number: u32) -> SigningDate {
    format!("202308{number:02}").parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn signs(key: &SigningKey) -> String {
    let text = PayloadHash::of(b"").to_string();
    key.sign(&text.parse().unwrap()).to_string()
}

/// The signatures of `keys`.
fn sign(keys: &[SigningKey]) -> Vec<String> {
    keys.iter().map(signs).collect()
}

/// The signature of the key that `secret` has on that day.
fn of(text: &str, access_key: &str, date: SigningDate) -> String {
    signs(&secret(text).signing_key(access_key, date).unwrap())
}

/// A key that another secret has made, so that it is known again: as that of `secret` on day 1.
fn marked() -> (Derived, String) {
    let key = secret("other").signing_key("access", day(1)).unwrap();
    let signature = signs(&key);
    (Derived { date: day(1), secret: secret("secret"), key }, signature)
}

#[test]
fn key_that_is_kept_is_not_derived_again_while_another_day_is_asked_for() {
    model(|| {
        let (kept, signature) = marked();
        let derived = Arc::new(DerivedKeys::new(10));
        derived.lock().put("access", day(1), vec![kept]);
        let other = {
            let derived = Arc::clone(&derived);
            thread::spawn(move || sign(&derived.of("access", day(2), &[secret("secret")])))
        };
        for _ in 0..2 {
            let keys = sign(&derived.of("access", day(1), &[secret("secret")]));
            assert_eq!(keys, [signature.as_str()]);
        }
        assert_eq!(other.join().unwrap(), [of("secret", "access", day(2))]);
        assert_eq!(derived.lock().get("access").len(), 2);
    });
}

#[test]
fn two_that_derive_the_same_key_keep_it_once() {
    model(|| {
        let derived = Arc::new(DerivedKeys::new(10));
        let ask = |derived: &DerivedKeys| sign(&derived.of("access", day(1), &[secret("secret")]));
        let other = {
            let derived = Arc::clone(&derived);
            thread::spawn(move || ask(&derived))
        };
        let expected = [of("secret", "access", day(1))];
        assert_eq!(ask(&derived), expected);
        assert_eq!(other.join().unwrap(), expected);
        assert_eq!(derived.lock().get("access").len(), 1);
    });
}

#[test]
fn more_access_keys_than_there_is_room_for_are_never_kept() {
    model(|| {
        let derived = Arc::new(DerivedKeys::new(2));
        let threads = ["a", "b"].map(|access_key| {
            let derived = Arc::clone(&derived);
            thread::spawn(move || {
                let keys = derived.of(access_key, day(1), &[secret("secret")]);
                assert!(derived.len() <= 2);
                keys.len()
            })
        });
        derived.of("c", day(1), &[secret("secret")]);
        assert!(derived.len() <= 2);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 1);
        }
        assert!((1..=2).contains(&derived.len()));
    });
}

#[test]
fn secret_that_is_revoked_does_not_live_on() {
    model(|| {
        let shared = Arc::new((MemoryStore::new(), DerivedKeys::new(10)));
        let ask = |(store, derived): &(MemoryStore, DerivedKeys)| {
            let keys = store.keys_through(b"access", day(1), derived);
            sign(&loom::future::block_on(keys).unwrap())
        };
        shared.0.add("access", secret("secret")).unwrap();
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || ask(&shared))
        };
        shared.0.revoke("access");
        assert!(ask(&shared).is_empty());
        let keys = other.join().unwrap();
        assert!(keys.is_empty() || keys == [of("secret", "access", day(1))]);
        assert!(ask(&shared).is_empty());
    });
}
