//! A body that is verified while it passes.

use std::{
    convert::Infallible,
    io,
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use framesign::{
    ErrorKind,
    http::{BodyError, Unverified, VerifyingBody},
    offload::HashPool,
    verify::{Reason, Refusal},
};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};

use super::support::{Frames, body, data, verifying};

type Polled = Option<Result<Bytes, BodyError>>;

/// Polls a body that is never pending.
fn next<B>(body: &mut VerifyingBody<B>) -> Polled
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => Some(Ok(frame.into_data().unwrap())),
        Poll::Ready(Some(Err(error))) => Some(Err(error)),
        Poll::Ready(None) => None,
        Poll::Pending => panic!("pending"),
    }
}

fn refusal(polled: Polled) -> Refusal {
    match polled {
        Some(Err(BodyError::Refused(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

/// What is handed on of `frames` where `signed` was signed, and why no more.
fn refused(signed: &[u8], frames: Frames) -> (Vec<u8>, Refusal) {
    let mut body = verifying(signed, body(frames));
    let verification = body.verification();
    let mut handed_on = Vec::new();
    loop {
        match next(&mut body) {
            Some(Ok(bytes)) => handed_on.extend_from_slice(&bytes),
            polled => {
                let refusal = refusal(polled);
                assert_eq!(verification.verified(), Err(Unverified::Refused(refusal.clone())));
                return (handed_on, refusal);
            }
        }
    }
}

#[test]
fn frames_are_handed_on_as_the_same_bytes() {
    let pieces: Vec<_> = ["first ", "second ", "third"].map(Bytes::from).into();
    let frames = pieces.iter().cloned().map(Frame::data).map(Ok).collect();
    let mut body = verifying(b"first second third", body(frames));
    for piece in &pieces {
        let bytes = next(&mut body).unwrap().unwrap();
        assert_eq!((bytes.as_ptr(), bytes.len()), (piece.as_ptr(), piece.len()));
    }
    assert!(next(&mut body).is_none());
}

#[test]
fn the_proof_is_had_with_the_last_frame_and_not_before() {
    let mut body = verifying(b"hello", body(data([&b"he"[..], b"llo"])));
    let verification = body.verification();
    assert_eq!(verification.verified(), Err(Unverified::Unfinished));
    assert_eq!(next(&mut body).unwrap().unwrap(), "he");
    assert_eq!(verification.verified(), Err(Unverified::Unfinished));
    assert!(!body.is_end_stream());

    // A consumer that stops here, after Content-Length bytes, has what was verified.
    assert_eq!(next(&mut body).unwrap().unwrap(), "llo");
    assert_eq!(verification.verified().unwrap().access_key(), b"access");
    assert!(body.is_end_stream());
    assert!(next(&mut body).is_none());
    assert!(next(&mut body).is_none());
}

#[test]
fn the_last_byte_of_another_payload_is_never_handed_on() {
    let (handed_on, refusal) = refused(b"hello", data([&b"he"[..], b"l", b"lO"]));
    assert_eq!((&handed_on[..], refusal.reason()), (&b"hel"[..], Reason::Signature));
    let (handed_on, refusal) = refused(b"hello", data([&b"hellO"[..], b"", b""]));
    assert_eq!((&handed_on[..], refusal.reason()), (&b""[..], Reason::Signature));
}

#[test]
fn a_refused_body_says_so_as_often_as_it_is_polled() {
    let mut body = verifying(b"hello", Full::from("hellO"));
    for _ in 0..3 {
        assert_eq!(refusal(next(&mut body)).reason(), Reason::Signature);
        assert!(!body.is_end_stream());
    }
    assert_eq!(body.size_hint().exact(), None);
}

#[test]
fn a_refusal_is_told_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let body = verifying(b"hello", Full::from("hellO"));
    let mut body = body.on_refusal(move |refusal| log.lock().unwrap().push(refusal.reason()));
    for _ in 0..3 {
        refusal(next(&mut body));
    }
    assert_eq!(*told.lock().unwrap(), [Reason::Signature]);
}

#[test]
fn a_body_without_payload_is_at_its_end_once_it_has_been_polled() {
    let mut body = verifying(b"", Empty::<Bytes>::new());
    let verification = body.verification();
    assert!(!body.is_end_stream());
    assert_eq!(verification.verified(), Err(Unverified::Unfinished));
    assert!(next(&mut body).is_none());
    assert!(body.is_end_stream());
    verification.verified().unwrap();
}

#[test]
fn a_body_that_is_dropped_early_stays_unverified() {
    let mut body = verifying(b"hello", body(data([&b"he"[..], b"llo"])));
    let verification = body.verification();
    next(&mut body);
    drop(body);
    assert_eq!(verification.verified(), Err(Unverified::Unfinished));
}

#[test]
fn a_shorter_body_than_content_length_is_cut() {
    for frames in [data([&b"hell"[..]]), data([&b"h"[..], b"", b"e"]), Vec::new()] {
        let (_, refusal) = refused(b"hello", frames);
        assert_eq!(refusal.frame_error().unwrap().kind(), ErrorKind::TruncatedBody);
    }
}

#[test]
fn not_a_byte_beyond_content_length_is_handed_on() {
    for (frames, before) in [
        (data([&b"hello!"[..]]), ""),
        (data([&b"hel"[..], b"lo!"]), "hel"),
        // The frame that was whole is kept back, and goes nowhere.
        (data([&b"hel"[..], b"lo", b"", b"!"]), "hel"),
    ] {
        let (handed_on, refusal) = refused(b"hello", frames);
        assert_eq!(handed_on, before.as_bytes());
        let error = refusal.frame_error().unwrap();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::TrailingBytes, 5));
    }
}

#[test]
fn trailers_are_refused() {
    let trailers = || Ok(Frame::trailers(HeaderMap::new()));
    for pieces in [&[&b"hello"[..]][..], &[&b"he"[..]], &[]] {
        let mut frames = data(pieces.iter().copied());
        frames.push(trailers());
        let (_, refusal) = refused(b"hello", frames);
        let error = refusal.frame_error().unwrap();
        assert_eq!(error.kind(), ErrorKind::TrailingBytes);
        assert!(error.to_string().contains("trailers"), "{error}");
    }
}

#[test]
fn a_body_that_fails_is_not_verified() {
    for (payload, kind) in [("he", "2"), ("hello", "5")] {
        let mut frames = data([payload.as_bytes()]);
        frames.push(Err(io::Error::other("reset")));
        let mut body = verifying(b"hello", body(frames));
        let verification = body.verification();
        let error = loop {
            if let Err(error) = next(&mut body).unwrap() {
                break error;
            }
        };
        assert!(matches!(&error, BodyError::Body(_)), "{error:?}");
        assert_eq!(error.to_string(), "reset");
        // From here on it says what that means.
        let refusal = refusal(next(&mut body));
        assert_eq!(refusal.frame_error().unwrap().kind(), ErrorKind::TruncatedBody);
        assert!(refusal.to_string().ends_with(&format!("at byte {kind}")), "{refusal}");
        assert_eq!(verification.verified(), Err(Unverified::Refused(refusal)));
    }
}

#[test]
fn the_size_hint_is_that_of_the_body_inside() {
    let mut body = verifying(b"hello", Full::from("hello"));
    assert_eq!(body.size_hint().exact(), Some(5));
    next(&mut body);
    assert_eq!(body.size_hint().exact(), Some(0));

    let mut streamed = verifying(b"hello", super::support::body(data([&b"he"[..], b"llo"])));
    next(&mut streamed);
    assert_eq!((streamed.size_hint().lower(), streamed.size_hint().upper()), (0, None));
}

/// Comes whole, and does not end.
struct Endless(Option<Bytes>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}

#[test]
fn a_frame_that_is_kept_back_is_still_to_come() {
    let mut body = verifying(b"hello", Endless(Some(Bytes::from("hello"))));
    let verification = body.verification();
    let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    assert_eq!(body.size_hint().exact(), Some(5));
    assert_eq!(body.progress().unwrap().seen, 5);
    assert_eq!(verification.verified(), Err(Unverified::Unfinished));
}

#[tokio::test]
async fn a_body_hashed_on_another_core_has_the_same_outcome() {
    let pool = HashPool::new(NonZeroUsize::MIN).unwrap();
    // Larger pieces than are worth a thread, more of them than the queue holds, and small ones.
    let payload = vec![7; 3_000_000];
    for (pieces, forged) in [(1_000_000, 0), (100_000, 0), (1_000, 0), (100_000, 1)] {
        let mut sent = payload.clone();
        sent[0] += forged;
        let mut frames = data(sent.chunks(pieces));
        frames.insert(1, Ok(Frame::data(Bytes::new())));
        let body = verifying(&payload, body(frames)).hash_on(&pool);
        let verification = body.verification();
        let received = body.collect().await;
        match forged {
            0 => assert_eq!(received.unwrap().to_bytes(), sent),
            _ => assert!(matches!(received, Err(BodyError::Refused(_)))),
        }
        assert_eq!(verification.verified().is_ok(), forged == 0, "{pieces}");
    }
}

#[test]
fn progress_counts_the_payload() {
    let mut body = verifying(b"hello", body(data([&b"he"[..], b"llo"])));
    next(&mut body);
    let progress = body.progress().unwrap();
    assert_eq!((progress.seen, progress.expected), (2, Some(5)));
    assert_eq!(
        format!("{body:?}"),
        "VerifyingBody { progress: Some(Progress { seen: 2, expected: Some(5) }), .. }"
    );
    next(&mut body);
    assert_eq!(body.progress(), None);
}
