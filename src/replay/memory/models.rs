//! Models of requests that reserve, commit and release at the same time.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use loom::{future::block_on, thread::JoinHandle};

use super::{Holder, MemoryReplayStore, Relaxed, ReplayEntry, ReplayStore, SHARDS, lock};
use crate::{
    protocol::{Credentials, PayloadHash, Signature, SigningDate, SigningKey},
    replay::{Outage, ReplayError, ReplayGuard},
    signing::{SigningOptions, sign_head},
    sync::{Arc, model, thread},
    verify::{Claim, Policy, Verified, Verifier},
};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

/// An entry that counts for a time: for each number that of another frame, and in turns of another
/// shard.
fn entry(number: usize, seconds: u64) -> ReplayEntry {
    let of = |digit: char| {
        let signature: Signature = digit.to_string().repeat(64).parse().unwrap();
        ReplayEntry::new(b"access", &signature, now() + Duration::from_secs(seconds))
    };
    let is_of_shard =
        |entry: &ReplayEntry| usize::from(entry.name()[0]) % SHARDS == number % SHARDS;
    "0123456789abcdef".chars().map(of).filter(is_of_shard).nth(number / SHARDS).unwrap()
}

/// The count and what is there are one.
fn check_count(store: &MemoryReplayStore) {
    let there: usize = store.shards.iter().map(|shard| lock(shard).len()).sum();
    assert_eq!(store.entries.load(Relaxed), there);
    assert!(there <= store.max_entries);
}

fn spawn<T: Send + 'static>(
    store: &Arc<MemoryReplayStore>,
    run: impl FnOnce(&MemoryReplayStore) -> T + Send + 'static,
) -> JoinHandle<T> {
    let store = Arc::clone(store);
    thread::spawn(move || run(&store))
}

#[test]
fn of_three_that_ask_for_an_entry_one_holds_it() {
    model(|| {
        let store = Arc::new(MemoryReplayStore::new(10));
        let hold = |store: &MemoryReplayStore| {
            let entry = entry(0, 60);
            usize::from(store.hold(&entry, Holder::new(), now()).unwrap())
        };
        let others = [spawn(&store, hold), spawn(&store, hold)];
        let held = hold(&store) + others.map(|thread| thread.join().unwrap()).iter().sum::<usize>();
        assert_eq!(held, 1);
        check_count(&store);
    });
}

#[test]
fn entry_that_is_released_can_be_held_again_and_is_held_by_one() {
    model(|| {
        let store = Arc::new(MemoryReplayStore::new(10));
        let first = Holder::new();
        assert_eq!(store.hold(&entry(0, 60), first, now()), Ok(true));
        let hold = |store: &MemoryReplayStore| {
            usize::from(store.hold(&entry(0, 60), Holder::new(), now()).unwrap())
        };
        let other = spawn(&store, hold);
        let late = spawn(&store, move |store| {
            store.release(&entry(0, 60), first);
            // Once more, as of a command that comes late.
            store.release(&entry(0, 60), first);
        });
        let held = hold(&store) + other.join().unwrap();
        late.join().unwrap();
        assert!(held <= 1);
        assert_eq!(hold(&store) + held, 1);
        check_count(&store);
    });
}

#[test]
fn last_place_is_taken_once() {
    model(|| {
        let store = Arc::new(MemoryReplayStore::new(1));
        let hold = |number| {
            move |store: &MemoryReplayStore| {
                usize::from(store.hold(&entry(number, 60), Holder::new(), now()).is_ok())
            }
        };
        let others = [spawn(&store, hold(0)), spawn(&store, hold(1))];
        let held: usize = others.map(|thread| thread.join().unwrap()).iter().sum();
        assert_eq!(held, 1);
        check_count(&store);
    });
}

#[test]
fn places_of_what_has_expired_are_found_in_every_shard() {
    model(|| {
        let store = Arc::new(MemoryReplayStore::new(2));
        let later = now() + Duration::from_secs(3600);
        for number in [0, 1] {
            assert_eq!(store.hold(&entry(number, 60), Holder::new(), now()), Ok(true));
        }
        assert!(store.shards.iter().all(|shard| lock(shard).len() == 1));
        let hold = |number| {
            move |store: &MemoryReplayStore| store.hold(&entry(number, 7200), Holder::new(), later)
        };
        // Both of one shard: whoever comes second needs the place in the other.
        let other = spawn(&store, hold(2));
        assert_eq!(hold(4)(&store), Ok(true));
        assert_eq!(other.join().unwrap(), Ok(true));
        check_count(&store);
    });
}

/// The proof of a frame, and the moment at which it came.
static VERIFIED: LazyLock<(Verified, SystemTime)> = LazyLock::new(|| {
    let (policy, now) = (Policy::default(), now());
    let credentials = Credentials::new("access", "secret").unwrap();
    let key = SigningKey::derive(&credentials, SigningDate::of(now));
    let head = b"DELETE /up HTTP/1.1\r\nHost: test.com\r\n\r\n";
    let options = SigningOptions::for_policy(&policy);
    let frame = sign_head(head, &key, PayloadHash::of(b""), now, &options).unwrap();
    let mut verifier = Verifier::new(&policy, |_: &Claim| vec![key.clone()], || now);
    verifier.update(&frame).unwrap();
    (verifier.finish().unwrap(), now)
});

/// Sends the frame: how often it was accepted. One that is cut never gets to its end.
fn send(guard: &ReplayGuard, is_cut: bool) -> usize {
    let check = match block_on(guard.begin_entry(Some(VERIFIED.0.replay_entry()))) {
        Ok(check) => check,
        Err(ReplayError::Refused(_)) => return 0,
        Err(error) => panic!("{error}"),
    };
    if is_cut { 0 } else { block_on(check.finish(&VERIFIED.0)).map_or(0, |()| 1) }
}

#[test]
fn frame_is_accepted_once_and_one_that_was_cut_can_be_sent_again() {
    LazyLock::force(&VERIFIED);
    model(|| {
        let store = std::sync::Arc::new(MemoryReplayStore::new(10));
        let guard = ReplayGuard::new(std::sync::Arc::clone(&store), Outage::Refuse);
        let guard = guard.clock(|| VERIFIED.1);
        let others = [true, false].map(|is_cut| {
            let guard = guard.clone();
            thread::spawn(move || send(&guard, is_cut))
        });
        let accepted = send(&guard, false);
        let accepted = accepted + others.map(|thread| thread.join().unwrap()).iter().sum::<usize>();
        assert!(accepted <= 1);
        assert_eq!(send(&guard, false) + accepted, 1);
        check_count(&store);
    });
}
