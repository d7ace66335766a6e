//! Many that send one frame at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use framesign::replay::{MemoryReplayStore, Outage, ReplayGuard};
use tokio::{sync::Barrier, task::JoinSet};

use super::{assert_replayed, claimed, now, unclaimed, verifier};

const RACERS: usize = 1000;

/// Lets all racers send `frame`, every `cut`th of them cut, and tells how many were accepted.
async fn race(guard: &ReplayGuard, frame: Vec<u8>, cut: usize) -> usize {
    let (frame, start) = (Arc::new(frame), Arc::new(Barrier::new(RACERS)));
    let accepted = Arc::new(AtomicUsize::new(0));
    let mut racers = JoinSet::new();
    for number in 0..RACERS {
        let (guard, frame, start) = (guard.clone(), Arc::clone(&frame), Arc::clone(&start));
        let accepted = Arc::clone(&accepted);
        racers.spawn(async move {
            let mut verifier = verifier();
            let is_cut = number % cut == 1;
            let len = frame.len() - usize::from(is_cut);
            verifier.update(&frame[..len]).unwrap();
            start.wait().await;
            let check = match guard.begin(verifier.pending().unwrap()).await {
                Ok(check) => check,
                Err(error) => return assert_replayed::<()>(Err(error)),
            };
            tokio::task::yield_now().await;
            match verifier.finish() {
                Ok(proof) => match check.finish(&proof).await {
                    Ok(()) => _ = accepted.fetch_add(1, SeqCst),
                    Err(error) => assert_replayed::<()>(Err(error)),
                },
                Err(_) => assert!(is_cut),
            }
        });
    }
    while let Some(racer) = racers.join_next().await {
        racer.unwrap();
    }
    accepted.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_that_send_one_frame_one_is_accepted() {
    let store = Arc::new(MemoryReplayStore::new(1000));
    let guard = ReplayGuard::new(Arc::clone(&store), Outage::Refuse).clock(now);
    for number in 0..10 {
        for frame in [claimed(&format!("/{number}")), unclaimed(&format!("/{number}"))] {
            assert_eq!(race(&guard, frame, usize::MAX).await, 1);
        }
    }
    assert_eq!(store.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_are_cut_meanwhile_one_is_accepted_at_most() {
    let store = Arc::new(MemoryReplayStore::new(1000));
    let guard = ReplayGuard::new(Arc::clone(&store), Outage::Refuse).clock(now);
    for number in 0..10 {
        for frame in [claimed(&format!("/{number}")), unclaimed(&format!("/{number}"))] {
            // One that is cut may have held the entry while all others came.
            let accepted = race(&guard, frame.clone(), 4).await;
            assert!(accepted <= 1, "{accepted}");
            let mut again = verifier();
            again.update(&frame).unwrap();
            let again = guard.accept(&again.finish().unwrap()).await;
            assert_eq!(again.is_ok(), accepted == 0);
        }
    }
    assert_eq!(store.len(), 20);
}
