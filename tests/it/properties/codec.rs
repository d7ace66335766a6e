//! A connection yields through the codec what the core says of its frames, whatever the reads.

use bytes::BytesMut;
use framesign::{
    FrameError, Head, Rules, Signature, Signer,
    codec::{CodecError, ConnectionState, SigningCodec, SigningEvent},
    frame::HeadReader,
};
use tokio_util::codec::Decoder;

use super::{cuts::chunks, split_settings};
use crate::{
    naive::{Reading, Settings, connection::read_connection},
    stages::{ACCESS_KEY, DATE, SECRET_KEY, key},
};

/// All that came of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) frames: Vec<Frame>,
    pub(crate) end: Result<ConnectionState, FrameError>,
    /// What was received and is not of the frames, where it is no error.
    pub(crate) rest: Vec<u8>,
}

impl Outcome {
    /// The signatures of the frames that were read whole.
    pub(crate) fn signatures(&self) -> Vec<String> {
        let signatures = self.frames.iter().filter_map(|frame| frame.signature);
        signatures.map(|signature| signature.to_string()).collect()
    }

    /// How the connection ends, or the kind of the error.
    pub(crate) fn end_name(&self) -> &'static str {
        match &self.end {
            Ok(state) => end_name(*state),
            Err(error) => error.kind().as_str(),
        }
    }
}

/// The name that protocol section 8 gives to an end.
pub(crate) fn end_name(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Ended => "clean",
        ConnectionState::Tunnel => "tunnel",
        ConnectionState::MustClose => "closed",
        ConnectionState::UpgradePending => "upgrade",
        other => panic!("{other:?}"),
    }
}

/// What came of a frame; only the last one can be without a signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) head: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Option<Signature>,
}

impl Frame {
    pub(crate) fn new(head: &[u8]) -> Self {
        Self { head: head.to_vec(), payload: Vec::new(), signature: None }
    }
}

/// Holds a connection that is read in these lengths to what the core says of it, and to the oracle.
pub(crate) fn check(settings: &Settings, connection: &[u8], lengths: &[usize]) {
    let settings = Settings { reading: Reading::Strict, ..settings.clone() };
    let found = drive(codec(&settings), chunks(connection, lengths));
    let expected = by_core(&super::rules(&settings), connection);
    let what = || format!("{settings:?} {lengths:?} {}", connection.escape_ascii());
    assert_eq!(found, expected, "{}", what());
    let expected = read_connection(ACCESS_KEY, SECRET_KEY, DATE, &settings, connection);
    let found = (found.signatures(), found.end_name());
    assert_eq!(found, (expected.signatures, expected.end), "{}", what());
}

fn codec(settings: &Settings) -> SigningCodec {
    SigningCodec::new(key()).limits(super::limits(settings))
}

/// Decodes what is read, in the way in which `FramedRead` does.
pub(crate) fn drive<'a>(
    mut codec: SigningCodec,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let mut reads = reads.into_iter();
    let mut end = Ok(codec.state());
    while end == Ok(ConnectionState::Open) {
        let Some(mut read) = reads.next() else {
            end = drain(&mut codec, &mut buffer, &mut frames, SigningCodec::decode_eof);
            break;
        };
        while !read.is_empty() && end == Ok(ConnectionState::Open) {
            buffer.reserve(1);
            let room = buffer.capacity() - buffer.len();
            let (now, later) = read.split_at(read.len().min(room));
            buffer.extend_from_slice(now);
            read = later;
            end = drain(&mut codec, &mut buffer, &mut frames, SigningCodec::decode);
        }
        if end.is_ok() && end != Ok(ConnectionState::Open) {
            buffer.extend_from_slice(read);
        }
    }
    let rest = if end.is_ok() {
        [&buffer, &reads.collect::<Vec<_>>().concat()[..]].concat()
    } else {
        Vec::new()
    };
    Outcome { frames, end, rest }
}

type Decode = fn(&mut SigningCodec, &mut BytesMut) -> Result<Option<SigningEvent>, CodecError>;

/// Decodes as long as frames are read and there is an event.
fn drain(
    codec: &mut SigningCodec,
    buffer: &mut BytesMut,
    frames: &mut Vec<Frame>,
    decode: Decode,
) -> Result<ConnectionState, FrameError> {
    while let Some(event) = decode(codec, buffer).map_err(frame_error)? {
        match event {
            SigningEvent::Head(head) => frames.push(Frame::new(head.bytes())),
            SigningEvent::Data(data) => {
                assert!(!data.is_empty());
                frames.last_mut().unwrap().payload.extend_from_slice(&data);
            }
            SigningEvent::Signed(signature) => {
                let before = frames.last_mut().unwrap().signature.replace(signature);
                assert_eq!(before, None);
                if codec.state() != ConnectionState::Open {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(codec.state())
}

fn frame_error(error: CodecError) -> FrameError {
    match error {
        CodecError::Frame(error) => error,
        other => panic!("{other}"),
    }
}

/// The same by the core, frame by frame.
pub(crate) fn by_core(rules: &Rules, connection: &[u8]) -> Outcome {
    let mut frames = Vec::new();
    let mut rest = connection;
    let end = loop {
        match next_by_core(rules, &mut rest, &mut frames) {
            Ok(ConnectionState::Open) => {}
            end => break end,
        }
    };
    let rest = if end.is_ok() { rest.to_vec() } else { Vec::new() };
    Outcome { frames, end, rest }
}

fn next_by_core(
    rules: &Rules,
    rest: &mut &[u8],
    frames: &mut Vec<Frame>,
) -> Result<ConnectionState, FrameError> {
    let mut reader = HeadReader::new(rules.clone());
    let Some(head) = reader.read(rest)? else {
        if rest.strip_prefix(b"\r\n".repeat(rest.len() / 2).as_slice()) == Some(b"") {
            *rest = b"";
            return Ok(ConnectionState::Ended);
        }
        return Err(reader.truncated(rest.len() as u64));
    };
    let (head_bytes, after) = rest.split_at(head.as_bytes().len());
    let len = head.content_length().unwrap_or_default().min(after.len() as u64);
    let (payload, after) = after.split_at(usize::try_from(len).unwrap());
    frames.push(Frame { payload: payload.to_vec(), ..Frame::new(head_bytes) });
    let mut signer = Signer::with_rules(&key(), rules.clone());
    signer.update(head_bytes)?;
    signer.update(payload)?;
    frames.last_mut().unwrap().signature = Some(signer.finish()?);
    *rest = after;
    Ok(state_after(&head))
}

fn state_after(head: &Head<'_>) -> ConnectionState {
    let close = head.values("Connection").flat_map(|value| {
        let list = String::from_utf8_lossy(&value).to_ascii_lowercase();
        list.split(',')
            .map(|option| option.trim_matches([' ', '\t']).to_owned())
            .collect::<Vec<_>>()
    });
    if head.method() == "CONNECT" {
        ConnectionState::Tunnel
    } else if close.into_iter().any(|option| option == "close") {
        ConnectionState::MustClose
    } else if head.fields().any(|field| field.name().to_lowercase() == "upgrade") {
        ConnectionState::UpgradePending
    } else {
        ConnectionState::Open
    }
}

/// An input is the settings, a byte whose low four bits count the reads, a byte for the length of
/// each, and what the connection receives. Reading is strict in any case.
pub(crate) fn fuzz(input: &[u8]) {
    let Some((settings, rest)) = split_settings(input) else { return };
    let Some((count, rest)) = rest.split_first() else { return };
    let Some((lengths, connection)) = rest.split_at_checked(usize::from(count & 0xf)) else {
        return;
    };
    let lengths: Vec<usize> = lengths.iter().copied().map(usize::from).collect();
    check(&settings, connection, &lengths);
}
