//! The piece with the last byte of a payload comes when the frame has passed, wherever it is hashed.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::BytesMut;
use framesign::{
    Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions,
    codec::{
        CodecError, CodecMisuse, ConnectionState, FrameStream, OffloadedRead, SigningCodec,
        SigningEvent, VerifyingCodec, VerifyingEvent,
    },
    offload::HashPool,
    sign_head,
    verify::{Claim, Policy, Reason},
};
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_util::codec::{Decoder, FramedRead};

use super::{
    reads::Reads,
    verifying::{Keys, valid},
};
use crate::{
    signed::Case,
    stages::key,
    support::{Numbers, content_digest, head_len, random_chunks},
};

/// What is known of one frame after another: its payload, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Yielded {
    payload: Vec<u8>,
    /// The access key that it was verified for, or why it was not; `None` if neither came.
    end: Option<Result<Vec<u8>, String>>,
}

/// Everything that `frames` yield, with what must hold of each event.
async fn read<S>(mut frames: S) -> Vec<Yielded>
where
    S: FrameStream<Codec = VerifyingCodec> + Unpin,
{
    let mut yielded: Vec<Yielded> = Vec::new();
    let mut remaining = 0;
    while let Some(event) = frames.next().await {
        match event {
            Ok(VerifyingEvent::Head(head, _)) => {
                remaining = head.head().content_length().unwrap_or_default();
                yielded.push(Yielded { payload: Vec::new(), end: None });
                assert_eq!(frames.decoder().state(), ConnectionState::Open);
            }
            Ok(VerifyingEvent::Data(data)) => {
                assert!(!data.is_empty());
                remaining -= data.len() as u64;
                yielded.last_mut().unwrap().payload.extend_from_slice(&data);
                // The frame has not ended for who asks after each event.
                assert_eq!(frames.decoder().state(), ConnectionState::Open);
                assert_eq!(
                    frames.decoder_mut().provide(Vec::new()),
                    Err(CodecMisuse::UnaskedKey),
                    "keys cannot change any more"
                );
            }
            Ok(VerifyingEvent::Verified(by)) => {
                assert_eq!(remaining, 0);
                yielded.last_mut().unwrap().end = Some(Ok(by.access_key().to_vec()));
            }
            Ok(other) => panic!("{other:?}"),
            Err(CodecError::Refused(refusal)) => {
                if let Some(frame) = yielded.last_mut().filter(|frame| frame.end.is_none()) {
                    // Of a frame without payload there is nothing to yield.
                    let is_held_back = remaining > 0 || frame.payload.is_empty();
                    assert!(is_held_back, "a refused payload was yielded whole");
                    frame.end = Some(Err(refusal.reason().to_string()));
                } else {
                    let end = Some(Err(refusal.reason().to_string()));
                    yielded.push(Yielded { payload: Vec::new(), end });
                }
                assert_eq!(frames.decoder().state(), ConnectionState::Failed);
                assert!(frames.next().await.is_none(), "what follows an error");
                return yielded;
            }
            Err(other) => panic!("{other}"),
        }
    }
    yielded
}

/// The same wherever payloads are hashed and however reads cut `input`.
async fn read_in_all_ways(
    pool: &HashPool,
    codec: impl Fn() -> VerifyingCodec,
    input: &[u8],
) -> Vec<Yielded> {
    let mut numbers = Numbers::new(input.len() as u64);
    let mut ways = vec![vec![input], input.chunks(1).collect()];
    ways.extend([2, 7, 40].map(|most| random_chunks(input, most, &mut numbers)));
    let cuts = (0..=input.len()).step_by((input.len() / 200).max(1));
    ways.extend(cuts.map(|cut| vec![&input[..cut], &input[cut..]]));
    let mut whole = None;
    for reads in ways {
        let framed = read(FramedRead::new(Reads::new(reads.clone()), codec())).await;
        let offloaded = read(OffloadedRead::new(Reads::new(reads), codec(), pool)).await;
        assert_eq!(ends(&offloaded), ends(&framed));
        let whole = whole.get_or_insert_with(|| ends(&framed));
        assert_eq!(ends(&framed), *whole);
        // A refused payload is yielded as far as reads went; a verified one whole.
        for (framed, offloaded) in framed.iter().zip(&offloaded) {
            if let Some(Ok(_)) = framed.end {
                assert_eq!(framed, offloaded);
            }
        }
    }
    read(FramedRead::new(input, codec())).await
}

fn ends(yielded: &[Yielded]) -> Vec<Option<Result<Vec<u8>, String>>> {
    yielded.iter().map(|frame| frame.end.clone()).collect()
}

#[tokio::test]
async fn a_refused_payload_is_never_yielded_whole() {
    let pool = HashPool::new(1.try_into().unwrap()).unwrap();
    let mut refused = 0;
    for case in Case::all().into_iter().map(Arc::new) {
        let input = case.frame_alone();
        let frames = read_in_all_ways(&pool, || case.codec(Keys::LookedUp), input).await;
        let payload = &input[head_len(input)..];
        for frame in &frames {
            let is_verified = matches!(frame.end, Some(Ok(_)));
            // More may follow the frame.
            assert!(payload.starts_with(&frame.payload), "{}", case.name);
            refused += usize::from(!is_verified);
        }
    }
    assert!(refused > 40, "{refused}");
}

fn now() -> std::time::SystemTime {
    valid().now
}

fn credentials() -> Credentials {
    Credentials::new("access", "secret").unwrap()
}

/// A signed frame of `access`, with these fields.
fn signed(fields: &str, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{fields}\r\n");
    let date = SigningDate::of(now());
    let key = SigningKey::derive(&credentials(), date);
    let (hash, options) =
        (PayloadHash::of(payload), SigningOptions::default().without_content_digest());
    let head = sign_head(head.as_bytes(), &key, hash, now(), &options).unwrap();
    [&head, payload].concat()
}

fn codec() -> VerifyingCodec {
    let keys = |claim: &Claim| vec![SigningKey::derive(&credentials(), claim.date())];
    VerifyingCodec::new(Policy::default(), keys).clock(now)
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Large enough for threads to hash them, in pieces that are.
#[tokio::test]
async fn large_payloads_are_yielded_whole_if_they_pass() {
    let pool = HashPool::new(2.try_into().unwrap()).unwrap();
    let payload = payload(900_000);
    let digest = format!("Content-Digest: {}\r\n", content_digest(&payload));
    for (fields, reason) in [("", "signature"), (digest.as_str(), "digest")] {
        let right = signed(fields, &payload);
        let mut wrong = right.clone();
        *wrong.last_mut().unwrap() ^= 1;
        let input = [&right[..], &right, &wrong].concat();
        for most in [20_000, 300_000, 5_000_000] {
            let mut numbers = Numbers::new(most as u64);
            let reads = random_chunks(&input, most, &mut numbers);
            let framed = read(FramedRead::new(Reads::new(reads.clone()), codec())).await;
            let offloaded = read(OffloadedRead::new(Reads::new(reads), codec(), &pool)).await;
            for frames in [framed, offloaded] {
                let [first, second, third] = &frames[..] else { panic!("{}", frames.len()) };
                assert!(first.payload == payload && second.payload == payload);
                assert_eq!(first.end, Some(Ok(b"access".to_vec())));
                assert!(third.payload.len() < payload.len());
                assert_eq!(third.end, Some(Err(reason.to_owned())));
            }
        }
    }
}

/// Whoever looks at the state after each event must not miss the end of the last frame.
#[tokio::test]
async fn a_frame_has_not_ended_before_its_end_is_yielded() {
    let pool = HashPool::new(1.try_into().unwrap()).unwrap();
    let long = payload(100_000);
    for (fields, state) in [
        ("Connection: close\r\n", ConnectionState::MustClose),
        ("Connection: upgrade\r\nUpgrade: h2c\r\n", ConnectionState::UpgradePending),
    ] {
        for payload in [&b""[..], b"hello", &long] {
            let frame = signed(fields, payload);
            assert_ends(FramedRead::new(&frame[..], codec()), state).await;
            assert_ends(OffloadedRead::new(&frame[..], codec(), &pool), state).await;
        }
    }
}

async fn assert_ends<S>(mut frames: S, state: ConnectionState)
where
    S: FrameStream<Codec = VerifyingCodec> + Unpin,
{
    let mut is_verified = false;
    while let Some(event) = frames.next().await {
        is_verified |= matches!(event.unwrap(), VerifyingEvent::Verified(_));
        if frames.decoder().state() != ConnectionState::Open {
            break;
        }
    }
    assert!(is_verified);
    assert_eq!(frames.decoder().state(), state);
}

/// A connection is taken over by another protocol without the loss of a byte, wherever the reads
/// end.
#[tokio::test]
async fn bytes_behind_an_upgrade_are_handed_over() {
    let pool = HashPool::new(1.try_into().unwrap()).unwrap();
    let rest = b"another protocol";
    let frame = signed("Connection: upgrade\r\nUpgrade: h2c\r\n", b"hello");
    let input = [&frame[..], rest].concat();
    let mut numbers = Numbers::new(7);
    let cut = |at| [&input[..at], &input[at..]].to_vec();
    let mut cuts: Vec<_> = (0..=input.len()).map(cut).collect();
    cuts.push(input.chunks(1).collect());
    cuts.extend((0..20).map(|_| random_chunks(&input, 60, &mut numbers)));
    for reads in cuts {
        let framed = FramedRead::new(Reads::new(reads.clone()), codec());
        assert_eq!(take_over(framed).await, rest);
        let offloaded = OffloadedRead::new(Reads::new(reads), codec(), &pool);
        assert_eq!(take_over(offloaded).await, rest);
    }
}

#[tokio::test]
async fn a_frame_behind_an_upgrade_is_verified_if_the_connection_stays_http() {
    let (first, next) =
        (signed("Connection: upgrade\r\nUpgrade: h2c\r\n", b"hello"), signed("", b"hello"));
    let input = [first, next].concat();
    let mut frames = FramedRead::new(&input[..], codec());
    let mut verified = 0;
    loop {
        match frames.next().await {
            Some(Ok(VerifyingEvent::Verified(_))) => verified += 1,
            Some(Ok(_)) => {}
            Some(Err(CodecError::Misuse(CodecMisuse::Upgrade))) => frames.decoder_mut().resume(),
            Some(Err(error)) => panic!("{error}"),
            // `FramedRead` ends once behind any error.
            None if verified == 1 => {}
            None => break,
        }
    }
    assert_eq!(verified, 2);
}

/// Everything that follows the frame which asks for another protocol.
async fn take_over<S>(mut frames: S) -> Vec<u8>
where
    S: FrameStream<Reader = Reads, Codec = VerifyingCodec> + Unpin,
{
    while frames.decoder().state() == ConnectionState::Open {
        frames.next().await.unwrap().unwrap();
    }
    let mut parts = frames.into_parts();
    assert_eq!(parts.codec.state(), ConnectionState::UpgradePending);
    let mut rest = parts.read_buf.to_vec();
    parts.io.read_to_end(&mut rest).await.unwrap();
    rest
}

#[tokio::test]
async fn frames_that_are_signed_keep_the_order_of_their_events() {
    let pool = HashPool::new(1.try_into().unwrap()).unwrap();
    let head = b"PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n";
    let frame = [&head[..], &payload(100_000)].concat();
    assert_order(FramedRead::new(&frame[..], SigningCodec::new(key()))).await;
    assert_order(OffloadedRead::new(&frame[..], SigningCodec::new(key()), &pool)).await;
}

async fn assert_order<S>(mut frames: S)
where
    S: FrameStream<Codec = SigningCodec> + Unpin,
{
    let mut remaining = 0;
    while let Some(event) = frames.next().await {
        match event.unwrap() {
            SigningEvent::Head(_) => remaining = 100_000,
            SigningEvent::Data(data) => remaining -= data.len(),
            SigningEvent::Signed(_) => {
                assert_eq!((remaining, frames.decoder().state()), (0, ConnectionState::MustClose));
                return;
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(frames.decoder().state(), ConnectionState::Open);
    }
    panic!("it is not signed");
}

/// The last piece of one frame and the beginning of the next in one buffer.
#[test]
fn the_last_piece_lies_where_it_was_received() {
    let frame = signed("", b"hello");
    let mut buffer = BytesMut::from(&[&frame[..], &frame].concat()[..]);
    let place = buffer.as_ptr().addr();
    let mut codec = codec();
    for number in 0..2 {
        assert!(matches!(codec.decode(&mut buffer), Ok(Some(VerifyingEvent::Head(..)))));
        let Ok(Some(VerifyingEvent::Data(data))) = codec.decode(&mut buffer) else { panic!() };
        assert_eq!(data, "hello");
        assert_eq!(data.as_ptr().addr(), place + (number + 1) * frame.len() - 5);
        assert!(matches!(codec.decode(&mut buffer), Ok(Some(VerifyingEvent::Verified(_)))));
    }
    assert!(matches!(codec.decode(&mut buffer), Ok(None)));
}

/// Fails as soon as it is read.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

#[tokio::test]
async fn an_error_has_a_status_if_it_is_the_fault_of_the_peer() {
    let mut frames = FramedRead::new(Broken, codec());
    let error = frames.next().await.unwrap().unwrap_err();
    assert!(matches!(error, CodecError::Io(_)));
    assert_eq!((error.status(), error.http1_response()), (None, None));
    let error = CodecError::from(CodecMisuse::NoKey);
    assert_eq!((error.status(), error.http1_response()), (None, None));

    let mut forged = signed("", b"hello");
    *forged.last_mut().unwrap() ^= 1;
    let mut frames = FramedRead::new(&forged[..], codec());
    let error = loop {
        if let Err(error) = frames.next().await.unwrap() {
            break error;
        }
    };
    let CodecError::Refused(refusal) = &error else { panic!("{error}") };
    assert_eq!(refusal.reason(), Reason::Signature);
    assert_eq!(error.status(), Some(401));
    assert_eq!(error.http1_response(), Some(refusal.http1_response()));

    let mut frames = FramedRead::new(&b"GET / HTTP/1.1\r\n\r\n"[..], SigningCodec::new(key()));
    let error = frames.next().await.unwrap().unwrap_err();
    assert_eq!(error.status(), Some(400));
    let response = error.http1_response().unwrap();
    assert!(response.starts_with(b"HTTP/1.1 400 Bad Request\r\ncontent-type: "));
    assert!(response.ends_with(br#"{"type":"about:blank","title":"Bad Request","status":400}"#));
}
