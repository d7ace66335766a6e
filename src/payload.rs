//! The state of a frame after its head: how long its payload is, and the hash that it adds to.

#[cfg(feature = "verify")]
use crate::protocol::CanonicalSource;
use crate::{
    error::{ErrorKind, Expected, Found, FrameError, Quantity},
    frame::{Head, Reading},
    protocol::{BufferedSha256, PayloadHash, Scratch, StringToSign, hash_canonical},
};

/// The bytes of payload that have come and are to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes that have come.
    pub seen: u64,
    /// The bytes that the frame holds in all; `None` if that is known only at the end of the input.
    pub expected: Option<u64>,
}

/// The length of a payload, which counts what has come.
#[derive(Clone, Default)]
pub(crate) struct PayloadLength {
    head_len: u64,
    /// `None` if the payload goes on to the end of the input.
    expected: Option<u64>,
    seen: u64,
}

impl PayloadLength {
    /// A payload of `expected` bytes behind a head of `head_len` bytes.
    pub(crate) fn new(head_len: u64, expected: Option<u64>) -> Self {
        Self { head_len, expected, seen: 0 }
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { seen: self.seen, expected: self.expected }
    }

    /// Counts the next bytes; refuses those beyond the end.
    pub(crate) fn count(&mut self, len: u64) -> Result<(), FrameError> {
        let room = self.expected.map_or(u64::MAX, |expected| expected - self.seen);
        if len > room {
            return Err(trailing_at(self.head_len + self.seen + room));
        }
        self.seen += len;
        Ok(())
    }

    /// Refuses a payload of which bytes are still to come.
    pub(crate) fn check_complete(&self) -> Result<(), FrameError> {
        let is_short = self.expected.is_some_and(|expected| expected > self.seen);
        if is_short { Err(self.truncated()) } else { Ok(()) }
    }

    /// Refuses `hash` if it cannot be that of the whole payload, of which nothing may have come.
    fn check_hash(&self, hash: PayloadHash) -> Result<(), FrameError> {
        if self.seen > 0 {
            return Err(trailing_at(self.head_len));
        }
        check_hash(self.expected, hash, self.head_len)
    }

    #[cold]
    fn truncated(&self) -> FrameError {
        let expected = Expected::Count(self.expected.unwrap_or_default(), Quantity::Payload);
        let found = Found::Count(self.seen);
        let offset = self.head_len.saturating_add(self.seen);
        FrameError::new(ErrorKind::TruncatedBody, 0, expected, found).at(offset)
    }
}

/// The state of a frame after its head: the hash of the canonical head, and the length of the
/// payload. The hash of the payload is taken elsewhere.
#[derive(Clone, Default)]
pub(crate) struct PayloadState {
    length: PayloadLength,
    canonical: BufferedSha256,
}

impl PayloadState {
    /// Begins with the payload that follows `head`.
    ///
    /// Without a Content-Length there is none in strict reading, and in lenient reading it is what
    /// comes up to the end (protocol rule 7.19).
    pub(crate) fn begin(&mut self, head: Head<'_>, scratch: &mut Scratch) {
        let is_strict = head.reading() == Reading::Strict;
        let expected = head.content_length().or(is_strict.then_some(0));
        self.length = PayloadLength::new(head.as_bytes().len() as u64, expected);
        hash_canonical(&head, None, scratch, &mut self.canonical);
    }

    /// The payload of a request that is signed without the field `left_out`, which carries the
    /// signature.
    #[cfg(feature = "verify")]
    pub(crate) fn of_request(
        request: &impl CanonicalSource,
        left_out: Option<&str>,
        length: PayloadLength,
    ) -> Self {
        let mut canonical = BufferedSha256::default();
        hash_canonical(request, left_out, &mut Scratch::default(), &mut canonical);
        Self { length, canonical }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.length.progress()
    }

    /// Counts the next bytes of payload; refuses those beyond the end.
    pub(crate) fn count(&mut self, len: u64) -> Result<(), FrameError> {
        self.length.count(len)
    }

    /// Refuses a payload of which bytes are still to come.
    #[cfg(any(feature = "codec", feature = "verify"))]
    pub(crate) fn check_complete(&self) -> Result<(), FrameError> {
        self.length.check_complete()
    }

    /// The string to sign of a payload that was counted here and whose hash is `payload`.
    pub(crate) fn finish(&mut self, payload: PayloadHash) -> Result<StringToSign, FrameError> {
        self.length.check_complete()?;
        Ok(self.string_to_sign(payload))
    }

    /// The string to sign of a payload of which nothing was counted and whose hash is `payload`.
    pub(crate) fn finish_with(&mut self, payload: PayloadHash) -> Result<StringToSign, FrameError> {
        self.length.check_hash(payload)?;
        Ok(self.string_to_sign(payload))
    }

    /// The string to sign of this head and `payload`.
    pub(crate) fn string_to_sign(&mut self, payload: PayloadHash) -> StringToSign {
        self.canonical.update(&payload.hex());
        StringToSign::new(&mut self.canonical)
    }
}

/// Refuses a hash that cannot be of a payload of `expected` bytes: that of an empty payload if
/// there are bytes, or of another one if there are none. The payload begins at `offset`.
pub(crate) fn check_hash(
    expected: Option<u64>,
    hash: PayloadHash,
    offset: u64,
) -> Result<(), FrameError> {
    let is_empty = hash == PayloadHash::of(b"");
    let (kind, expected, found) = match expected {
        Some(0) if !is_empty => {
            let expected = Expected::Text("a Content-Length above 0 with the hash of a payload");
            (ErrorKind::TrailingBytes, expected, "none")
        }
        Some(length @ 1..) if is_empty => {
            let expected = Expected::Count(length, Quantity::ContentLength);
            (ErrorKind::TruncatedBody, expected, "the hash of an empty one")
        }
        _ => return Ok(()),
    };
    Err(FrameError::new(kind, 0, expected, Found::Text(found)).at(offset))
}

/// The error of a byte at `offset`, behind the end of the frame.
#[cold]
pub(crate) fn trailing_at(offset: u64) -> FrameError {
    let expected = Expected::Text("the end of the frame");
    let found = Found::Text("a further byte");
    FrameError::new(ErrorKind::TrailingBytes, 0, expected, found).at(offset)
}
