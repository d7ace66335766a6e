//! The frames of a connection are taken once, however reads cut them and wherever they are hashed.

use framesign::PayloadHash;
use framesign::{
    SigningOptions,
    codec::{
        CodecError, FrameStream, OffloadedRead, ReplayGuarded, VerifyingCodec, VerifyingEvent,
    },
    offload::HashPool,
    replay::{Outage, ReplayGuard},
    sign_head,
    verify::{Claim, Policy},
};
use futures_util::{FutureExt, StreamExt};
use tokio_util::codec::FramedRead;

use super::{reads::Reads, verifying::Keys};
use crate::{
    once::{
        PAYLOAD, claimed, key, now,
        recorder::{Fate, Recorder},
        unclaimed,
    },
    support::{Numbers, head_len, random_chunks},
};

fn codec(keys: Keys) -> VerifyingCodec {
    let codec = match keys {
        Keys::LookedUp => VerifyingCodec::new(Policy::default(), |_: &Claim| vec![key()]),
        Keys::PerFrame => VerifyingCodec::with_keys_per_frame(Policy::default()),
    };
    codec.clock(now)
}

fn guard(store: &Recorder) -> ReplayGuard {
    ReplayGuard::new(store.clone(), Outage::Refuse).clock(now)
}

/// A frame without payload.
fn empty() -> Vec<u8> {
    let head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    sign_head(head, &key(), PayloadHash::of(b""), now(), &SigningOptions::default()).unwrap()
}

/// What a connection yields: heads, whole payloads, proofs; and the status of its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Yielded {
    heads: usize,
    bytes: usize,
    verified: usize,
    refused: Option<u16>,
}

async fn read<F>(mut frames: F, keys: Keys) -> Yielded
where
    F: FrameStream<Codec = VerifyingCodec> + Unpin,
{
    let mut yielded = Yielded::default();
    while let Some(event) = frames.next().await {
        match event {
            Ok(VerifyingEvent::Head(..)) => {
                yielded.heads += 1;
                if keys == Keys::PerFrame {
                    frames.decoder_mut().provide(vec![key()]).unwrap();
                }
            }
            Ok(VerifyingEvent::Data(data)) => yielded.bytes += data.len(),
            Ok(VerifyingEvent::Verified(_)) => yielded.verified += 1,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                yielded.refused = error.status();
                assert!(frames.next().await.is_none(), "what follows an error");
            }
        }
    }
    yielded
}

/// Reads `input` in chunks of all kinds, each time with a store of its own.
async fn in_all_ways(input: &[u8], keys: Keys, mut check: impl FnMut(Yielded, &Recorder)) {
    let pool = HashPool::new(1.try_into().unwrap()).unwrap();
    let mut numbers = Numbers::new(input.len() as u64);
    let mut ways = vec![vec![input], input.chunks(1).collect()];
    ways.extend([3, 40].map(|most| random_chunks(input, most, &mut numbers)));
    ways.extend((0..=input.len()).step_by(5).map(|cut| vec![&input[..cut], &input[cut..]]));
    for reads in ways {
        let store = Recorder::new();
        let frames = FramedRead::new(Reads::new(reads.clone()), codec(keys));
        check(read(ReplayGuarded::new(frames, guard(&store)), keys).await, &store);
        let store = Recorder::new();
        let frames = OffloadedRead::new(Reads::new(reads), codec(keys), &pool);
        check(read(ReplayGuarded::new(frames, guard(&store)), keys).await, &store);
    }
}

#[tokio::test]
async fn a_frame_that_comes_again_ends_the_connection() {
    for keys in [Keys::LookedUp, Keys::PerFrame] {
        for frame in [claimed("/"), unclaimed("/"), empty()] {
            let other = claimed("/other");
            let is_empty = frame.starts_with(b"GET");
            let input = [&frame[..], &other, &frame, &other].concat();
            in_all_ways(&input, keys, |yielded, store| {
                assert_eq!((yielded.verified, yielded.refused), (2, Some(409)));
                // Of the one that came before nothing whole is yielded, and no proven head.
                let whole = PAYLOAD.len() * if is_empty { 1 } else { 2 };
                assert!((whole..whole + PAYLOAD.len()).contains(&yielded.bytes), "{yielded:?}");
                let is_proven = frame == other || is_empty || frame_claims(&frame);
                let head_waits = keys == Keys::LookedUp && is_proven;
                assert_eq!(yielded.heads, if head_waits { 2 } else { 3 }, "{keys:?}");
                assert_eq!(store.len(), 2);
            })
            .await;
        }
    }
}

fn frame_claims(frame: &[u8]) -> bool {
    frame.windows(14).any(|bytes| bytes.eq_ignore_ascii_case(b"content-digest"))
}

#[tokio::test]
async fn a_frame_that_is_cut_anywhere_leaves_nothing_behind() {
    for keys in [Keys::LookedUp, Keys::PerFrame] {
        for frame in [claimed("/"), unclaimed("/")] {
            let store = Recorder::new();
            for cut in 1..frame.len() {
                let frames = FramedRead::new(&frame[..cut], codec(keys));
                let yielded = read(ReplayGuarded::new(frames, guard(&store)), keys).await;
                assert_eq!((yielded.verified, yielded.refused), (0, Some(400)), "cut at {cut}");
                assert_eq!(store.len(), 0, "cut at {cut}");
            }
            let frames = FramedRead::new(&frame[..], codec(keys));
            let yielded = read(ReplayGuarded::new(frames, guard(&store)), keys).await;
            assert_eq!((yielded.verified, store.len()), (1, 1));
        }
    }
}

#[tokio::test]
async fn a_forged_frame_asks_the_store_for_nothing() {
    for keys in [Keys::LookedUp, Keys::PerFrame] {
        for frame in [claimed("/x"), unclaimed("/x")] {
            let mut forged = frame.clone();
            forged[5] ^= 1;
            let store = Recorder::new();
            let frames = FramedRead::new(&forged[..], codec(keys));
            let yielded = read(ReplayGuarded::new(frames, guard(&store)), keys).await;
            assert_eq!((yielded.refused, store.calls()), (Some(401), vec![]));
            // Another payload than the claimed one is known at the end alone.
            let mut forged = frame.clone();
            *forged.last_mut().unwrap() ^= 1;
            let frames = FramedRead::new(&forged[..], codec(keys));
            let yielded = read(ReplayGuarded::new(frames, guard(&store)), keys).await;
            assert_eq!((yielded.refused, store.len()), (Some(401), 0));
            assert_eq!(yielded.bytes, 0);
        }
    }
}

/// Whoever keeps a stream that has ended keeps nothing of the frame from being sent again.
#[tokio::test]
async fn a_refused_frame_is_released_before_the_stream_is_dropped() {
    let mut forged = claimed("/");
    *forged.last_mut().unwrap() ^= 1;
    let store = Recorder::new();
    let frames = FramedRead::new(&forged[..], codec(Keys::LookedUp));
    let mut frames = ReplayGuarded::new(frames, guard(&store));
    let Some(Ok(VerifyingEvent::Head(..))) = frames.next().await else { panic!("a head") };
    assert_eq!(store.len(), 1);
    let refused = loop {
        if let Err(error) = frames.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!((refused.status(), store.len()), (Some(401), 0));
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn a_store_that_is_away_ends_the_connection_with_503() {
    for (frame, fates) in [
        (claimed("/"), &[Fate::Fails][..]),
        (claimed("/"), &[Fate::Answers, Fate::Fails]),
        (unclaimed("/"), &[Fate::Fails]),
    ] {
        let store = Recorder::with_fates(fates.to_vec());
        let frames = FramedRead::new(&frame[..], codec(Keys::LookedUp));
        let mut frames = ReplayGuarded::new(frames, guard(&store));
        let error = loop {
            match frames.next().await.unwrap() {
                Ok(event) => assert!(matches!(event, VerifyingEvent::Head(..)), "{event:?}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, CodecError::Unavailable(_)), "{error:?}");
        assert!(error.http1_response().unwrap().starts_with(b"HTTP/1.1 503 "));
        assert_eq!(store.len(), 0);
    }
}

#[tokio::test]
async fn a_connection_that_is_dropped_releases_what_it_holds() {
    let frame = claimed("/");
    for fates in [vec![], vec![Fate::Hangs], vec![Fate::Answers, Fate::Hangs]] {
        let store = Recorder::with_fates(fates.clone());
        let head = head_len(&frame);
        // Nothing more comes, and no end either.
        let end = if fates.len() == 2 { frame.len() } else { head + 2 };
        let (client, server) = tokio::io::duplex(1024);
        let mut client = client;
        tokio::io::AsyncWriteExt::write_all(&mut client, &frame[..end]).await.unwrap();
        let mut frames =
            ReplayGuarded::new(FramedRead::new(server, codec(Keys::LookedUp)), guard(&store));
        while let Some(event) = frames.next().now_or_never() {
            event.unwrap().unwrap();
        }
        assert_eq!(store.len(), 1, "{fates:?}");
        drop(frames);
        assert_eq!(store.len(), 0, "{fates:?}");
    }
}

#[test]
fn a_connection_can_be_sent_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<ReplayGuarded<FramedRead<tokio::io::DuplexStream, VerifyingCodec>>>();
}
