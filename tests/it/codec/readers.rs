//! Readers and streams that sign what flows through them.

use std::{
    future::poll_fn,
    io, mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use framesign::{
    ErrorKind, FrameError, PayloadHash, Rules, Signature, Signer,
    io::{SigningReader, SigningStream, sign_reader},
    offload::HashPool,
};
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::reads::Reads;
use crate::{
    published::Vector,
    stages::{key, string_to_sign},
    support::{Numbers, random_chunks},
};

fn pool() -> HashPool {
    HashPool::new(2.try_into().unwrap()).unwrap()
}

/// What was handed on, and what came of it.
type Read = (Vec<u8>, Result<Signature, FrameError>);

fn frame_error(error: &io::Error) -> FrameError {
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    error.get_ref().unwrap().downcast_ref::<FrameError>().unwrap().clone()
}

async fn by_reader(rules: Rules, chunks: Vec<&[u8]>, pool: Option<&HashPool>) -> Read {
    let mut reader = SigningReader::new(Reads::new(chunks), Signer::with_rules(&key(), rules));
    if let Some(pool) = pool {
        reader = reader.hash_on(pool);
    }
    assert_eq!(reader.signature(), None);
    let mut copy = Vec::new();
    let result = reader.read_to_end(&mut copy).await;
    if let Err(error) = &result {
        assert_eq!(reader.signature(), None);
        let again = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(frame_error(&again), frame_error(error));
    }
    (copy, result.map(|_| reader.signature().unwrap()).map_err(|error| frame_error(&error)))
}

async fn by_stream(rules: Rules, chunks: Vec<&[u8]>, pool: Option<&HashPool>) -> Read {
    let chunks: Vec<_> = chunks.into_iter().map(Bytes::copy_from_slice).collect();
    let inner = stream::iter(chunks.clone().into_iter().map(Ok));
    let mut stream = SigningStream::new(inner, Signer::with_rules(&key(), rules));
    if let Some(pool) = pool {
        stream = stream.hash_on(pool);
    }
    let (mut copy, mut sent) = (Vec::new(), chunks.iter());
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => {
                assert_eq!(chunk.as_ptr(), sent.next().unwrap().as_ptr(), "the same bytes");
                copy.extend_from_slice(&chunk);
            }
            Err(error) => return (copy, Err(frame_error(&error))),
        }
    }
    assert!(stream.next().await.is_none());
    (copy, Ok(stream.signature().unwrap()))
}

#[tokio::test]
async fn published_frames_are_handed_on_and_signed_as_the_core_does() {
    let pool = pool();
    for vector in Vector::all() {
        for rules in [Rules::strict(), Rules::lenient()] {
            let expected = string_to_sign(&rules, [&vector.frame[..]]).map(|s| key().sign(&s));
            for most in [1, 9, 70_000] {
                let mut numbers = Numbers::new(most as u64);
                let chunks = random_chunks(&vector.frame, most, &mut numbers);
                for pool in [None, Some(&pool)] {
                    let reads = [
                        by_reader(rules.clone(), chunks.clone(), pool).await,
                        by_stream(rules.clone(), chunks.clone(), pool).await,
                    ];
                    for (copy, result) in reads {
                        assert_eq!(result, expected, "{} {most}", vector.name);
                        assert!(result.is_err() || copy == vector.frame, "{}", vector.name);
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_large_payload_is_signed_in_place_and_elsewhere() {
    let payload: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 253) as u8).collect();
    // Without a length, so that it goes on to the end of the input.
    let frame = [b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n", &payload[..]].concat();
    let rules = Rules::lenient;
    let expected = string_to_sign(&rules(), [&frame[..]]).map(|s| key().sign(&s));
    let pool = pool();
    for pool in [None, Some(&pool)] {
        let chunks = || frame.chunks(100_000).collect();
        assert_eq!(by_reader(rules(), chunks(), pool).await, (frame.clone(), expected.clone()));
        assert_eq!(by_stream(rules(), chunks(), pool).await, (frame.clone(), expected.clone()));
    }
}

#[tokio::test]
async fn a_reader_of_no_room_has_not_ended() {
    let frame = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..];
    let mut reader = SigningReader::new(frame, Signer::new(&key()));
    assert_eq!(reader.read(&mut []).await.unwrap(), 0);
    assert_eq!(reader.signature(), None);
    reader.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(reader.signature().is_some());
    assert_eq!(reader.into_inner(), b"");
}

#[tokio::test]
async fn errors_of_the_source_are_handed_on() {
    let broken = || io::Error::other("broken");
    let chunks = [Ok(Bytes::from_static(b"GET / HT")), Err(broken())];
    let mut stream = SigningStream::new(stream::iter(chunks), Signer::new(&key()));
    stream.next().await.unwrap().unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap_err().to_string(), "broken");
    let error = frame_error(&stream.next().await.unwrap().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::TruncatedHead);
    assert!(stream.next().await.is_none());
}

/// Readers that break their contract: one says that it read more than there was room for, the other
/// takes back what was read before.
#[derive(Default)]
struct Liar {
    has_lied: bool,
}

impl io::Read for Liar {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let has_lied = mem::replace(&mut self.has_lied, true);
        Ok(if has_lied { 0 } else { into.len() + 1 })
    }
}

impl AsyncRead for Liar {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        into.clear();
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_reader_that_lies_is_an_error_and_no_signature() {
    let error = framesign::sign_reader("access", "secret", Liar::default()).unwrap_err();
    assert!(matches!(error, framesign::Error::Io(_)), "{error:?}");
    assert!(PayloadHash::of_reader(Liar::default()).is_err());

    let mut reader = SigningReader::new(Liar::default(), Signer::new(&key()));
    let mut memory = [0; 8];
    let mut buffer = ReadBuf::new(&mut memory);
    buffer.put_slice(b"before");
    let read = poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, &mut buffer)).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::Other);
    assert_eq!(reader.signature(), None);
}

/// Fails in this way first, and is a whole frame then.
struct Fails {
    first: Option<io::ErrorKind>,
    frame: &'static [u8],
}

impl io::Read for Fails {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.first.take() {
            Some(kind) => Err(kind.into()),
            None => io::Read::read(&mut self.frame, into),
        }
    }
}

#[test]
fn a_read_that_was_interrupted_is_tried_again_and_no_other() {
    let frame = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let sign = |first| framesign::sign_reader("access", "secret", Fails { first, frame });
    assert_eq!(sign(Some(io::ErrorKind::Interrupted)).unwrap(), sign(None).unwrap());
    let error = sign(Some(io::ErrorKind::TimedOut)).unwrap_err();
    assert!(
        matches!(&error, framesign::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut),
        "{error:?}"
    );
}

#[tokio::test]
async fn sign_reader_signs_what_the_blocking_one_signs() {
    let payload = vec![7; 300_000];
    let head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n";
    let frame = [&head[..], &payload].concat();
    let mut numbers = Numbers::new(5);
    let reads = Reads::new(random_chunks(&frame, 90_000, &mut numbers));
    let found = sign_reader("access", "secret", reads).await.unwrap();
    assert_eq!(found, framesign::sign_reader("access", "secret", &frame[..]).unwrap());
    let cut = sign_reader("access", "secret", &frame[..1_000]).await.unwrap_err();
    assert!(
        matches!(cut, framesign::Error::Frame(error) if error.kind() == ErrorKind::TruncatedBody)
    );
    let input = sign_reader("", "secret", &frame[..]).await.unwrap_err();
    assert!(matches!(input, framesign::Error::Misuse(_)));
}

/// A server that has read the head itself hands on a signer that knows a part of the payload.
#[tokio::test]
async fn a_payload_that_has_begun_is_signed_whole_on_a_pool_too() {
    let frame = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello";
    let mut whole = Signer::new(&key());
    whole.update(frame).unwrap();
    let whole = whole.finish().unwrap();
    for cut in [20, frame.len() - 5, frame.len() - 3] {
        let (begun, rest) = frame.split_at(cut);
        let mut signer = Signer::new(&key());
        signer.update(begun).unwrap();
        let inner = stream::iter([Ok(Bytes::copy_from_slice(rest))]);
        let mut upload = SigningStream::new(inner, signer.clone()).hash_on(&pool());
        while let Some(chunk) = upload.next().await {
            chunk.unwrap();
        }
        assert_eq!(upload.signature(), Some(whole), "stream cut at {cut}");
        let mut upload = SigningReader::new(rest, signer).hash_on(&pool());
        upload.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(upload.signature(), Some(whole), "reader cut at {cut}");
    }
}
