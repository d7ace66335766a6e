//! A guard around a verifier of raw frames.

use std::time::Duration;

use framesign::{
    replay::{Outage, ReplayCheck, ReplayError, ReplayGuard},
    verify::Refusal,
};
use futures_util::FutureExt;

use super::{assert_replayed, claimed, now, recorder::Recorder, unclaimed, verifier, verify};
use crate::support::{Numbers, head_len, random_chunks};

fn guard(store: &Recorder) -> ReplayGuard {
    ReplayGuard::new(store.clone(), Outage::Refuse).clock(now)
}

/// Verifies a frame that comes in `chunks`, and asks the guard at its head and at its end.
async fn take<'a>(
    guard: &ReplayGuard,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), ReplayError> {
    let mut verifier = verifier();
    let mut check: Option<ReplayCheck> = None;
    for chunk in chunks {
        verifier.update(chunk)?;
        if let (None, Some(pending)) = (&check, verifier.pending()) {
            check = Some(guard.begin(pending).await?);
        }
    }
    let proof = verifier.finish()?;
    check.expect("the head is whole").finish(&proof).await
}

#[tokio::test]
async fn a_frame_is_reserved_at_its_head_if_that_is_proven_and_else_at_its_end() {
    for (frame, calls) in
        [(claimed("/"), &["reserve", "commit"][..]), (unclaimed("/"), &["accept"][..])]
    {
        let store = Recorder::new();
        take(&guard(&store), [&frame[..]]).await.unwrap();
        assert_eq!((store.calls(), store.len()), (calls.to_vec(), 1));
        assert_replayed(take(&guard(&store), [&frame[..]]).await);
        // What another one has is not released.
        assert_eq!((store.calls(), store.len()), (calls[..1].to_vec(), 1));
    }
}

#[tokio::test]
async fn frames_that_sign_alike_are_one_and_others_are_not() {
    let store = Recorder::new();
    let guard = guard(&store);
    let frame = claimed("/a?x=1&y=2");
    take(&guard, [&frame[..]]).await.unwrap();
    let text = String::from_utf8(frame).unwrap();
    for alike in [text.replace("/a?x=1&y=2", "/%61?y=2&x=1"), text.replace("Host: h", "host:  h")] {
        assert_replayed(take(&guard, [alike.as_bytes()]).await);
    }
    // The same request, signed again.
    take(&guard, [&claimed("/a?x=1&y=2")[..]]).await.unwrap();
    take(&guard, [&claimed("/b")[..]]).await.unwrap();
    assert_eq!(store.len(), 3);
}

#[tokio::test]
async fn a_frame_that_is_cut_anywhere_is_released_and_can_be_sent_again() {
    for frame in [claimed("/"), unclaimed("/")] {
        let store = Recorder::new();
        let guard = guard(&store);
        for cut in 0..frame.len() {
            let result = take(&guard, [&frame[..cut]]).await;
            assert!(matches!(result, Err(ReplayError::Refused(_))), "cut at {cut}");
            assert_eq!(store.len(), 0, "cut at {cut}");
        }
        take(&guard, [&frame[..]]).await.unwrap();
        assert_eq!(store.len(), 1);
    }
}

#[tokio::test]
async fn the_result_does_not_depend_on_cuts() {
    let mut numbers = Numbers::new(7);
    for make in [claimed, unclaimed] {
        let store = Recorder::new();
        let guard = guard(&store);
        let twice = async |target: &str, chunks: &mut dyn FnMut(&[u8]) -> Vec<Vec<u8>>| {
            let frame = make(target);
            let chunks = chunks(&frame);
            take(&guard, chunks.iter().map(|chunk| &chunk[..])).await.unwrap();
            assert_replayed(take(&guard, chunks.iter().map(|chunk| &chunk[..])).await);
        };
        let single = |frame: &[u8]| frame.chunks(1).map(<[u8]>::to_vec).collect();
        twice("/single", &mut { single }).await;
        for most in [3, 16, 100] {
            let mut random = |frame: &[u8]| {
                let chunks = random_chunks(frame, most, &mut numbers);
                chunks.into_iter().map(<[u8]>::to_vec).collect()
            };
            twice(&format!("/{most}"), &mut random).await;
        }
    }
}

#[tokio::test]
async fn a_forged_frame_asks_the_store_for_nothing() {
    for frame in [claimed("/"), unclaimed("/")] {
        let store = Recorder::new();
        let guard = guard(&store);
        let head = head_len(&frame);
        for at in 0..head {
            let mut forged = frame.clone();
            forged[at] ^= 1;
            if verify(&forged).is_ok() {
                continue;
            }
            take(&guard, [&forged[..]]).await.unwrap_err();
            assert_eq!(store.calls(), [""; 0], "byte {at}");
        }
        assert_eq!(store.len(), 0);
    }
}

#[tokio::test]
async fn another_payload_than_the_claimed_one_leaves_nothing_behind() {
    let store = Recorder::new();
    let guard = guard(&store);
    let frame = claimed("/");
    let (head, _) = frame.split_at(head_len(&frame));
    take(&guard, [head, b"hellO"]).await.unwrap_err();
    assert_eq!((store.calls(), store.len()), (vec!["reserve", "release"], 0));
    take(&guard, [&frame[..]]).await.unwrap();
}

#[tokio::test]
async fn while_a_frame_is_reserved_another_one_like_it_is_refused() {
    let store = Recorder::new();
    let guard = guard(&store);
    let frame = claimed("/");
    let mut first = verifier();
    first.update(&frame[..frame.len() - 1]).unwrap();
    let check = guard.begin(first.pending().unwrap()).await.unwrap();
    assert_replayed(take(&guard, [&frame[..]]).await);
    drop(check);
    take(&guard, [&frame[..]]).await.unwrap();
}

#[tokio::test]
async fn of_two_that_are_proven_at_their_end_the_second_is_refused() {
    let store = Recorder::new();
    let guard = guard(&store);
    let frame = unclaimed("/");
    let mut verifiers = [verifier(), verifier()];
    let mut checks = Vec::new();
    for verifier in &mut verifiers {
        verifier.update(&frame).unwrap();
        checks.push(guard.begin(verifier.pending().unwrap()).await.unwrap());
    }
    assert_eq!(store.calls(), [""; 0]);
    let proofs: Vec<_> = verifiers.into_iter().map(|verifier| verifier.finish().unwrap()).collect();
    let second = checks.pop().unwrap();
    checks.pop().unwrap().finish(&proofs[0]).await.unwrap();
    assert_replayed(second.finish(&proofs[1]).await);
}

#[tokio::test]
async fn the_proof_of_another_frame_does_not_commit_what_is_reserved() {
    let store = Recorder::new();
    let guard = guard(&store);
    let (one, other) = (claimed("/one"), claimed("/other"));
    let mut verifier = verifier();
    verifier.update(&one).unwrap();
    let check = guard.begin(verifier.pending().unwrap()).await.unwrap();
    check.finish(&verify(&other).unwrap()).await.unwrap();
    // The entry of the other frame is there, and that of the one is not.
    assert_replayed(take(&guard, [&other[..]]).await);
    take(&guard, [&one[..]]).await.unwrap();
}

#[tokio::test]
async fn a_frame_whose_signature_is_known_too_late_is_refused() {
    let until = verify(&unclaimed("/")).unwrap().valid_until();
    for (now, is_taken) in [(until, true), (until + Duration::from_nanos(1), false)] {
        let store = Recorder::new();
        let guard = guard(&store).clock(move || now);
        for frame in [claimed("/"), unclaimed("/")] {
            let result = take(&guard, [&frame[..]]).await;
            if is_taken {
                result.unwrap();
            } else {
                assert_replayed(result);
                assert_eq!(store.calls(), [""; 0]);
            }
        }
    }
}

#[test]
fn futures_and_checks_can_be_sent_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_shared<T: Send + Sync>() {}
    is_shared::<ReplayCheck>();
    is_shared::<ReplayGuard>();
    let (store, frame) = (Recorder::new(), claimed("/"));
    let guard = guard(&store);
    let mut verifier = verifier();
    verifier.update(&frame).unwrap();
    let check = is_send(guard.begin(verifier.pending().unwrap())).now_or_never().unwrap().unwrap();
    let proof = verifier.finish().unwrap();
    is_send(check.finish(&proof)).now_or_never().unwrap().unwrap();
    let refusal: Refusal = match is_send(guard.accept(&proof)).now_or_never().unwrap() {
        Err(ReplayError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert!(refusal.http1_response().starts_with(b"HTTP/1.1 409 Conflict\r\n"));
}
