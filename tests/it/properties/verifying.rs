//! Signed frames are verified exactly if the naive implementation verifies them, whatever the reads.

use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use framesign::{
    Credentials, SigningKey,
    codec::{CodecError, ConnectionState, VerifyingCodec, VerifyingEvent},
    verify::{Claim, Policy, Refusal, Verified, Verifier},
};
use tokio_util::codec::Decoder;

use super::{codec::end_name, cuts::chunks};
use crate::{
    naive::{
        self, Mutated, Mutation, Settings,
        make::{Maker, make},
        signed_connection::verify_connection,
        time::{SECOND, parse_time, seconds},
    },
    stages::{ACCESS_KEY, DATE, SECRET_KEY},
};

/// The moment at which frames are made and verified.
const NOW: &str = "2023-08-01T12:00:00Z";

/// A second live secret of the same access key.
const SECOND_SECRET: &str = "another secret of the same access key";

/// The age of a frame at most, if freshness is on.
const AGE: u32 = 300;

/// What the verifier asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands {
    pub(crate) is_fresh: bool,
    pub(crate) host: Option<&'static str>,
    pub(crate) max_payload: Option<u64>,
    pub(crate) requires_digest: bool,
}

impl Demands {
    fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        policy = if self.is_fresh {
            policy.max_age(Duration::from_secs(AGE.into()))
        } else {
            policy.without_freshness()
        };
        if let Some(host) = self.host {
            policy = policy.host(host);
        }
        if let Some(bytes) = self.max_payload {
            policy = policy.max_payload(bytes);
        }
        if self.requires_digest { policy.require_content_digest() } else { policy }
    }

    fn naive(&self) -> naive::verify::Verifier {
        naive::verify::Verifier {
            mutated: Mutated::default(),
            now: parse_time(NOW),
            age: self.is_fresh.then(|| seconds(AGE)),
            hosts: self.host.map(str::to_owned).into_iter().collect(),
            max_payload: self.max_payload,
            requires_digest: self.requires_digest,
            secrets: secrets().map(|(key, secret)| (key.to_owned(), secret.to_owned())).into(),
        }
    }
}

fn secrets() -> [(&'static str, &'static str); 2] {
    [(ACCESS_KEY, SECRET_KEY), (ACCESS_KEY, SECOND_SECRET)]
}

fn now() -> SystemTime {
    let seconds = u64::try_from(parse_time(NOW) / SECOND).unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn keys(claim: &Claim) -> Vec<SigningKey> {
    let live = secrets().into_iter().filter(|(key, _)| key.as_bytes() == claim.access_key());
    let derive =
        |(key, secret)| SigningKey::derive(&Credentials::new(key, secret).unwrap(), claim.date());
    live.map(derive).collect()
}

/// How the keys come to the codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    LookedUp,
    PerFrame,
}

/// A place of a frame that is changed: what is there is replaced, removed, or stands behind what is
/// inserted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Replace(u8),
    Flip(u8),
    Remove,
    Insert(u8),
}

impl Change {
    fn apply(self, frame: &mut Vec<u8>, place: usize) {
        let Some(at) = place.checked_rem(frame.len()) else { return };
        match self {
            Self::Replace(byte) => frame[at] = byte,
            Self::Flip(bit) => frame[at] ^= 1 << (bit & 7),
            Self::Remove => drop(frame.remove(at)),
            Self::Insert(byte) => frame.insert(at, byte),
        }
    }
}

/// Holds a frame by itself, read whole and in these lengths, to the naive verifier.
pub(crate) fn check_frame(demands: &Demands, frame: &[u8], lengths: &[usize]) {
    let what = || format!("{demands:?} {lengths:?} {}", frame.escape_ascii());
    let policy = demands.policy();
    let whole = verify(&policy, [frame]);
    assert_eq!(verify(&policy, chunks(frame, lengths)), whole, "{}", what());
    let expected = demands.naive().verify(frame).err();
    assert_eq!(whole.err().map(|refusal| reason(&refusal)), expected, "{}", what());
}

fn verify<'a>(
    policy: &Policy,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Verified, Refusal> {
    let mut verifier = Verifier::new(policy, keys, now);
    for chunk in chunks {
        verifier.update(chunk)?;
    }
    verifier.finish()
}

/// The reason, and the kind that belongs to `frame`.
fn reason(refusal: &Refusal) -> String {
    match refusal.frame_error() {
        None => refusal.reason().to_string(),
        Some(error) => format!("{} {}", refusal.reason(), error.kind()),
    }
}

/// What a connection gave.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The frames that are verified, byte by byte.
    verified: Vec<Vec<u8>>,
    end: Result<ConnectionState, Refusal>,
}

/// Holds a connection that is read in these lengths to the naive verifier.
pub(crate) fn check_connection(demands: &Demands, keys: Keys, input: &[u8], lengths: &[usize]) {
    let what = || format!("{demands:?} {keys:?} {lengths:?} {}", input.escape_ascii());
    let found = Connection::new(demands, keys, input).drive(chunks(input, lengths));
    let whole = Connection::new(demands, keys, input).drive([input]);
    assert_eq!(found, whole, "{}", what());
    let expected = verify_connection(&demands.naive(), input);
    let end = match &found.end {
        Ok(state) => end_name(*state).to_owned(),
        Err(refusal) => reason(refusal),
    };
    assert_eq!((found.verified, end), (expected.frames, expected.end), "{}", what());
}

/// A connection, and what it gave so far.
struct Connection<'a> {
    codec: VerifyingCodec,
    keys: Keys,
    buffer: BytesMut,
    verified: Vec<Vec<u8>>,
    /// What was given of the frame that has not ended.
    frame: Vec<u8>,
    /// How much of its payload was not given, of all of it.
    left: u64,
    payload: u64,
    /// What the peer sends behind the frames that have ended.
    rest: &'a [u8],
}

impl<'a> Connection<'a> {
    fn new(demands: &Demands, keys: Keys, input: &'a [u8]) -> Self {
        let codec = match keys {
            Keys::LookedUp => VerifyingCodec::new(demands.policy(), self::keys),
            Keys::PerFrame => VerifyingCodec::with_keys_per_frame(demands.policy()),
        };
        Self {
            codec: codec.clock(now),
            keys,
            buffer: BytesMut::new(),
            verified: Vec::new(),
            frame: Vec::new(),
            left: 0,
            payload: 0,
            rest: input,
        }
    }

    fn drive<'r>(mut self, reads: impl IntoIterator<Item = &'r [u8]>) -> Outcome {
        let mut end = Ok(ConnectionState::Open);
        for read in reads {
            self.buffer.extend_from_slice(read);
            end = self.drain(VerifyingCodec::decode);
            if end != Ok(ConnectionState::Open) {
                break;
            }
        }
        if end == Ok(ConnectionState::Open) {
            end = self.drain(VerifyingCodec::decode_eof);
        }
        if end.is_err() {
            // Nobody who counts bytes takes a refused payload for a whole one.
            assert!(self.payload == 0 || self.left > 0, "{:?}", self.frame);
            self.assert_sent();
        }
        Outcome { verified: self.verified, end }
    }

    /// Takes the events as long as frames are read and there is one.
    fn drain(&mut self, decode: Decode) -> Result<ConnectionState, Refusal> {
        while let Some(event) = decode(&mut self.codec, &mut self.buffer).map_err(refusal)? {
            match event {
                VerifyingEvent::Head(head, claim) => {
                    assert!(self.frame.is_empty());
                    self.frame.extend_from_slice(head.bytes());
                    self.payload = head.head().content_length().unwrap_or_default();
                    self.left = self.payload;
                    if self.keys == Keys::PerFrame {
                        self.codec.provide(keys(&claim)).unwrap();
                    }
                }
                VerifyingEvent::Data(data) => {
                    assert!(!data.is_empty());
                    self.frame.extend_from_slice(&data);
                    self.left -= data.len() as u64;
                }
                VerifyingEvent::Verified(_) => {
                    assert_eq!(self.left, 0);
                    self.assert_sent();
                    self.rest = &self.rest[self.frame.len()..];
                    self.verified.push(std::mem::take(&mut self.frame));
                    self.payload = 0;
                    if self.codec.state() != ConnectionState::Open {
                        break;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        Ok(self.codec.state())
    }

    /// What is given of a frame is what the peer has sent.
    fn assert_sent(&self) {
        assert!(self.rest.starts_with(&self.frame), "{}", self.frame.escape_ascii());
    }
}

type Decode = fn(&mut VerifyingCodec, &mut BytesMut) -> Result<Option<VerifyingEvent>, CodecError>;

fn refusal(error: CodecError) -> Refusal {
    match error {
        CodecError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

/// Holds what came of a signed frame by changes to it: it is verified only if it says what was signed.
pub(crate) fn check_changed(demands: &Demands, signed: &[u8], changed: &[u8]) {
    if verify(&demands.policy(), [changed]).is_err() {
        return;
    }
    let canonical = |frame: &[u8]| {
        let stages = naive::sign(ACCESS_KEY, SECRET_KEY, DATE, &Settings::strict(), frame);
        stages.map(|stages| stages.canonical_request)
    };
    let (signed, changed) = ((signed, canonical(signed)), (changed, canonical(changed)));
    let texts = (signed.0.escape_ascii(), changed.0.escape_ascii());
    assert!(changed.1.is_ok() && changed.1 == signed.1, "{demands:?} {} as {}", texts.0, texts.1);
}

/// Takes one byte off the front.
fn byte<'a>(input: &mut &'a [u8]) -> Option<&'a u8> {
    let (first, rest) = input.split_first()?;
    *input = rest;
    Some(first)
}

/// The demands of a byte: each of its low four bits is one, and the high ones are the limit of
/// payloads, in units of 16 bytes.
fn demands(byte: u8) -> Demands {
    let is = |bit: u8| byte & bit != 0;
    Demands {
        is_fresh: is(1),
        host: is(2).then_some("test.com"),
        max_payload: is(4).then_some(16 * u64::from(byte >> 4)),
        requires_digest: is(8),
    }
}

/// The signed frame that `frame` becomes, if it can be one: with a claim unless bit 2 is set, by the
/// second of two secrets with bit 4.
fn signed(how: u8, frame: &[u8]) -> Option<Vec<u8>> {
    let mutation = (how & 2 != 0).then_some(Mutation::MadeWithoutDigest);
    let secret = secrets()[usize::from(how & 4 != 0)].1;
    let maker =
        Maker { mutated: Mutated(mutation), access_key: ACCESS_KEY, secret, now: parse_time(NOW) };
    make(&maker, frame).ok()
}

/// An input is the demands; how the frame is signed, of which bit 1 takes the frame as it stands, bit 8
/// gives keys frame by frame, and the high bits count the changes; for each change its kind, its place
/// in two bytes and a byte; a byte that counts the reads, of which bit 16 sends the frame twice, and a
/// byte for the length of each; and the frame.
pub(crate) fn fuzz(input: &[u8]) {
    let _ = run(input);
}

fn run(mut input: &[u8]) -> Option<()> {
    let demands = demands(*byte(&mut input)?);
    let how = *byte(&mut input)?;
    let (changes, rest) = input.split_at_checked(4 * usize::from(how >> 4))?;
    input = rest;
    let count = *byte(&mut input)?;
    let (lengths, frame) = input.split_at_checked(usize::from(count & 0xf))?;
    let lengths: Vec<usize> = lengths.iter().copied().map(usize::from).collect();

    let made = if how & 1 == 0 { Some(signed(how, frame)?) } else { None };
    let signed = made.as_deref().unwrap_or(frame);
    let mut received = signed.to_vec();
    for change in changes.chunks_exact(4) {
        let place = usize::from(u16::from_be_bytes([change[1], change[2]]));
        of_byte(change[0], change[3]).apply(&mut received, place);
    }
    check_frame(&demands, &received, &lengths);
    if made.is_some() {
        check_changed(&demands, signed, &received);
    }
    let connection = if count & 16 == 0 { received } else { [signed, &received].concat() };
    let keys = if how & 8 == 0 { Keys::LookedUp } else { Keys::PerFrame };
    check_connection(&demands, keys, &connection, &lengths);
    Some(())
}

fn of_byte(kind: u8, byte: u8) -> Change {
    match kind & 3 {
        0 => Change::Flip(byte),
        1 => Change::Replace(byte),
        2 => Change::Remove,
        _ => Change::Insert(byte),
    }
}
