//! Models of the way of a payload through the pool: nothing is lost, nothing waits for ever.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{LazyLock, atomic::AtomicUsize},
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use loom::{
    future::block_on,
    thread::{JoinHandle, Thread},
};

use super::{super::OffloadedHash, Arc, HashPool, NonZeroUsize, PoolState, PoolThreads, Relaxed};
use crate::{
    protocol::PayloadHash,
    sync::{model, thread},
};

/// Enough to be hashed on a thread of the pool.
static LARGE: [[u8; 16 * 1024]; 3] = [[1; 16 * 1024], [2; 16 * 1024], [3; 16 * 1024]];

/// Fills a queue.
static FULL: [u8; OffloadedHash::LIMIT] = [4; OffloadedHash::LIMIT];

fn large(number: usize) -> Bytes {
    Bytes::from_static(&LARGE[number])
}

fn hash_of(pieces: &[&[u8]]) -> PayloadHash {
    PayloadHash::of(&pieces.concat())
}

/// A pool whose threads can be waited for.
struct Pool {
    pool: HashPool,
    state: Arc<PoolState>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    fn new(threads: usize, lanes: usize) -> Self {
        let at_least_one = |number| NonZeroUsize::new(number).unwrap();
        let state = Arc::new(PoolState::new(at_least_one(threads), at_least_one(lanes)));
        let spawn = |_| {
            let state = Arc::clone(&state);
            thread::spawn(move || state.run())
        };
        let threads = (0..threads).map(spawn).collect();
        Self { pool: HashPool(Arc::new(PoolThreads(Arc::clone(&state)))), state, threads }
    }

    /// Ends the pool, which has nothing left then.
    fn end(self) {
        drop(self.pool);
        for thread in self.threads {
            thread.join().unwrap();
        }
        assert_eq!(self.state.busy.load(Relaxed), 0);
        assert!(self.state.lock().jobs.is_empty());
    }
}

#[test]
fn pieces_are_hashed_in_their_order() {
    static EXPECTED: LazyLock<PayloadHash> =
        LazyLock::new(|| hash_of(&[&LARGE[0], &[7; 100], &[8; 5000], &LARGE[1]]));
    model(|| {
        let pool = Pool::new(1, 16);
        let mut hash = OffloadedHash::new(&pool.pool);
        hash.push(large(0));
        // Hashed at once if the thread has hashed what came before, and else copied.
        hash.push(Bytes::from_static(&[7; 100]));
        hash.push(Bytes::from_static(&[8; 5000]));
        hash.push(large(1));
        assert_eq!(block_on(hash.finish()), *EXPECTED);
        drop(hash);
        pool.end();
    });
}

#[test]
fn one_thread_at_a_time_has_a_payload() {
    static EXPECTED: LazyLock<PayloadHash> = LazyLock::new(|| hash_of(&[&LARGE[0], &LARGE[1]]));
    model(|| {
        let pool = Pool::new(2, 16);
        let mut hash = OffloadedHash::new(&pool.pool);
        hash.push(large(0));
        hash.push(large(1));
        assert_eq!(block_on(hash.finish()), *EXPECTED);
        drop(hash);
        pool.end();
    });
}

#[test]
fn payloads_share_a_thread() {
    static EXPECTED: LazyLock<[PayloadHash; 2]> =
        LazyLock::new(|| [hash_of(&[&LARGE[0], &LARGE[1]]), hash_of(&[&LARGE[2], &[7; 100]])]);
    for lanes in [1, 2] {
        model(move || {
            let pool = Pool::new(1, lanes);
            let mut second = OffloadedHash::new(&pool.pool);
            let receiver = thread::spawn(move || {
                second.push(large(2));
                second.push(Bytes::from_static(&[7; 100]));
                block_on(second.finish())
            });
            let mut first = OffloadedHash::new(&pool.pool);
            first.push(large(0));
            assert!(pool.state.busy.load(Relaxed) <= 2);
            first.push(large(1));
            assert_eq!(block_on(first.finish()), EXPECTED[0]);
            assert_eq!(receiver.join().unwrap(), EXPECTED[1]);
            drop(first);
            pool.end();
        });
    }
}

#[test]
fn whoever_waits_for_room_is_woken() {
    static EXPECTED: LazyLock<PayloadHash> = LazyLock::new(|| hash_of(&[&FULL, &LARGE[0]]));
    model(|| {
        let pool = Pool::new(1, 16);
        let mut hash = OffloadedHash::new(&pool.pool);
        hash.push(Bytes::from_static(&FULL));
        // Another waker than the one that waits in the end, as after a move to another task.
        let _ = hash.poll_ready(&mut Context::from_waker(Waker::noop()));
        block_on(hash.ready());
        hash.push(large(0));
        assert_eq!(block_on(hash.finish()), *EXPECTED);
        drop(hash);
        pool.end();
    });
}

/// Tells that memory of a piece is free by being dropped: loom finds what is not.
struct Owner(#[expect(dead_code, reason = "kept for its drop")] Arc<()>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &LARGE[0]
    }
}

#[test]
fn pieces_of_a_receiver_that_is_gone_are_dropped_and_the_threads_end() {
    model(|| {
        let dropped = Arc::new(());
        let pool = Pool::new(2, 16);
        let mut hash = OffloadedHash::new(&pool.pool);
        hash.push(Bytes::from_owner(Owner(Arc::clone(&dropped))));
        hash.push(Bytes::from_owner(Owner(Arc::clone(&dropped))));
        drop(hash);
        pool.end();
        assert_eq!(Arc::strong_count(&dropped), 1);
    });
}

/// Panics, without a message.
struct Panicking;

impl Wake for Panicking {
    fn wake(self: std::sync::Arc<Self>) {
        resume_unwind(Box::new("a waker"))
    }
}

struct Unparking(Thread);

impl Wake for Unparking {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// The hash, or the panic instead.
fn finish(hash: &mut OffloadedHash) -> std::thread::Result<PayloadHash> {
    let waker = Waker::from(std::sync::Arc::new(Unparking(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        // With no more inside than that: a model cannot change threads in a panic.
        match catch_unwind(AssertUnwindSafe(|| hash.poll_finish(&mut context)))? {
            Poll::Ready(hash) => return Ok(hash),
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn payload_fails_by_its_own_waker_alone() {
    static EXPECTED: LazyLock<[PayloadHash; 2]> =
        LazyLock::new(|| [hash_of(&[&LARGE[0], &LARGE[1]]), hash_of(&[&LARGE[2]])]);
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    model(|| {
        let pool = Pool::new(1, 2);
        let mut failing = OffloadedHash::new(&pool.pool);
        let mut other = OffloadedHash::new(&pool.pool);
        failing.push(large(0));
        failing.push(large(1));
        let waker = Waker::from(std::sync::Arc::new(Panicking));
        let is_finished = failing.poll_finish(&mut Context::from_waker(&waker)).is_ready();
        other.push(large(2));
        if !is_finished {
            match finish(&mut failing) {
                // Asked before the waker was called.
                Ok(hash) => assert_eq!(hash, EXPECTED[0]),
                Err(_) => {
                    FAILED.fetch_add(1, Relaxed);
                    failing.push(large(0));
                    assert!(finish(&mut failing).is_err());
                }
            }
        }
        assert_eq!(block_on(other.finish()), EXPECTED[1]);
        drop((failing, other));
        pool.end();
    });
    assert!(FAILED.load(Relaxed) > 0);
}
