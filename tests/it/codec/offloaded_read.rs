//! Connections whose payloads are hashed beside receiving: what is waited for, and what comes of them.

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
    codec::{CodecError, ConnectionState, FrameCodec, OffloadedRead, SigningCodec, SigningEvent},
    io::SigningReader,
    offload::{HashPool, OffloadedHash},
};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    offload::{KIB, PIECE, held, payload, pool},
    reads::Reads,
};
use crate::{
    properties::codec::{Frame, Outcome, by_core},
    stages::key,
    support::{Held, Numbers, random_chunks},
};

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

/// A reader that is made anew around a codec, while the payload of its frame is hashed, waits for the hash.
#[tokio::test]
async fn the_end_of_a_frame_is_waited_for_by_another_reader_too() {
    let pool = pool(1);
    let (end, until) = mpsc::channel();
    let mut busy = OffloadedHash::new(&pool);
    busy.push(Bytes::from_owner(Held(payload(PIECE), until)));
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {PIECE}\r\n\r\n");
    let input = [head.into_bytes(), payload(PIECE)].concat();
    let mut frames = OffloadedRead::new(&input[..], SigningCodec::new(key()), &pool);
    let mut context = Context::from_waker(Waker::noop());
    while frames.poll_next_unpin(&mut context).is_ready() {}
    let parts = frames.into_parts();
    assert!(parts.read_buf.is_empty());
    let mut frames = OffloadedRead::new(&b""[..], parts.codec, &pool);
    assert!(frames.poll_next_unpin(&mut context).is_pending());
    drop(end);
    let Some(Ok(SigningEvent::Signed(signature))) = frames.next().await else {
        panic!("expected the signature")
    };
    let mut signer = Signer::new(&key());
    signer.update(&input).unwrap();
    assert_eq!(signature, signer.finish().unwrap());
    busy.finish().await;
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
