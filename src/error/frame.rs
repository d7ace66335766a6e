//! Errors of frames: the broken rule, in words and with its place.

use std::{error, fmt};

use super::ErrorKind;
#[cfg(any(feature = "codec", feature = "verify"))]
use crate::problem::Problem;

/// A frame that is refused: which rule it breaks, at which byte, and what stood there.
///
/// The message shows a single byte, a method, a version or a length, never any other
/// value: values can be secrets, and errors end up in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameError {
    kind: ErrorKind,
    offset: u64,
    expected: Expected,
    found: Found,
}

impl FrameError {
    pub(crate) fn new(kind: ErrorKind, offset: usize, expected: Expected, found: Found) -> Self {
        Self { kind, offset: offset as u64, expected, found }
    }

    /// The same error at a byte that need not be in memory.
    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// The rule that the frame breaks.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The byte of the frame, counted from 0, at which the rule was seen to be broken.
    ///
    /// For an input that ended too early this is its length.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The answer for the peer (protocol section 9).
    #[cfg(any(feature = "codec", feature = "verify"))]
    pub(crate) fn problem(&self) -> Problem {
        match self.kind {
            ErrorKind::TransferEncoding => Problem::LENGTH_REQUIRED,
            _ => Problem::BAD_REQUEST,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, offset, expected, found } = self;
        write!(f, "{kind}: expected {expected}, found {found} at byte {offset}")
    }
}

impl error::Error for FrameError {}

/// The half of a message that says what should have stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Text(&'static str),
    Count(u64, Quantity),
}

/// The meaning of a number in a message. Not a text: so an error stays small, and the results that
/// may hold one are quick to hand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// The length of the payload.
    Payload,
    /// The length of the payload, by its Content-Length.
    ContentLength,
    /// The limit of a head.
    MaxHead,
    /// The limit of its field lines.
    MaxHeaders,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(bytes, Quantity::Payload) => write!(f, "{bytes} bytes of payload"),
            Self::Count(bytes, Quantity::ContentLength) => {
                write!(f, "{bytes} bytes of payload, as Content-Length says")
            }
            Self::Count(limit, Quantity::MaxHead) => write!(f, "at most {limit} bytes of head"),
            Self::Count(limit, Quantity::MaxHeaders) => write!(f, "at most {limit} field lines"),
        }
    }
}

/// The half of a message that says what stood there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    End,
    Byte(u8),
    Text(&'static str),
    Excerpt(Excerpt),
    Count(u64),
}

impl Found {
    /// The byte at `at`, or the end of the line or input.
    pub(crate) fn at(bytes: &[u8], at: usize) -> Self {
        bytes.get(at).map_or(Self::Text("the end of the line"), |&byte| Self::Byte(byte))
    }

    pub(crate) fn excerpt(bytes: &[u8]) -> Self {
        Self::Excerpt(Excerpt::new(bytes))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("the end of the input"),
            Self::Byte(b'\r') => f.write_str("CR"),
            Self::Byte(b'\n') => f.write_str("LF"),
            Self::Byte(b'\t') => f.write_str("a tab"),
            Self::Byte(b' ') => f.write_str("a space"),
            Self::Byte(0) => f.write_str("NUL"),
            Self::Byte(byte) if byte.is_ascii_graphic() => write!(f, "`{}`", char::from(*byte)),
            Self::Byte(byte) => write!(f, "byte 0x{byte:02x}"),
            Self::Text(text) => f.write_str(text),
            Self::Excerpt(excerpt) => write!(f, "`{excerpt}`"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// The first bytes of what was found, so that an error needs no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
    cut: bool,
}

impl Excerpt {
    /// Longer than every registered method, short enough for one line.
    const MAX_LEN: usize = 20;

    fn new(source: &[u8]) -> Self {
        let mut excerpt =
            Self { bytes: [0; Self::MAX_LEN], len: 0, cut: source.len() > Self::MAX_LEN };
        for (to, from) in excerpt.bytes.iter_mut().zip(source) {
            *to = *from;
            excerpt.len += 1;
        }
        excerpt
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        write!(f, "{}{}", shown.escape_ascii(), if self.cut { "…" } else { "" })
    }
}
