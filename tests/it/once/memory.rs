//! The store in memory.

use std::time::{Duration, SystemTime};

use framesign::replay::{
    Holder, MemoryReplayStore, Outage, ReplayEntry, ReplayGuard, ReplayStore, ReplayStoreError,
};
use futures_util::FutureExt;

use super::{assert_replayed, claimed, entry, now, recorder::Recorder, verifier, verify};

fn accept(guard: &ReplayGuard, number: usize) -> bool {
    let verified = verify(&claimed(&format!("/{number}"))).unwrap();
    guard.accept(&verified).now_or_never().unwrap().is_ok()
}

/// A clock that tests set.
fn clock(at: &std::sync::Arc<std::sync::Mutex<SystemTime>>) -> impl Fn() -> SystemTime + use<> {
    let at = at.clone();
    move || *at.lock().unwrap()
}

#[test]
fn it_holds_as_many_entries_as_it_is_told() {
    let store = std::sync::Arc::new(MemoryReplayStore::new(100));
    let guard = ReplayGuard::new(store.clone(), Outage::Refuse).clock(now);
    for number in 0..100 {
        assert!(accept(&guard, number), "{number}");
    }
    assert_eq!(store.len(), 100);
    assert!(!accept(&guard, 100));
    assert_eq!(store.len(), 100);
    let none = ReplayGuard::new(MemoryReplayStore::new(0), Outage::Refuse).clock(now);
    assert!(!accept(&none, 0));
}

#[test]
fn entries_that_are_over_make_room() {
    let at = std::sync::Arc::new(std::sync::Mutex::new(now()));
    let store = std::sync::Arc::new(MemoryReplayStore::new(100));
    let guard = ReplayGuard::new(store.clone(), Outage::Refuse).clock(clock(&at));
    let frames: Vec<_> = (0..101).map(|number| claimed(&format!("/{number}"))).collect();
    let proofs: Vec<_> = frames.iter().map(|frame| verify(frame).unwrap()).collect();
    let ask = |number: usize| guard.accept(&proofs[number]).now_or_never().unwrap();
    for number in 0..100 {
        ask(number).unwrap();
    }
    // A frame of a quarter of an hour later, when the others are still there, and not.
    *at.lock().unwrap() = proofs[0].valid_until();
    assert_replayed(ask(0));
    ask(100).unwrap_err();
    let later = now() + Duration::from_secs(16 * 60);
    *at.lock().unwrap() = later;
    assert_eq!(store.len(), 100);
    let verified = later_frame(later);
    guard.accept(&verified).now_or_never().unwrap().unwrap();
    assert_replayed(guard.accept(&verified).now_or_never().unwrap());
    assert!(store.len() < 100);
}

fn later_frame(at: SystemTime) -> framesign::verify::Verified {
    use framesign::{PayloadHash, SigningOptions, sign_head, verify::*};
    let head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let (key, payload) = (super::key(), PayloadHash::of(b""));
    let frame = sign_head(head, &key, payload, at, &SigningOptions::default()).unwrap();
    let mut verifier =
        Verifier::new(&Policy::default(), |_: &Claim| vec![super::key()], move || at);
    verifier.update(&frame).unwrap();
    verifier.finish().unwrap()
}

/// Two holders: those of the reservations of two guards.
fn holders() -> [Holder; 2] {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Holders(Arc<Mutex<Vec<Holder>>>);

    impl ReplayStore for Holders {
        async fn reserve(
            &self,
            _: &ReplayEntry,
            holder: Holder,
            _: SystemTime,
        ) -> Result<bool, ReplayStoreError> {
            self.0.lock().unwrap().push(holder);
            Ok(true)
        }

        async fn commit(
            &self,
            _: &ReplayEntry,
            holder: Holder,
            _: SystemTime,
        ) -> Result<bool, ReplayStoreError> {
            // Those that reserve and commit are asked for both.
            assert_eq!(self.0.lock().unwrap().last(), Some(&holder));
            Ok(true)
        }

        fn release(&self, _: &ReplayEntry, _: Holder) {}
    }

    let holders = Holders::default();
    let guard = ReplayGuard::new(holders.clone(), Outage::Refuse).clock(now);
    assert!(accept(&guard, 1) && accept(&guard, 1));
    let found = holders.0.lock().unwrap().clone();
    found.try_into().unwrap()
}

#[test]
fn an_entry_is_of_its_holder() {
    let store = MemoryReplayStore::new(10);
    let ([one, other], entry) = (holders(), entry(1));
    assert_ne!(one, other);
    let reserve = |holder| store.reserve(&entry, holder, now()).now_or_never().unwrap().unwrap();
    let commit = |holder| store.commit(&entry, holder, now()).now_or_never().unwrap().unwrap();
    assert!(reserve(one) && !reserve(other));
    // A question that is asked again has the same answer.
    assert!(reserve(one));
    assert!(commit(one) && !commit(other));
    // A release that comes late does not concern the entry of another.
    store.release(&entry, other);
    assert!(!reserve(other));
    store.release(&entry, one);
    assert!(store.is_empty() && reserve(other) && !reserve(one));
    store.release(&entry, one);
    assert_eq!(store.len(), 1);
}

#[test]
fn an_entry_counts_up_to_its_last_moment() {
    let store = MemoryReplayStore::new(10);
    let ([one, other], entry) = (holders(), entry(1));
    let reserve = |holder, at| store.reserve(&entry, holder, at).now_or_never().unwrap().unwrap();
    assert!(reserve(one, now()));
    // And some seconds longer: who looked at the clock before may come later.
    let last = entry.expires_at() + Duration::from_secs(5);
    for at in [entry.expires_at(), entry.expires_at() + Duration::from_nanos(1), last] {
        assert!(!reserve(other, at));
    }
    assert!(reserve(other, last + Duration::from_nanos(1)));
}

#[test]
fn a_frame_at_its_last_moment_is_taken_once() {
    let store = std::sync::Arc::new(MemoryReplayStore::new(10));
    let verified = verify(&claimed("/")).unwrap();
    let last = verified.valid_until();
    // Each guard looks at its clock at the last moment, and if it looks again, after that.
    let guard = || {
        let looks = std::sync::atomic::AtomicU64::new(0);
        ReplayGuard::new(store.clone(), Outage::Refuse).clock(move || {
            last + Duration::from_nanos(looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        })
    };
    guard().accept(&verified).now_or_never().unwrap().unwrap();
    assert_replayed(guard().accept(&verified).now_or_never().unwrap());
    assert_eq!(store.len(), 1);
}

#[test]
fn what_is_released_over_and_over_leaves_nothing() {
    let (store, recorder) = (std::sync::Arc::new(MemoryReplayStore::new(1)), Recorder::new());
    let guard = ReplayGuard::new(store.clone(), Outage::Refuse).clock(now);
    for number in 0..1000 {
        let frame = claimed(&format!("/{number}"));
        let mut verifier = verifier();
        verifier.update(&frame[..frame.len() - 1]).unwrap();
        drop(guard.begin(verifier.pending().unwrap()).now_or_never().unwrap().unwrap());
        assert!(store.is_empty());
    }
    assert_eq!(recorder.len(), 0);
}

/// A store that answers what it is told, and accepts as a store does unless it knows better.
struct Told {
    reserve: bool,
    commit: bool,
}

impl ReplayStore for Told {
    async fn reserve(
        &self,
        _: &ReplayEntry,
        _: Holder,
        _: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        Ok(self.reserve)
    }

    async fn commit(
        &self,
        _: &ReplayEntry,
        _: Holder,
        _: SystemTime,
    ) -> Result<bool, ReplayStoreError> {
        Ok(self.commit)
    }

    fn release(&self, _: &ReplayEntry, _: Holder) {}
}

#[test]
fn what_is_not_both_reserved_and_committed_is_not_accepted() {
    let ([holder, _], entry) = (holders(), entry(1));
    for (reserve, commit) in [(true, true), (true, false), (false, true), (false, false)] {
        let store = Told { reserve, commit };
        let accepted = store.accept(&entry, holder, now()).now_or_never().unwrap().unwrap();
        assert_eq!(accepted, reserve && commit, "{reserve} {commit}");
    }
}
