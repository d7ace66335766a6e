//! Payloads that are hashed side by side on one thread have the hashes that they have alone.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Wake, Waker},
};

use allocation_counter::measure;
use bytes::Bytes;
use framesign::{
    PayloadHash,
    offload::{HashPool, OffloadedHash},
};
use futures_util::{FutureExt, future::join_all};
use sha2::{Digest, Sha256};

use super::{
    offload::held,
    offload_panics::{Bomb, PANIC, assert_hashes, outcome},
};
use crate::support::{Numbers, random_chunks};

const PIECE: usize = 64 * 1024;

fn pool(threads: usize, lanes: usize) -> HashPool {
    HashPool::with_lanes(threads.try_into().unwrap(), lanes.try_into().unwrap()).unwrap()
}

/// Every payload differs from the others in every block.
fn payload(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at + 7 * number) % 251).unwrap()).collect()
}

fn sha2(payload: &[u8]) -> PayloadHash {
    PayloadHash::from_bytes(Sha256::digest(payload).into())
}

/// Memory whose end tells that it has come, and holds up the thread that hashed it.
struct Holding(Vec<u8>, mpsc::Sender<()>, mpsc::Receiver<()>);

impl AsRef<[u8]> for Holding {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.1.send(()).unwrap();
        assert!(self.2.recv().is_err(), "nothing is sent, but the sender goes");
    }
}

/// Holds up the thread of a pool until the sender goes.
fn hold(pool: &HashPool) -> (OffloadedHash, mpsc::Sender<()>) {
    let (begin, has_begun) = mpsc::channel();
    let (end, until) = mpsc::channel();
    let mut hash = OffloadedHash::new(pool);
    hash.push(Bytes::from_owner(Holding(vec![0; PIECE], begin, until)));
    has_begun.recv().unwrap();
    (hash, end)
}

/// The queue counts bytes: so many small pieces must not take a multiple of them.
#[tokio::test]
async fn tiny_pieces_that_wait_take_little_more_than_their_bytes() {
    const TINY: usize = 200_000;

    let pool = pool(1, 1);
    let (mut busy, end) = hold(&pool);
    let payload = payload(1, 2 * PIECE + 2 * TINY);
    let mut hash = OffloadedHash::new(&pool);
    let mut taken = 0;
    for half in payload.chunks(PIECE + TINY) {
        let (large, tiny) = half.split_at(PIECE);
        hash.push(Bytes::copy_from_slice(large));
        taken += measure(|| {
            for byte in tiny.chunks(1) {
                hash.push(Bytes::copy_from_slice(byte));
            }
        })
        .bytes_current;
    }
    assert!(taken <= i64::try_from(3 * TINY).unwrap(), "{taken} bytes");
    drop(end);
    busy.finish().await;
    assert_eq!(hash.finish().await, sha2(&payload));
}

/// The next piece comes to any payload, and some payloads end while others have not begun.
#[tokio::test]
async fn payloads_hash_as_sha2_does_however_their_pieces_come() {
    let mut numbers = Numbers::new(3);
    for (threads, lanes) in [(1, 1), (1, 2), (1, 5), (1, 16), (3, 16)] {
        let pool = pool(threads, lanes);
        for most in [70, 5_000, 20_000, 200_000] {
            let payloads: Vec<_> =
                (0..40).map(|number| payload(number, numbers.below(8 * most + 1))).collect();
            let mut uploads: Vec<_> = payloads
                .iter()
                .map(|payload| {
                    let mut pieces = random_chunks(payload, most, &mut numbers);
                    pieces.reverse();
                    (OffloadedHash::new(&pool), pieces, payload)
                })
                .collect();
            while !uploads.is_empty() {
                let chosen = numbers.below(uploads.len());
                let (hash, pieces, payload) = &mut uploads[chosen];
                if let Some(piece) = pieces.pop() {
                    hash.ready().await;
                    hash.push(Bytes::copy_from_slice(piece));
                } else {
                    let case = format!("{} bytes, {threads} x {lanes}", payload.len());
                    assert_eq!(hash.finish().await, sha2(payload), "{case}");
                    drop(uploads.swap_remove(chosen));
                }
            }
        }
    }
}

/// All are there when the thread begins, so that its batch is full: every length beside every other.
#[tokio::test]
async fn pieces_of_all_lengths_share_a_batch() {
    let mut numbers = Numbers::new(4);
    for count in [2, 3, 15, 16, 17, 50] {
        let pool = pool(1, 16);
        let (mut holding, end) = hold(&pool);
        let mut hashes = Vec::new();
        for number in 0..count {
            let mut hash = OffloadedHash::new(&pool);
            let mut whole = Vec::new();
            for _ in 0..4 {
                let len = [1, 63, 64, 16_384, PIECE, 2_000_000][numbers.below(6)];
                let piece = payload(number, len - numbers.below(2).min(len - 1));
                whole.extend_from_slice(&piece);
                hash.push(piece.into());
            }
            hashes.push((hash, whole));
        }
        drop(end);
        for (number, (mut hash, whole)) in hashes.into_iter().enumerate() {
            assert_eq!(hash.finish().await, sha2(&whole), "{number} of {count}");
        }
        assert_eq!(holding.finish().await, sha2(&vec![0; PIECE]));
    }
}

/// Memory that tells when it is given back.
struct Told(Vec<u8>, usize, Arc<Mutex<Vec<usize>>>);

impl AsRef<[u8]> for Told {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.2.lock().unwrap().push(self.1);
    }
}

/// The payloads in the order in which their pieces are given back: of each so many pieces of so many
/// bytes, all of which are there when the thread begins.
async fn order(lanes: usize, payloads: &[(usize, usize)]) -> Vec<usize> {
    let pool = pool(1, lanes);
    let order = Arc::default();
    let (_holding, end) = hold(&pool);
    let mut hashes = Vec::new();
    for (number, &(count, len)) in payloads.iter().enumerate() {
        let mut hash = OffloadedHash::new(&pool);
        for _ in 0..count {
            let piece = Told(vec![7; len], number, Arc::clone(&order));
            hash.push(Bytes::from_owner(piece));
        }
        hashes.push((hash, sha2(&vec![7; count * len])));
    }
    drop(end);
    for (mut hash, expected) in hashes {
        assert_eq!(hash.finish().await, expected);
    }
    Arc::into_inner(order).unwrap().into_inner().unwrap()
}

#[tokio::test]
async fn payloads_take_turns() {
    // Alone on a thread, one after the other.
    let turns = order(1, &[(40, PIECE), (1, PIECE)]).await;
    assert_eq!(turns.iter().position(|&number| number == 1), Some(16));
    // More than there are lanes: each of the first is some pieces ahead, not all.
    let mut payloads = [(40, PIECE); 17];
    payloads[16].0 = 1;
    let turns = order(16, &payloads).await;
    assert_eq!(turns.iter().position(|&number| number == 16), Some(16 * 16));
    // Side by side they come forward alike, whatever is pushed first.
    let turns = order(2, &[(20, PIECE), (20, PIECE)]).await;
    let pairs: Vec<_> = turns.chunks(2).map(|pair| pair[0] + pair[1]).collect();
    assert_eq!(pairs, [1; 20]);
}

#[tokio::test]
async fn a_long_piece_lets_short_payloads_pass() {
    for lanes in [1, 16] {
        let order = order(lanes, &[(1, 20_000_000), (1, 100), (2, PIECE)]).await;
        assert_eq!(order.last(), Some(&0), "{order:?}");
    }
}

/// What many receivers at once may hold does not grow as they do.
#[tokio::test]
async fn payloads_that_share_a_thread_share_its_bytes() {
    let pool = pool(1, 16);
    let (mut holding, end) = hold(&pool);
    let mut hashes: Vec<_> = (0..40).map(|_| (OffloadedHash::new(&pool), Vec::new())).collect();
    for (hash, pushed) in &mut hashes {
        pushed.push(Bytes::from(vec![7; PIECE]));
        hash.push(pushed[0].clone());
    }
    for (hash, pushed) in &mut hashes {
        while hash.ready().now_or_never().is_some() {
            pushed.push(Bytes::from(vec![7; PIECE]));
            hash.push(pushed.last().unwrap().clone());
        }
        assert_eq!(held(pushed), 2 * PIECE);
    }
    drop(end);
    // Whoever waits for room is woken, also where fewer share the thread by then.
    let whole = join_all(hashes.iter_mut().map(|(hash, pushed)| async move {
        for _ in 0..30 {
            outcome(hash.ready()).await.unwrap();
            pushed.push(Bytes::from(vec![7; PIECE]));
            hash.push(pushed.last().unwrap().clone());
        }
        assert_eq!(hash.finish().await, sha2(&pushed.concat()));
    }));
    whole.await;
    holding.finish().await;
}

fn bomb() -> Bytes {
    Bytes::from_owner(Bomb(payload(0, PIECE)))
}

#[tokio::test]
async fn a_panic_in_a_batch_fails_its_payload_and_no_other() {
    let pool = pool(1, 16);
    let (mut holding, end) = hold(&pool);
    let mut hashes: Vec<_> = (0..48).map(|_| OffloadedHash::new(&pool)).collect();
    let pieces = |number| (0..3).map(move |part| payload(number + part, PIECE - number));
    for (number, hash) in hashes.iter_mut().enumerate() {
        for (part, piece) in pieces(number).enumerate() {
            // The first, the middle or the last piece of every third one.
            let fails = number % 3 == 0 && number / 3 % 3 == part;
            hash.push(if fails { bomb() } else { piece.into() });
        }
    }
    drop(end);
    for (number, hash) in hashes.iter_mut().enumerate() {
        let whole: Vec<u8> = pieces(number).flatten().collect();
        let expected = if number % 3 == 0 { Err(PANIC.to_owned()) } else { Ok(sha2(&whole)) };
        assert_eq!(outcome(hash.finish()).await, expected, "{number}");
    }
    holding.finish().await;
    assert_hashes(&pool).await;
}

/// A waker that panics when it is called.
struct Fuse(AtomicBool);

impl Wake for Fuse {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
        std::panic::panic_any(PANIC);
    }
}

/// The piece that comes next panics when it goes: were it dropped by the first panic, the process
/// would end.
#[tokio::test]
async fn a_waker_and_the_next_piece_may_both_panic() {
    for lanes in [1, 16] {
        let pool = pool(1, lanes);
        let (mut failing, end) = hold(&pool);
        let mut other = OffloadedHash::new(&pool);
        other.push(payload(1, PIECE).into());
        failing.push(bomb());
        let fuse = Arc::new(Fuse(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&fuse));
        assert!(pin!(failing.finish()).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(end);
        assert_eq!(outcome(other.finish()).await, Ok(sha2(&payload(1, PIECE))));
        assert_hashes(&pool).await;
        assert!(fuse.0.load(Ordering::SeqCst));
        assert_eq!(outcome(failing.finish()).await, Err(PANIC.to_owned()));
    }
}

#[test]
fn a_pool_that_goes_gives_back_what_waits() {
    let pieces: Vec<_> = (0..60).map(|number| Bytes::from(payload(number, PIECE))).collect();
    {
        let pool = pool(1, 16);
        let (_holding, _end) = hold(&pool);
        for pieces in pieces.chunks(3) {
            let mut hash = OffloadedHash::new(&pool);
            for piece in pieces {
                hash.push(piece.clone());
            }
        }
    }
    for _ in 0..10_000 {
        if held(&pieces) == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("a thread holds on to {} bytes", held(&pieces));
}
