//! A store that is away, and questions that nobody waits for any more.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
};

use framesign::replay::{MemoryReplayStore, Outage, ReplayError, ReplayGuard};

use super::{
    assert_replayed, claimed, entry, now,
    recorder::{Fate, Recorder},
    verifier, verify,
};

/// A guard over the store, and what it is told of outages.
fn guard(store: &Recorder, outage: Outage) -> (ReplayGuard, Arc<Mutex<Vec<Outage>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let guard = ReplayGuard::new(store.clone(), outage).clock(now).on_outage(move |outage| {
        assert!(outage.error().to_string().ends_with("the store is away"));
        heard.lock().unwrap().push(outage.outage());
    });
    (guard, told)
}

/// Takes a frame whose head is proven, at its head and at its end.
async fn take(guard: &ReplayGuard, frame: &[u8]) -> Result<(), ReplayError> {
    let mut verifier = verifier();
    verifier.update(frame)?;
    let check = guard.begin(verifier.pending().unwrap()).await?;
    check.finish(&verifier.finish()?).await
}

fn assert_unavailable(result: Result<(), ReplayError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, ReplayError::Unavailable(_)), "{error:?}");
    assert_eq!(error.status(), 503);
    assert!(error.http1_response().starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
}

#[tokio::test]
async fn a_guard_that_refuses_lets_nothing_in_while_the_store_is_away() {
    let frame = claimed("/");
    for fates in [&[Fate::Fails][..], &[Fate::Answers, Fate::Fails]] {
        let store = Recorder::with_fates(fates.to_vec());
        let (guard, told) = guard(&store, Outage::Refuse);
        assert_unavailable(take(&guard, &frame).await);
        assert_eq!(*told.lock().unwrap(), [Outage::Refuse]);
        // Whether the store wrote is not known, so that it is told to release.
        assert_eq!((store.calls().pop(), store.len()), (Some("release"), 0));
        take(&guard, &frame).await.unwrap();
    }
    let store = Recorder::with_fates([Fate::Fails]);
    let (guard, told) = guard(&store, Outage::Refuse);
    assert_unavailable(guard.accept(&verify(&frame).unwrap()).await);
    assert_eq!((told.lock().unwrap().len(), store.len()), (1, 0));
    guard.accept(&verify(&frame).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_guard_that_accepts_lets_everything_in_while_the_store_is_away() {
    let store = Recorder::with_fates([Fate::Fails; 5]);
    let (guard, told) = guard(&store, Outage::Accept);
    // At the head, and once more at the end. It is one frame, and told of once.
    take(&guard, &claimed("/a")).await.unwrap();
    assert_eq!(store.calls(), ["reserve", "accept"]);
    guard.accept(&verify(&claimed("/b")).unwrap()).await.unwrap();
    assert_eq!(store.calls(), ["accept"]);
    take(&guard, &claimed("/c")).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [Outage::Accept; 3]);
}

#[tokio::test]
async fn a_frame_that_is_accepted_in_an_outage_is_known_if_the_store_wrote_it() {
    let frame = claimed("/");
    for (fates, is_proven) in
        [(&[Fate::Fails][..], true), (&[Fate::Fails, Fate::Fails], true), (&[Fate::Fails], false)]
    {
        let store = Recorder::with_fates(fates.to_vec());
        let (guard, _) = guard(&store, Outage::Accept);
        if is_proven {
            take(&guard, &frame).await.unwrap();
        } else {
            guard.accept(&verify(&frame).unwrap()).await.unwrap();
        }
        assert!(!store.calls().contains(&"release") && store.len() == 1, "{fates:?}");
        assert_replayed(take(&guard, &frame).await);
    }
}

#[tokio::test]
async fn a_frame_that_came_before_is_refused_at_its_end_if_the_store_is_back_by_then() {
    let frame = claimed("/");
    let store = Recorder::with_fates([Fate::Answers, Fate::Answers, Fate::Fails]);
    let (guard, _) = guard(&store, Outage::Accept);
    take(&guard, &frame).await.unwrap();
    assert_replayed(take(&guard, &frame).await);
    assert_eq!(store.calls(), ["reserve", "commit", "reserve", "accept"]);
    assert_eq!(store.len(), 1, "the entry of another is left alone");
}

#[tokio::test]
async fn the_proof_of_another_frame_does_not_record_what_an_outage_left_open() {
    let (one, other) = (claimed("/one"), claimed("/other"));
    let store = Recorder::with_fates([Fate::Fails]);
    let (guard, _) = guard(&store, Outage::Accept);
    let mut verifier = verifier();
    verifier.update(&one).unwrap();
    let check = guard.begin(verifier.pending().unwrap()).await.unwrap();
    check.finish(&verify(&other).unwrap()).await.unwrap();
    assert_replayed(take(&guard, &other).await);
    take(&guard, &one).await.unwrap();
}

#[tokio::test]
async fn a_frame_that_is_cut_in_an_outage_is_released() {
    let store = Recorder::with_fates([Fate::Fails]);
    let (guard, _) = guard(&store, Outage::Accept);
    let mut verifier = verifier();
    verifier.update(&claimed("/")).unwrap();
    drop(guard.begin(verifier.pending().unwrap()).await.unwrap());
    assert_eq!((store.calls(), store.len()), (vec!["reserve", "release"], 0));
}

#[tokio::test]
async fn an_entry_that_could_not_be_committed_stays_if_the_frame_is_accepted() {
    let frame = claimed("/");
    let store = Recorder::with_fates([Fate::Answers, Fate::Fails]);
    let (guard, told) = guard(&store, Outage::Accept);
    take(&guard, &frame).await.unwrap();
    assert_eq!((told.lock().unwrap().len(), store.len()), (1, 1));
    assert_replayed(take(&guard, &frame).await);
}

#[tokio::test]
async fn a_frame_whose_entry_another_one_has_by_its_end_is_refused() {
    let frame = claimed("/");
    for outage in [Outage::Refuse, Outage::Accept] {
        let store = Recorder::with_fates([Fate::Answers, Fate::Taken]);
        let (guard, _) = guard(&store, outage);
        assert_replayed(take(&guard, &frame).await);
        assert_eq!(store.calls(), ["reserve", "commit"], "the entry of another is left alone");
    }
}

#[tokio::test]
async fn a_question_that_is_dropped_leaves_nothing_behind() {
    let frame = claimed("/");
    for fates in [&[Fate::Hangs][..], &[Fate::Answers, Fate::Hangs]] {
        let store = Recorder::with_fates(fates.to_vec());
        let (guard, _) = guard(&store, Outage::Refuse);
        {
            let mut taken = pin!(take(&guard, &frame));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(taken.as_mut().poll(&mut cx).is_pending());
            assert_eq!(store.len(), 1);
        }
        assert_eq!((store.calls().pop(), store.len()), (Some("release"), 0));
        take(&guard, &frame).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_is_full_is_as_one_that_is_away() {
    let frames = ["/a", "/b"].map(claimed);
    let store = Arc::new(MemoryReplayStore::new(1));
    let refusing = ReplayGuard::new(Arc::clone(&store), Outage::Refuse).clock(now);
    take(&refusing, &frames[0]).await.unwrap();
    assert_unavailable(take(&refusing, &frames[1]).await);
    // What is there is known all the same.
    assert_replayed(take(&refusing, &frames[0]).await);
    let accepting = ReplayGuard::new(Arc::clone(&store), Outage::Accept).clock(now);
    take(&accepting, &frames[1]).await.unwrap();
    assert_eq!(store.len(), 1);
}

#[test]
fn debug_shows_neither_access_key_nor_signature() {
    let store = Recorder::new();
    let (guard, _) = guard(&store, Outage::Refuse);
    let shown = format!("{guard:?} {:?}", entry(1));
    let verified = verify(&claimed("/")).unwrap();
    assert!(!shown.contains("access") && !shown.contains(&verified.signature().to_string()));
}
