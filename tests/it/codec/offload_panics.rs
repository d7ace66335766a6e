//! Foreign code that panics on a thread that hashes: the payload fails, and no other.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Wake, Waker},
};

use bytes::Bytes;
use framesign::{
    PayloadHash, Signer,
    io::SigningStream,
    offload::{HashPool, OffloadedHash},
};
use futures_util::{FutureExt, StreamExt, stream};

use super::offload::{PIECE, payload, pieces, pool};
use crate::{stages::key, support::Held};

/// Memory whose end panics, on whatever thread that is.
pub(super) struct Bomb(pub(super) Vec<u8>);

impl AsRef<[u8]> for Bomb {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::panic_any(PANIC);
    }
}

/// What a panic of these tests carries.
pub(super) const PANIC: &str = "as a part of the test";

fn bomb() -> Bytes {
    Bytes::from_owner(Bomb(payload(PIECE)))
}

/// What comes of `future`: what it panicked with, if it did. It must not wait for ever.
pub(super) async fn outcome<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let caught = AssertUnwindSafe(future).catch_unwind();
    let limit = std::time::Duration::from_secs(120);
    let result = tokio::time::timeout(limit, caught).await.expect("a thread is gone");
    result.map_err(|panic| (*panic.downcast_ref::<&str>().unwrap()).to_owned())
}

/// A payload on the threads of `pool` has its hash.
pub(super) async fn assert_hashes(pool: &HashPool) {
    let mut hash = OffloadedHash::new(pool);
    let payload = payload(3_000_000);
    let whole = async {
        for piece in payload.chunks(100_000) {
            hash.ready().await;
            hash.push(Bytes::copy_from_slice(piece));
        }
        hash.finish().await
    };
    assert_eq!(outcome(whole).await, Ok(PayloadHash::of(&payload)));
}

#[tokio::test]
async fn a_piece_whose_end_panics_fails_its_payload_and_no_other() {
    let pool = pool(1);
    let mut before = OffloadedHash::new(&pool);
    before.push(payload(PIECE).into());
    let mut failing = OffloadedHash::new(&pool);
    failing.push(payload(PIECE).into());
    failing.push(bomb());
    let mut after = OffloadedHash::new(&pool);
    after.push(payload(2 * PIECE).into());
    assert_eq!(outcome(after.finish()).await, Ok(PayloadHash::of(&payload(2 * PIECE))));
    assert_eq!(outcome(before.finish()).await, Ok(PayloadHash::of(&payload(PIECE))));

    // The panic goes on where the payload belongs, and there is never a hash of it.
    assert_eq!(outcome(failing.finish()).await, Err(PANIC.to_owned()));
    failing.push(payload(PIECE).into());
    failing.push(Bytes::from_static(b"a small piece"));
    let again = Err("the payload has failed: foreign code panicked".to_owned());
    assert_eq!(outcome(failing.finish()).await, again);
    assert_eq!(outcome(failing.ready()).await, again.map(drop));
    assert_hashes(&pool).await;
}

/// Were they dropped together, the second panic would end the process.
#[tokio::test]
async fn all_pieces_of_a_failed_payload_are_given_back() {
    let pool = pool(1);
    let (end, until) = mpsc::channel();
    let mut failing = OffloadedHash::new(&pool);
    // The thread has to wait, so that the others are queued when the first one panics.
    failing.push(Bytes::from_owner(Held(payload(PIECE), until)));
    let kept = Bytes::from(payload(PIECE));
    for _ in 0..3 {
        failing.push(bomb());
        failing.push(kept.clone());
    }
    drop(end);
    assert_eq!(outcome(failing.finish()).await, Err(PANIC.to_owned()));
    assert_hashes(&pool).await;
    assert!(kept.is_unique());
    // Nor is one kept that comes later.
    for _ in 0..3 {
        failing.push(kept.clone());
        assert!(kept.is_unique());
    }
}

#[tokio::test]
async fn a_payload_that_nobody_waits_for_may_panic_too() {
    let pool = pool(1);
    let mut failing = OffloadedHash::new(&pool);
    failing.push(bomb());
    drop(failing);
    assert_hashes(&pool).await;
}

/// What a panic carries may panic when it is dropped, which is when nobody is left to be told.
#[tokio::test]
async fn what_a_panic_carries_may_panic() {
    struct Carrier;

    impl Drop for Carrier {
        fn drop(&mut self) {
            std::panic::panic_any(Bomb(Vec::new()));
        }
    }

    struct Memory(Vec<u8>);

    impl AsRef<[u8]> for Memory {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            std::panic::panic_any(Carrier);
        }
    }

    let pool = pool(1);
    let (end, until) = mpsc::channel();
    let mut failing = OffloadedHash::new(&pool);
    failing.push(Bytes::from_owner(Held(payload(PIECE), until)));
    failing.push(Bytes::from_owner(Memory(payload(PIECE))));
    drop(failing);
    drop(end);
    assert_hashes(&pool).await;
}

/// A waker that panics when it is called, and tells when it was.
struct Fuse(AtomicBool);

impl Wake for Fuse {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
        std::panic::panic_any(PANIC);
    }
}

#[tokio::test]
async fn a_waker_that_panics_fails_its_payload_and_no_other() {
    for waits_for_room in [false, true] {
        let pool = pool(1);
        let (end, until) = mpsc::channel();
        let mut failing = OffloadedHash::new(&pool);
        failing.push(Bytes::from_owner(Held(payload(PIECE), until)));
        for piece in pieces().take(OffloadedHash::LIMIT / PIECE) {
            failing.push(piece);
        }
        let fuse = Arc::new(Fuse(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&fuse));
        let mut cx = Context::from_waker(&waker);
        if waits_for_room {
            assert!(failing.poll_ready(&mut cx).is_pending());
        } else {
            assert!(failing.poll_finish(&mut cx).is_pending());
        }
        drop(end);
        assert_hashes(&pool).await;
        assert!(fuse.0.load(Ordering::SeqCst));
        assert_eq!(outcome(failing.finish()).await, Err(PANIC.to_owned()));
        assert_hashes(&pool).await;
    }
}

#[tokio::test]
async fn a_panic_reaches_who_reads_the_stream() {
    let pool = pool(1);
    let (end, until) = mpsc::channel();
    let mut busy = OffloadedHash::new(&pool);
    busy.push(Bytes::from_owner(Held(payload(PIECE), until)));
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {PIECE}\r\n\r\n");
    // The thread is busy until the piece has been read and dropped: it has the last of it.
    let last = stream::once(async move {
        drop(end);
        Ok(Bytes::new())
    });
    let chunks = Box::pin(stream::iter([Bytes::from(head), bomb()].map(Ok)).chain(last));
    let mut stream = SigningStream::new(chunks, Signer::new(&key())).hash_on(&pool);
    let read = async {
        while let Some(chunk) = stream.next().await {
            drop(chunk.unwrap());
        }
    };
    assert_eq!(outcome(read).await, Err(PANIC.to_owned()));
    assert!(stream.signature().is_none());
    assert_eq!(outcome(busy.finish()).await, Ok(PayloadHash::of(&payload(PIECE))));
    assert_hashes(&pool).await;
}
