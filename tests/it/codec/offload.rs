//! Hashing beside receiving gives what hashing in place gives.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
};

use allocation_counter::measure;
use bytes::Bytes;
use framesign::{
    ErrorKind, FrameError, PayloadHash, Signer,
    codec::{
        CodecError, Event, OffloadedRead, SigningCodec, SigningReader, SigningStream, Standing,
    },
    offload::{HashPool, OffloadedHash},
};
use futures_util::{Stream, StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reads::Reads;
use crate::{
    properties::codec::{Frame, Outcome, by_core},
    stages::key,
    support::{Numbers, random_chunks},
};

const KIB: usize = 1024;

fn pool(threads: usize) -> HashPool {
    HashPool::new(threads.try_into().unwrap()).unwrap()
}

fn payload(len: usize) -> Vec<u8> {
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

const PIECE: usize = 64 * KIB;

/// The bytes of the pieces that somebody else holds on to.
fn held(pieces: &[Bytes]) -> usize {
    pieces.iter().filter(|piece| !piece.is_unique()).map(Bytes::len).sum()
}

/// Pieces that come much faster than they are hashed.
fn pieces() -> impl Iterator<Item = Bytes> {
    (0..400).map(|_| vec![7; PIECE].into())
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

#[tokio::test]
async fn a_connection_waits_for_room_in_the_queue() {
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 400 * PIECE);
    let input = [head.into_bytes(), vec![7; 400 * PIECE]].concat();
    let mut frames = OffloadedRead::new(&input[..], SigningCodec::new(key()), &pool(1));
    let mut handed_on = Vec::new();
    while let Some(event) = frames.next().await {
        if let Event::Data(data) = event.unwrap() {
            handed_on.push(data);
            // The read buffer shares its memory with the last piece.
            let most = held(&handed_on);
            assert!(most <= OffloadedHash::LIMIT + 2 * PIECE, "{most}");
        }
    }
    assert_eq!(frames.decoder().standing(), Standing::Ended);
}

/// What is hashed is read into again: otherwise pages would come and go with each piece.
#[tokio::test]
async fn a_long_payload_takes_no_more_memory_than_fills_the_queue() {
    let pool = pool(1);
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 400 * PIECE);
    let input = [head.into_bytes(), vec![7; 400 * PIECE]].concat();
    let mut reader = SigningReader::new(&input[..], Signer::new(&key())).hash_on(&pool);
    let taken = allocated(async {
        let mut frames = OffloadedRead::new(&input[..], SigningCodec::new(key()), &pool);
        while let Some(event) = frames.next().await {
            event.unwrap();
        }
    });
    let copied = allocated(async {
        let mut buffer = vec![0; PIECE];
        while reader.read(&mut buffer).await.unwrap() > 0 {}
    });
    for taken in [taken.await, copied.await] {
        // Some is lost where both sides drop a piece at the same time.
        assert!(taken <= 4 * OffloadedHash::LIMIT as u64, "{taken}");
    }
}

/// Memory whose end holds up the thread that hashed it.
struct Held(Vec<u8>, mpsc::Receiver<()>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        assert!(self.1.recv().is_err(), "nothing is sent, but the sender goes");
    }
}

/// How often a task is woken that has received `payload` and waits for more of it.
async fn looks(pool: &HashPool, payload: &[u8]) -> usize {
    let (mut peer, socket) = tokio::io::duplex(1024 * KIB);
    peer.write_all(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
    peer.write_all(payload).await.unwrap();
    let mut frames = pin!(OffloadedRead::new(socket, SigningCodec::new(key()), pool));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut looks = 0;
    loop {
        let event = frames.as_mut().poll_next(&mut Context::from_waker(&waker));
        match (event, woken.0.swap(false, Ordering::Relaxed)) {
            (Poll::Ready(event), _) => drop(event.unwrap().unwrap()),
            (Poll::Pending, true) => looks += 1,
            (Poll::Pending, false) => return looks,
        }
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A task that sleeps is slow to wake, and one that never does keeps a core to itself.
#[tokio::test]
async fn a_task_looks_for_more_while_a_thread_hashes_but_not_for_ever() {
    let pool = pool(1);
    let mut most = 0;
    // The thread may be done before the task asks.
    for _ in 0..100 {
        most = most.max(looks(&pool, &payload(900 * KIB)).await);
    }
    assert_eq!(most, 128);
    assert_eq!(looks(&pool, b"a few bytes are hashed at once").await, 0);
}

#[tokio::test]
async fn a_task_sleeps_while_its_payload_waits_for_a_thread() {
    let pool = pool(1);
    let (end, until) = mpsc::channel();
    let mut busy = OffloadedHash::new(&pool);
    busy.push(Bytes::from_owner(Held(payload(PIECE), until)));
    assert_eq!(looks(&pool, &payload(4 * PIECE)).await, 0);
    drop(end);
    busy.finish().await;
}

/// The bytes that this thread allocates until `future` is ready.
async fn allocated(future: impl Future<Output = ()>) -> u64 {
    let (mut future, mut bytes) = (pin!(future), 0);
    poll_fn(|cx| {
        let mut poll = Poll::Pending;
        bytes += measure(|| poll = future.as_mut().poll(cx)).bytes_total;
        poll
    })
    .await;
    bytes
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

async fn run(pool: &HashPool, connection: &[u8], most: usize) -> Outcome {
    let mut numbers = Numbers::new(most as u64);
    let reads = Reads::new(random_chunks(connection, most, &mut numbers));
    let mut stream = OffloadedRead::new(reads, SigningCodec::new(key()), pool);
    let mut frames = Vec::new();
    let mut failed: Option<FrameError> = None;
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Head(head)) => {
                frames.push(Frame::new(head.bytes()));
            }
            Ok(Event::Data(data)) => frames.last_mut().unwrap().payload.extend_from_slice(&data),
            Ok(Event::Signed(signature)) => frames.last_mut().unwrap().signature = Some(signature),
            Err(CodecError::Frame(error)) => failed = Some(error),
            other => panic!("{other:?}"),
        }
        if !matches!(stream.decoder().standing(), Standing::Open | Standing::Failed) {
            break;
        }
    }
    let standing = stream.decoder().standing();
    let parts = stream.into_parts();
    let rest = if failed.is_none() { parts.read_buf.to_vec() } else { Vec::new() };
    Outcome { frames, end: failed.map_or(Ok(standing), Err), rest }
}

#[tokio::test]
async fn an_off_loaded_connection_yields_what_the_core_says_of_it() {
    let pool = pool(2);
    let put = |len: usize| {
        let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
        [head.as_bytes(), &payload(len)].concat()
    };
    let get = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let mut whole = [put(900_000), get.clone(), put(3), put(70_000), put(0), get].concat();
    let rules = framesign::Rules::strict();
    for most in [300, 20_000, 200_000, 5_000_000] {
        assert_eq!(run(&pool, &whole, most).await, by_core(&rules, &whole), "{most}");
    }
    whole.extend_from_slice(&put(500_000)[..400_000]);
    let cut = run(&pool, &whole, 100_000).await;
    assert_eq!(cut.end.as_ref().unwrap_err().kind(), ErrorKind::TruncatedBody);
    assert_eq!(cut, by_core(&rules, &whole));
}
