//! Hashing beside receiving gives what hashing in place gives, in bounded memory.

use std::sync::mpsc;

use bytes::Bytes;
use framesign::{
    PayloadHash, Signer,
    io::SigningStream,
    offload::{HashPool, OffloadedHash},
};
use futures_util::{FutureExt, StreamExt, stream};

use crate::{
    stages::key,
    support::{Held, Numbers, random_chunks},
};

pub(super) const KIB: usize = 1024;

pub(super) fn pool(threads: usize) -> HashPool {
    HashPool::new(threads.try_into().unwrap()).unwrap()
}

pub(super) fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[tokio::test]
async fn pieces_are_hashed_in_their_order() {
    let pool = pool(3);
    let mut hash = OffloadedHash::new(&pool);
    let mut numbers = Numbers::new(1);
    for round in 0..60 {
        let payload = payload(numbers.below(3_000_000));
        for piece in random_chunks(&payload, [100_000, 20_000, 1_000_000][round % 3], &mut numbers)
        {
            hash.ready().await;
            hash.push(Bytes::copy_from_slice(piece));
        }
        assert_eq!(hash.finish().await, PayloadHash::of(&payload), "{} bytes", payload.len());
    }
}

/// Many payloads on fewer threads: each has its turn.
#[tokio::test(flavor = "multi_thread")]
async fn payloads_share_the_threads() {
    let pool = pool(2);
    let payloads = (0..20).map(|number| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let payload = payload(1_000_000 + number);
            let mut hash = OffloadedHash::new(&pool);
            for piece in payload.chunks(50_000) {
                hash.ready().await;
                hash.push(Bytes::copy_from_slice(piece));
            }
            assert_eq!(hash.finish().await, PayloadHash::of(&payload));
        })
    });
    for payload in payloads.collect::<Vec<_>>() {
        payload.await.unwrap();
    }
}

pub(super) const PIECE: usize = 64 * KIB;

/// The bytes of the pieces that somebody else holds on to.
pub(super) fn held(pieces: &[Bytes]) -> usize {
    pieces.iter().filter(|piece| !piece.is_unique()).map(Bytes::len).sum()
}

/// Pieces that come much faster than they are hashed.
pub(super) fn pieces() -> impl Iterator<Item = Bytes> {
    (0..400).map(|_| vec![7; PIECE].into())
}

/// Waking a thread takes as long as hashing a few kilobytes.
#[tokio::test]
async fn a_small_piece_is_hashed_at_once() {
    let pool = pool(1);
    for (len, is_at_once) in [(1, true), (16 * KIB - 1, true), (16 * KIB, false)] {
        let (end, until) = mpsc::channel();
        let mut hash = OffloadedHash::new(&pool);
        let piece: Bytes = if is_at_once {
            payload(len).into()
        } else {
            // The thread has hashed it, and waits for its end.
            Bytes::from_owner(Held(payload(len), until))
        };
        hash.push(piece);
        let found = hash.finish().now_or_never();
        assert_eq!(found.is_some(), is_at_once, "{len}");
        drop(end);
        if found.is_none() {
            assert_eq!(hash.finish().await, PayloadHash::of(&payload(len)));
        }
    }
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let pool = pool(1);
    let mut hash = OffloadedHash::new(&pool);
    let mut pushed = Vec::new();
    for piece in pieces() {
        hash.ready().await;
        hash.push(piece.clone());
        pushed.push(piece);
        assert!(held(&pushed) <= OffloadedHash::LIMIT + PIECE, "{}", held(&pushed));
    }
    assert_eq!(hash.finish().await, PayloadHash::of(&pushed.concat()));
    assert_eq!(held(&pushed), 0);
}

#[tokio::test]
async fn a_stream_waits_for_room_in_the_queue() {
    let head = Bytes::from(format!(
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        400 * PIECE
    ));
    let chunks = stream::iter(std::iter::once(head).chain(pieces()).map(Ok));
    let mut stream = SigningStream::new(chunks, Signer::new(&key())).hash_on(&pool(1));
    let mut handed_on = Vec::new();
    while let Some(chunk) = stream.next().await {
        handed_on.push(chunk.unwrap());
        assert!(held(&handed_on) <= OffloadedHash::LIMIT + PIECE, "{}", held(&handed_on));
    }
    assert!(stream.signature().is_some());
}

#[test]
fn threads_end_with_the_pool() {
    let piece = Bytes::from(vec![0; 64 * KIB]);
    {
        let pool = pool(4);
        let mut hash = OffloadedHash::new(&pool);
        hash.push(piece.clone());
    }
    // Nobody waits for the hash any more; the piece is given back all the same.
    for _ in 0..10_000 {
        if piece.is_unique() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("a thread holds on to a piece");
}
