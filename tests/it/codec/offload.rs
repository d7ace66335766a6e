//! Hashing beside receiving gives what hashing in place gives.

use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
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
    codec::{CodecError, ConnectionState, FrameCodec, OffloadedRead, SigningCodec, SigningEvent},
    io::{SigningReader, SigningStream},
    offload::{HashPool, OffloadedHash},
};
use futures_util::{FutureExt, Stream, StreamExt, stream};
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
pub(super) fn held(pieces: &[Bytes]) -> usize {
    pieces.iter().filter(|piece| !piece.is_unique()).map(Bytes::len).sum()
}

/// Pieces that come much faster than they are hashed.
fn pieces() -> impl Iterator<Item = Bytes> {
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

#[tokio::test]
async fn a_connection_waits_for_room_in_the_queue() {
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 400 * PIECE);
    let input = [head.into_bytes(), vec![7; 400 * PIECE]].concat();
    let frames = OffloadedRead::new(&input[..], SigningCodec::new(key()), &pool(1));
    assert_waits_for_room(frames, |event| match event {
        SigningEvent::Data(data) => Some(data),
        _ => None,
    })
    .await;
}

async fn assert_waits_for_room<D: FrameCodec>(
    mut frames: OffloadedRead<&[u8], D>,
    data: impl Fn(D::Item) -> Option<Bytes>,
) {
    let mut handed_on = Vec::new();
    while let Some(event) = frames.next().await {
        if let Some(data) = data(event.unwrap()) {
            handed_on.push(data);
            // The read buffer shares its memory with the last piece.
            let most = held(&handed_on);
            assert!(most <= OffloadedHash::LIMIT + 2 * PIECE, "{most}");
        }
    }
    assert_eq!(handed_on.iter().map(Bytes::len).sum::<usize>(), 400 * PIECE);
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
    let head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    looks_of(SigningCodec::new(key()), pool, head, payload).await
}

async fn looks_of<D: FrameCodec<Item: std::fmt::Debug>>(
    codec: D,
    pool: &HashPool,
    head: &[u8],
    payload: &[u8],
) -> usize {
    let (mut peer, socket) = tokio::io::duplex(1024 * KIB);
    peer.write_all(head).await.unwrap();
    peer.write_all(payload).await.unwrap();
    let mut frames = pin!(OffloadedRead::new(socket, codec, pool));
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

/// So that its end, which decides of the connection, is known with it.
#[tokio::test]
async fn the_last_piece_of_a_frame_waits_for_its_hash() {
    let pool = pool(1);
    let (end, until) = mpsc::channel();
    let mut busy = OffloadedHash::new(&pool);
    busy.push(Bytes::from_owner(Held(payload(PIECE), until)));
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 4 * PIECE);
    let input = [head.as_bytes(), &payload(4 * PIECE)].concat();
    let mut frames = OffloadedRead::new(&input[..], SigningCodec::new(key()), &pool);
    let (mut received, mut is_signed) = (0, false);
    let mut take = |event| match event {
        SigningEvent::Data(data) => received += data.len(),
        SigningEvent::Signed(_) => is_signed = true,
        _ => {}
    };
    while let Some(Some(event)) = frames.next().now_or_never() {
        take(event.unwrap());
    }
    drop(end);
    let before = frames.next().await.unwrap().unwrap();
    assert!(matches!(before, SigningEvent::Data(_)), "{before:?}");
    take(before);
    while let Some(event) = frames.next().await {
        take(event.unwrap());
    }
    assert_eq!((received, is_signed), (4 * PIECE, true));
    assert_eq!(busy.finish().await, PayloadHash::of(&payload(PIECE)));
}

#[cfg(feature = "verify")]
mod verifying {
    use std::time::{Duration, SystemTime};

    use framesign::{
        Credentials, SigningDate, SigningKey, SigningOptions,
        codec::{VerifyingCodec, VerifyingEvent},
        sign_head,
        verify::{Claim, Policy},
    };

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_900_000)
    }

    fn key() -> SigningKey {
        let credentials = Credentials::new("access", "secret").unwrap();
        SigningKey::derive(&credentials, SigningDate::of(now()))
    }

    fn head(payload: &[u8]) -> Vec<u8> {
        let len = payload.len();
        let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
        let options = SigningOptions::default();
        sign_head(head.as_bytes(), &key(), PayloadHash::of(payload), now(), &options).unwrap()
    }

    fn codec() -> VerifyingCodec {
        VerifyingCodec::new(Policy::default(), |_: &Claim| vec![key()]).clock(now)
    }

    #[tokio::test]
    async fn a_connection_waits_for_room_in_the_queue() {
        let payload = vec![7; 400 * PIECE];
        let input = [head(&payload), payload].concat();
        let frames = OffloadedRead::new(&input[..], codec(), &pool(1));
        assert_waits_for_room(frames, |event| match event {
            VerifyingEvent::Data(data) => Some(data),
            _ => None,
        })
        .await;
    }

    #[tokio::test]
    async fn a_task_looks_for_more_while_a_thread_hashes_but_not_for_ever() {
        let (pool, payload) = (pool(1), payload(901 * KIB));
        let (head, mut most) = (head(&payload), 0);
        // The thread may be done before the task asks.
        for _ in 0..100 {
            most = most.max(looks_of(codec(), &pool, &head, &payload[..900 * KIB]).await);
        }
        assert_eq!(most, 128);
        assert_eq!(looks_of(codec(), &pool, &head, &payload[..100]).await, 0);
    }
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
            Ok(SigningEvent::Head(head)) => {
                frames.push(Frame::new(head.bytes()));
            }
            Ok(SigningEvent::Data(data)) => {
                frames.last_mut().unwrap().payload.extend_from_slice(&data);
            }
            Ok(SigningEvent::Signed(signature)) => {
                frames.last_mut().unwrap().signature = Some(signature);
            }
            Err(CodecError::Frame(error)) => failed = Some(error),
            other => panic!("{other:?}"),
        }
        if !matches!(stream.decoder().state(), ConnectionState::Open | ConnectionState::Failed) {
            break;
        }
    }
    let state = stream.decoder().state();
    let parts = stream.into_parts();
    let rest = if failed.is_none() { parts.read_buf.to_vec() } else { Vec::new() };
    Outcome { frames, end: failed.map_or(Ok(state), Err), rest }
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
