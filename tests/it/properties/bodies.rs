//! A body hands on what came, no more than that, and its end only if every check has passed.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use framesign::{
    Credentials, PayloadHash, Rules, Signer, SigningDate, SigningKey, SigningOptions,
    http::{BodyError, NotVerified, SigningBody, VerifyingBody, sign_request},
    replay::{MemoryReplayStore, Outage, ReplayGuard},
    verify::Policy,
};
use http::{HeaderMap, Request, request::Parts};
use http_body::{Body, Frame, SizeHint};

use crate::stages::{ACCESS_KEY, SECRET_KEY};

/// What a body does when it is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Data(Vec<u8>),
    Trailers,
    Error,
    Pending,
    /// The end of the body, though what follows is there to be polled.
    End,
}

/// A request with a body, and how both are read.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The payload that was signed.
    pub(crate) signed: Vec<u8>,
    /// Whether the head says how long the payload is, which it need not if there is none.
    pub(crate) has_length: bool,
    pub(crate) is_claimed: bool,
    pub(crate) steps: Vec<Step>,
    /// Whether the body says how much is left of it.
    pub(crate) has_hint: bool,
    /// After how many frames the rest is read ahead.
    pub(crate) buffered_after: Option<usize>,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It is the signed payload.
    Whole,
    /// It has the length of the signed payload, and other bytes.
    Other,
    /// It is cut, has trailers or more bytes than the head says.
    Refused,
    /// The body itself fails.
    Broken,
}

/// What is to come of an exchange.
#[derive(Debug)]
struct Expected {
    ending: Ending,
    /// How many bytes come before the frame with the last byte: they are handed on in any case.
    before: usize,
    /// All bytes that come.
    sent: Vec<u8>,
}

impl Exchange {
    fn expected(&self) -> Expected {
        let mut sent = Vec::new();
        let mut end = &Step::End;
        for step in &self.steps {
            match step {
                Step::Pending => {}
                Step::Data(data) => sent.push(data.as_slice()),
                other => {
                    end = other;
                    break;
                }
            }
        }
        let mut seen = 0;
        let ends = sent.iter().map(|data| {
            seen += data.len();
            seen
        });
        let is_before = |end: &usize| *end < self.signed.len();
        let before = ends.take_while(is_before).last().unwrap_or(0);
        let sent = sent.concat();
        let ending = match end {
            _ if sent.len() > self.signed.len() => Ending::Refused,
            Step::Error => Ending::Broken,
            Step::Trailers => Ending::Refused,
            _ if sent.len() < self.signed.len() => Ending::Refused,
            _ if sent == self.signed => Ending::Whole,
            _ => Ending::Other,
        };
        Expected { ending, before, sent }
    }

    fn body(&self) -> Steps {
        let left = self.has_hint.then(|| self.expected().sent.len() as u64);
        Steps { steps: self.steps.clone().into(), left }
    }

    fn parts(&self) -> Parts {
        let mut request = Request::put("http://test.com/up?part=1").header("host", "test.com");
        if self.has_length {
            request = request.header("content-length", self.signed.len());
        }
        request.body(()).unwrap().into_parts().0
    }
}

/// A body of steps.
struct Steps {
    steps: VecDeque<Step>,
    left: Option<u64>,
}

impl Body for Steps {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.steps.pop_front() {
            None | Some(Step::End) => None,
            Some(Step::Data(data)) => {
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                Some(Ok(Frame::data(data.into())))
            }
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Error) => Some(Err(io::Error::other("the body fails"))),
            Some(Step::Pending) => return Poll::Pending,
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What a body gave.
#[derive(Debug)]
struct Given {
    bytes: Vec<u8>,
    error: Option<BodyError>,
}

/// Reads a body to its end or its first error, and asks after each frame for what holds then.
fn read<B>(body: &mut B, given: &mut Given, exchange: &Exchange, is_passed: impl Fn() -> bool)
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    let Expected { sent, .. } = exchange.expected();
    while given.error.is_none() {
        if exchange.has_hint {
            let left = (sent.len() - given.bytes.len()) as u64;
            assert_eq!(body.size_hint().exact(), Some(left), "{exchange:?}");
        }
        match next(body) {
            None => break,
            Some(Ok(bytes)) => given.bytes.extend_from_slice(&bytes),
            Some(Err(error)) => given.error = Some(error),
        }
        let is_given = given.bytes.len() == exchange.signed.len();
        assert!(is_passed() || !is_given || given.bytes.is_empty(), "unproven: {exchange:?}");
        assert!(is_passed() || !body.is_end_stream(), "{exchange:?}");
    }
}

/// The next frame, which is of data, whatever the body waits for.
fn next<B>(body: &mut B) -> Option<Result<Bytes, BodyError>>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut cx) {
            return frame.map(|frame| Ok(frame?.into_data().expect("no trailers are handed on")));
        }
    }
}

/// Polls what waits for nobody else.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_900_000)
}

fn key() -> SigningKey {
    SigningKey::derive(&Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap(), SigningDate::of(now()))
}

/// Holds the body of an exchange to what was sent, verified and signed.
pub(crate) fn check(exchange: &Exchange) {
    check_verifying(exchange);
    check_signing(exchange);
}

fn check_verifying(exchange: &Exchange) {
    let mut parts = exchange.parts();
    let mut options = SigningOptions::default().without_nonce();
    if !exchange.is_claimed {
        options = options.without_content_digest();
    }
    let payload = PayloadHash::of(&exchange.signed);
    sign_request(&mut parts, &key(), payload, now(), &options).unwrap();
    let policy = Policy::default();
    let pending = || policy.examine_parts(&parts, now()).unwrap().check(&[key()]).unwrap();

    let guard = ReplayGuard::new(MemoryReplayStore::new(10), Outage::Refuse).clock(now);
    let begun = pending();
    let check = ready(guard.begin(&begun)).unwrap();
    let mut body = VerifyingBody::new(exchange.body(), begun).replay_check(check);
    let verification = body.verification();
    let is_passed = || verification.verified().is_ok();
    let mut given = Given { bytes: Vec::new(), error: None };
    if let Some(frames) = exchange.buffered_after {
        buffer(&mut body, &mut given, frames);
        assert_eq!(is_passed(), given.error.is_none(), "{exchange:?}");
    }
    read(&mut body, &mut given, exchange, is_passed);
    assert_given(exchange, &given);
    if exchange.expected().ending == Ending::Whole {
        let verified = verification.verified().unwrap();
        assert_eq!(verified.payload(), payload);
        assert!(ready(guard.accept(&verified)).is_err(), "taken twice: {exchange:?}");
        assert!(body.is_end_stream() && next(&mut body).is_none(), "{exchange:?}");
    } else {
        // A body that was refused stays so, whatever else would come of it.
        for _ in 0..2 {
            assert!(matches!(next(&mut body), Some(Err(BodyError::Refused(_)))), "{exchange:?}");
        }
        assert!(matches!(verification.verified(), Err(NotVerified::Refused(_))), "{exchange:?}");
        assert!(!body.is_end_stream() && body.size_hint().exact().is_none(), "{exchange:?}");
        assert!(ready(guard.begin(&pending())).is_ok(), "something is left: {exchange:?}");
    }
}

/// Reads so many frames, and then all of the rest ahead.
fn buffer(body: &mut VerifyingBody<Steps>, given: &mut Given, frames: usize) {
    for _ in 0..frames {
        match next(body) {
            Some(Ok(bytes)) => given.bytes.extend_from_slice(&bytes),
            Some(Err(error)) => drop(given.error.get_or_insert(error)),
            None => break,
        }
    }
    if let Err(error) = ready(body.buffer()) {
        given.error.get_or_insert(error);
    }
}

/// What is given is the whole if all checks pass. Else it is what came before the frame with the last
/// byte, or less if the rest was read ahead.
fn assert_given(exchange: &Exchange, given: &Given) {
    let Expected { ending, before, sent } = exchange.expected();
    assert_eq!(given.error.is_none(), ending == Ending::Whole, "{exchange:?} {given:?}");
    assert!(sent.starts_with(&given.bytes), "{exchange:?} {given:?}");
    let is_broken = matches!(given.error, Some(BodyError::Body(_)));
    assert_eq!(is_broken, ending == Ending::Broken, "{exchange:?} {given:?}");
    match ending {
        Ending::Whole => assert_eq!(given.bytes.len(), sent.len(), "{exchange:?}"),
        _ if exchange.buffered_after.is_some() => assert!(given.bytes.len() <= before),
        _ => assert_eq!(given.bytes.len(), before, "{exchange:?}"),
    }
}

/// A body that is signed as it passes is given as one that is verified, but for what was signed: any
/// payload of the length is.
fn check_signing(exchange: &Exchange) {
    let parts = exchange.parts();
    let mut body = SigningBody::new(&parts, exchange.body(), &key(), &Rules::strict()).unwrap();
    let signature = body.signature();
    let is_passed = || matches!(signature.get(), Some(Ok(_)));
    let mut given = Given { bytes: Vec::new(), error: None };
    read(&mut body, &mut given, exchange, is_passed);
    let Expected { ending, sent, .. } = exchange.expected();
    if !matches!(ending, Ending::Whole | Ending::Other) {
        assert_given(&Exchange { buffered_after: None, ..exchange.clone() }, &given);
        return assert!(!is_passed());
    }
    assert!(given.error.is_none() && given.bytes == sent, "{exchange:?} {given:?}");
    let length = format!("Content-Length: {}\r\n", sent.len());
    let fields = if exchange.has_length { length.as_str() } else { "" };
    let head = format!("PUT /up?part=1 HTTP/1.1\r\nHost: test.com\r\n{fields}\r\n");
    let mut signer = Signer::new(&key());
    signer.update(head.as_bytes()).unwrap();
    signer.update(&sent).unwrap();
    assert_eq!(signature.get(), Some(signer.finish()), "{exchange:?}");
}

/// The byte of a payload at a place.
fn noise(at: usize) -> u8 {
    (at.wrapping_mul(167) >> 3).to_le_bytes()[0]
}

/// An input is a byte of which bit 1 claims the payload, bit 2 leaves out its length if it is empty,
/// bit 4 says how much is left, and bit 8 reads the rest ahead after as many frames as the high bits
/// count; the length of the signed payload in two bytes, cut to 14 bits; and the steps of the body, two
/// bytes each. A body goes through the signed payload unless a step changes a byte of it.
pub(crate) fn fuzz(input: &[u8]) {
    let [how, high, low, steps @ ..] = input else { return };
    let is = |bit: u8| how & bit != 0;
    let len = usize::from(u16::from_be_bytes([*high, *low]) & 0x3fff);
    let signed: Vec<u8> = (0..len).map(noise).collect();
    let mut at = 0;
    let steps = steps.chunks_exact(2).map(|step| of_bytes(step[0], step[1], len, &mut at));
    check(&Exchange {
        steps: steps.collect(),
        has_length: len > 0 || !is(2),
        is_claimed: is(1),
        has_hint: is(4),
        buffered_after: is(8).then_some(usize::from(how >> 4)),
        signed,
    });
}

/// A step; `at` is how much of the payload came before.
fn of_bytes(kind: u8, size: u8, len: usize, at: &mut usize) -> Step {
    let size = usize::from(size);
    let size = match kind & 7 {
        0 => size,
        1 => size * 64,
        2 => len.saturating_sub(*at).saturating_sub(size),
        3 => 1 + size,
        4 => return Step::Trailers,
        5 => return Step::Error,
        6 => return Step::Pending,
        _ => return Step::End,
    };
    let mut data: Vec<u8> = (*at..*at + size).map(noise).collect();
    *at += size;
    if kind & 7 == 3 {
        let last = data.len() - 1;
        data[last] ^= 1;
    }
    Step::Data(data)
}
