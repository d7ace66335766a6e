//! Many that send one frame at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use framesign::replay::{MemoryReplayStore, Outage, ReplayGuard};
use tokio::{sync::Barrier, task::JoinSet};

use super::{assert_replayed, claimed, now, unclaimed, verifier};

const RACERS: usize = 1000;

/// Lets all racers send `frame`, and tells how many were accepted.
async fn race(guard: &ReplayGuard, frame: Vec<u8>) -> usize {
    let (frame, start) = (Arc::new(frame), Arc::new(Barrier::new(RACERS)));
    let accepted = Arc::new(AtomicUsize::new(0));
    let mut racers = JoinSet::new();
    for number in 0..RACERS {
        let (guard, frame, start) = (guard.clone(), Arc::clone(&frame), Arc::clone(&start));
        let accepted = Arc::clone(&accepted);
        racers.spawn(async move {
            let mut verifier = verifier();
            // Some are cut, so that entries are released meanwhile.
            let is_cut = number % 4 == 1;
            let len = frame.len() - usize::from(is_cut);
            verifier.update(&frame[..len]).unwrap();
            start.wait().await;
            let check = match guard.begin(verifier.pending().unwrap()).await {
                Ok(check) => check,
                Err(error) => return assert_replayed::<()>(Err(error)),
            };
            tokio::task::yield_now().await;
            match verifier.finish() {
                Ok(verified) => match check.finish(&verified).await {
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
    let mut accepted = 0;
    for number in 0..10 {
        for frame in [claimed(&format!("/{number}")), unclaimed(&format!("/{number}"))] {
            let of_frame = race(&guard, frame.clone()).await;
            // Only those that are cut may have held the entry while all others came.
            assert!(of_frame <= 1, "frame {number}: {of_frame}");
            accepted += of_frame;
            let mut again = verifier();
            again.update(&frame).unwrap();
            let again = guard.accept(&again.finish().unwrap()).await;
            assert_eq!(again.is_ok(), of_frame == 0);
        }
    }
    assert!(accepted > 0);
    assert_eq!(store.len(), 20);
}
