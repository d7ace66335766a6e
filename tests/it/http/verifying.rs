//! A body that is verified while it passes.

use std::{
    convert::Infallible,
    future::Future,
    io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use framesign::{
    ErrorKind,
    http::{BodyError, NotVerified, VerifyingBody},
    offload::{HashPool, OffloadedHash},
    verify::{Reason, Refusal},
};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};

use super::support::{Frames, body, busy, data, handed_on, verifying};

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
                assert_eq!(verification.verified(), Err(NotVerified::Refused(refusal.clone())));
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
    assert_eq!(verification.verified(), Err(NotVerified::Unfinished));
    assert_eq!(next(&mut body).unwrap().unwrap(), "he");
    assert_eq!(verification.verified(), Err(NotVerified::Unfinished));
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
fn a_log_that_panics_does_not_make_a_refused_body_look_verified() {
    let body = verifying(b"hello", Full::from("hellO"));
    let mut body = body.on_refusal(|_| panic!("the log is full"));
    let verification = body.verification();
    catch_unwind(AssertUnwindSafe(|| next(&mut body))).unwrap_err();
    assert!(!body.is_end_stream());
    refusal(next(&mut body));
    assert!(matches!(verification.verified(), Err(NotVerified::Refused(_))));
}

#[test]
fn a_body_without_payload_is_at_its_end_once_it_has_been_polled() {
    let mut body = verifying(b"", Empty::<Bytes>::new());
    let verification = body.verification();
    assert!(!body.is_end_stream());
    assert_eq!(verification.verified(), Err(NotVerified::Unfinished));
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
    assert_eq!(verification.verified(), Err(NotVerified::Unfinished));
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
        assert_eq!(verification.verified(), Err(NotVerified::Refused(refusal)));
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
    assert_eq!(verification.verified(), Err(NotVerified::Unfinished));
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

#[tokio::test]
async fn a_body_waits_for_room_in_the_queue_of_its_pool() {
    let pool = HashPool::new(NonZeroUsize::MIN).unwrap();
    let (_hash, end) = busy(&pool);
    let payload = vec![7; 3_000_000];
    let mut body = verifying(&payload, body(data(payload.chunks(100_000)))).hash_on(&pool);
    let verification = body.verification();
    let first = handed_on(&mut body);
    assert!((100_000..=OffloadedHash::LIMIT + 100_000).contains(&first), "{first}");
    drop(end);
    assert_eq!(first + body.collect().await.unwrap().to_bytes().len(), 3_000_000);
    assert!(verification.verified().is_ok());
}

/// A body that is buffered before anything of it is handed on.
async fn buffered(signed: &[u8], frames: Frames) -> Result<Vec<Bytes>, BodyError> {
    let mut body = verifying(signed, body(frames));
    let verification = body.verification();
    let by = body.buffer().await;
    match &by {
        Ok(by) => {
            // The proof is had before a byte was handed on.
            assert_eq!(verification.verified().as_ref(), Ok(by));
            assert_eq!(body.size_hint().lower(), signed.len() as u64);
            assert!(body.is_end_stream() == signed.is_empty());
            assert_eq!(body.buffer().await.as_ref().ok(), Some(by), "again it is the same");
        }
        Err(_) => assert!(matches!(verification.verified(), Err(NotVerified::Refused(_)))),
    }
    let (mut pieces, mut left) = (Vec::new(), signed.len());
    loop {
        match next(&mut body) {
            Some(Ok(piece)) => {
                assert!(by.is_ok() && !piece.is_empty());
                left -= piece.len();
                assert_eq!(body.size_hint().lower(), left as u64);
                assert_eq!(body.is_end_stream(), left == 0);
                pieces.push(piece);
            }
            Some(Err(_)) => {
                assert!(by.is_err());
                return by.map(|_| pieces);
            }
            None => return by.map(|_| pieces),
        }
    }
}

#[tokio::test]
async fn a_buffered_body_is_handed_on_in_the_frames_it_came_in() {
    let pieces: Vec<_> = ["first ", "second ", "third"].map(Bytes::from).into();
    let mut frames: Frames = pieces.iter().cloned().map(Frame::data).map(Ok).collect();
    frames.insert(1, Ok(Frame::data(Bytes::new())));
    let handed_on = buffered(b"first second third", frames).await.unwrap();
    let place = |piece: &Bytes| (piece.as_ptr().addr(), piece.len());
    let places: Vec<_> = handed_on.iter().map(place).collect();
    assert_eq!(places, pieces.iter().map(place).collect::<Vec<_>>());
    assert!(buffered(b"", Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_buffered_body_is_whole_in_however_many_frames_it_comes() {
    let payload: Vec<_> = (0..1_000).map(|at| u8::try_from(at % 251).unwrap()).collect();
    for size in [1, 2, 7, 100, 111, 112, 125, 126, 143, 999, 1_000] {
        let handed_on = buffered(&payload, data(payload.chunks(size))).await.unwrap();
        assert_eq!(handed_on.concat(), payload, "in frames of {size}");
        // Few are handed on as they came, and of many no more than were copied together.
        assert!(handed_on.len() <= 9, "{}", handed_on.len());
    }
}

#[tokio::test]
async fn nothing_of_a_buffered_body_is_handed_on_if_it_is_refused() {
    let reason = |result: Result<Vec<Bytes>, BodyError>| match result {
        Err(BodyError::Refused(refusal)) => refusal.reason(),
        other => panic!("{other:?}"),
    };
    for frames in [data([&b"he"[..], b"llO"]), data(b"hellO".chunks(1))] {
        assert_eq!(reason(buffered(b"hello", frames).await), Reason::Signature);
    }
    for frames in [data([&b"hel"[..]]), data([&b"hello"[..], b"!"]), Vec::new()] {
        assert_eq!(reason(buffered(b"hello", frames).await), Reason::Frame);
    }
    let mut frames = data([&b"he"[..]]);
    frames.push(Err(io::Error::other("reset")));
    let failed = buffered(b"hello", frames).await;
    assert!(matches!(failed, Err(BodyError::Body(_))), "{failed:?}");
}

#[test]
fn a_wait_for_a_buffered_body_that_is_given_up_loses_nothing() {
    let mut body = verifying(b"hello", Endless(Some(Bytes::from("he"))));
    let mut buffering = Box::pin(body.buffer());
    let polled = buffering.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    drop(buffering);
    assert_eq!(next(&mut body).unwrap().unwrap(), "he");
}

/// Pieces of one byte, each of which holds on to memory of 8 KiB: so a server reads of a peer that
/// sends byte by byte.
struct Trickle(usize);

impl Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = Bytes::from(vec![b'a'; 8 * 1024]).split_to(1);
        let left = self.0.checked_sub(1).map(|left| self.0 = left);
        Poll::Ready(left.map(|()| Ok(Frame::data(piece))))
    }
}

#[test]
fn a_buffered_body_takes_about_as_much_memory_as_it_has_bytes() {
    const LEN: usize = 64 * 1024;
    let mut body = verifying(&vec![b'a'; LEN], Trickle(LEN));
    let held = allocation_counter::measure(|| {
        let mut buffering = pin!(body.buffer());
        let polled = buffering.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(_))), "{polled:?}");
    });
    // Twice as much while the memory grows, and the pieces that are kept as they are.
    assert!(held.bytes_max < 4 * LEN as u64, "{held:?}");
    assert!(held.bytes_current.unsigned_abs() < 3 * LEN as u64, "{held:?}");
    let mut left = LEN;
    while let Some(piece) = next(&mut body) {
        left -= piece.unwrap().len();
    }
    assert_eq!(left, 0);
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
