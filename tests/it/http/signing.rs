//! A body that is signed while it passes: the results are those of the raw frame.

use std::{num::NonZeroUsize, pin::pin};

use bytes::Bytes;
use framesign::{
    ErrorKind, FrameError, Reading, Rules, Signature, Signer, SigningKey,
    http::{BodyError, SigningBody},
    offload::{HashPool, OffloadedHash},
};
use http::{HeaderMap, request::Parts};
use http_body::Frame;
use http_body_util::BodyExt;
use proptest::prelude::*;

use super::support::{Frames, body, busy, credentials, data, handed_on, read};
use crate::{frames, published::Vector};

fn key() -> SigningKey {
    SigningKey::derive(&credentials(), "20230801".parse().unwrap())
}

/// What is signed of a structured request, polled to its end.
fn sign(parts: &Parts, frames: Frames, key: &SigningKey) -> Result<Signature, FrameError> {
    let body = SigningBody::new(parts, body(frames), key, &Rules::strict())?;
    let signature = body.signature();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    match runtime.block_on(body.collect()) {
        Ok(_) => signature.get().unwrap(),
        Err(BodyError::Frame(error)) => {
            assert_eq!(signature.get(), Some(Err(error.clone())));
            Err(error)
        }
        Err(error) => panic!("{error}"),
    }
}

fn sign_raw(frame: &[u8], key: &SigningKey) -> Result<Signature, FrameError> {
    let mut signer = Signer::with_rules(key, Rules::strict());
    signer.update(frame)?;
    signer.finish()
}

/// `OPTIONS http://host` has no path, and the implementation hands over `/`.
fn loses_its_path(frame: &[u8]) -> bool {
    let start = frame.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or_default();
    let line = frame[start..].split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&byte| byte == b' ');
    parts.next() == Some(b"OPTIONS")
        && parts.next().is_some_and(|target| {
            target.split(|&byte| byte == b'/').count() == 3
                && !target.starts_with(b"/")
                && !target.contains(&b'?')
        })
}

#[test]
fn published_vectors_that_are_read_get_their_signature() {
    let credentials = framesign::Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    );
    let key = SigningKey::derive(&credentials.unwrap(), "20230801".parse().unwrap());
    let mut signed = 0;
    for vector in Vector::all() {
        let Some(expected) = vector.expected_line(Reading::Strict, "signature") else { continue };
        let Some((parts, payload)) = read(&vector.frame) else { continue };
        if loses_its_path(&vector.frame) {
            continue;
        }
        let signature = sign(&parts, data([&payload[..]]), &key).expect(&vector.name);
        assert_eq!(signature.to_string(), expected, "{}", vector.name);
        signed += 1;
    }
    assert!(signed > 40, "{signed}");
}

proptest! {
    #[test]
    fn what_strict_reading_accepts_has_one_signature(
        frame in frames::valid(),
        pieces in 1_usize..9,
    ) {
        let Some((parts, payload)) = read(&frame) else { return Ok(()) };
        if loses_its_path(&frame) {
            return Ok(());
        }
        let structured = sign(&parts, data(payload.chunks(pieces)), &key());
        prop_assert_eq!(structured, sign_raw(&frame, &key()), "{}", frame.escape_ascii());
    }
}

const HELLO: &[u8] = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";

#[tokio::test]
async fn frames_are_handed_on_as_the_same_bytes() {
    let (parts, _) = read(HELLO).unwrap();
    let pieces = ["he", "llo"].map(Bytes::from);
    let frames = pieces.iter().cloned().map(Frame::data).map(Ok).collect();
    let mut body = pin!(SigningBody::new(&parts, body(frames), &key(), &Rules::strict()).unwrap());
    let signature = body.signature();
    for piece in &pieces {
        assert_eq!(signature.get(), None);
        let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(bytes.as_ptr(), piece.as_ptr());
    }
    assert_eq!(signature.get(), Some(sign_raw(&[HELLO, b"hello"].concat(), &key())));
    assert!(body.frame().await.is_none());
}

#[test]
fn a_body_of_another_length_is_not_signed() {
    let (parts, _) = read(HELLO).unwrap();
    for (payload, kind) in
        [("hell", ErrorKind::TruncatedBody), ("hello!", ErrorKind::TrailingBytes)]
    {
        let error = sign(&parts, data([payload.as_bytes()]), &key()).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
    let mut frames = data([&b"hello"[..]]);
    frames.push(Ok(Frame::trailers(HeaderMap::new())));
    assert_eq!(sign(&parts, frames, &key()).unwrap_err().kind(), ErrorKind::TrailingBytes);
}

#[tokio::test]
async fn a_body_hashed_on_another_core_has_the_same_signature() {
    let pool = HashPool::new(NonZeroUsize::MIN).unwrap();
    let payload = vec![7; 1_000_000];
    let head = "PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 1000000\r\n\r\n";
    let (parts, _) = read(head.as_bytes()).unwrap();
    let frames = body(data(payload.chunks(100_000)));
    let body = SigningBody::new(&parts, frames, &key(), &Rules::strict()).unwrap().hash_on(&pool);
    let signature = body.signature();
    body.collect().await.unwrap();
    let raw = sign_raw(&[head.as_bytes(), &payload].concat(), &key());
    assert_eq!(signature.get(), Some(raw));
}

#[tokio::test]
async fn a_body_waits_for_room_in_the_queue_of_its_pool() {
    let pool = HashPool::new(NonZeroUsize::MIN).unwrap();
    let (_hash, end) = busy(&pool);
    let (parts, _) =
        read(b"PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n").unwrap();
    let frames = body(data(vec![7; 3_000_000].chunks(100_000)));
    let mut body =
        SigningBody::new(&parts, frames, &key(), &Rules::strict()).unwrap().hash_on(&pool);
    let signature = body.signature();
    let first = handed_on(&mut body);
    assert!((100_000..=OffloadedHash::LIMIT + 100_000).contains(&first), "{first}");
    drop(end);
    assert_eq!(first + body.collect().await.unwrap().to_bytes().len(), 3_000_000);
    assert!(signature.get().unwrap().is_ok());
}

#[tokio::test]
async fn a_body_that_is_dropped_early_is_not_signed() {
    let (parts, _) = read(HELLO).unwrap();
    let mut body =
        SigningBody::new(&parts, body(data([&b"he"[..], b"llo"])), &key(), &Rules::strict())
            .unwrap();
    let signature = body.signature();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(signature.get(), None);
}

#[test]
fn a_body_is_at_its_end_once_it_is_signed() {
    let parts = http::Request::put("http://h/").header("host", "h").header("content-length", 5);
    let (parts, ()) = parts.body(()).unwrap().into_parts();
    let inner = http_body_util::Full::new(Bytes::from_static(b"hello"));
    let mut body = SigningBody::new(&parts, inner, &key(), &Rules::strict()).unwrap();
    let signature = body.signature();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for is_over in [false, true] {
        assert_eq!(http_body::Body::is_end_stream(&body), is_over);
        assert_eq!(signature.get().is_some(), is_over);
        runtime.block_on(async { while body.frame().await.is_some() {} });
    }
}
