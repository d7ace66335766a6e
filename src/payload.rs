//! The payload: counted against its length, and hashed where it lies.

#[cfg(feature = "verify")]
use crate::protocol::CanonicalSource;
use crate::{
    error::{ErrorKind, Expected, Found, FrameError},
    frame::Head,
    protocol::{BufferedSha256, PayloadHash, Scratch, StringToSign, hash_canonical},
};

/// How much payload has come and is to come, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What has come.
    pub seen: u64,
    /// What the frame holds in all; `None` where that is known only at the end of the input.
    pub expected: Option<u64>,
}

/// The state after the head: two hashes and two numbers, whatever the payload.
#[derive(Clone, Default)]
pub(crate) struct Payload {
    head_len: u64,
    /// `None` where the payload goes on to the end of the input.
    expected: Option<u64>,
    seen: u64,
    canonical: BufferedSha256,
    hash: BufferedSha256,
}

impl Payload {
    /// Begins with the payload that follows `head`.
    ///
    /// Without a Content-Length there is none in strict reading, and in lenient reading it is what
    /// comes up to the end (protocol rule 7.19).
    pub(crate) fn begin(&mut self, head: Head<'_>, is_strict: bool, scratch: &mut Scratch) {
        let expected = head.content_length().or(is_strict.then_some(0));
        self.begin_with(head.as_bytes().len() as u64, expected);
        hash_canonical(&head, None, scratch, &mut self.canonical);
    }

    /// The payload of a request that is signed without the field `left_out`, which carries the
    /// signature.
    #[cfg(feature = "verify")]
    pub(crate) fn of_request(
        request: &impl CanonicalSource,
        left_out: Option<&str>,
        head_len: u64,
        expected: Option<u64>,
    ) -> Self {
        let mut payload = Self::default();
        payload.begin_with(head_len, expected);
        hash_canonical(request, left_out, &mut Scratch::default(), &mut payload.canonical);
        payload
    }

    fn begin_with(&mut self, head_len: u64, expected: Option<u64>) {
        self.head_len = head_len;
        self.expected = expected;
        self.seen = 0;
        self.hash.reset();
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { seen: self.seen, expected: self.expected }
    }

    pub(crate) fn hash(&self) -> PayloadHash {
        PayloadHash::new(&mut self.hash.clone())
    }

    /// Hashes the next bytes; refuses what is beyond the end.
    pub(crate) fn update(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        self.count(bytes.len() as u64)?;
        self.hash.update(bytes);
        Ok(())
    }

    /// Counts the next bytes, which are hashed elsewhere; refuses what is beyond the end.
    pub(crate) fn count(&mut self, len: u64) -> Result<(), FrameError> {
        let room = self.expected.map_or(u64::MAX, |expected| expected - self.seen);
        if len > room {
            return Err(Self::trailing_at(self.head_len + self.seen + room));
        }
        self.seen += len;
        Ok(())
    }

    /// The string to sign, of the payload seen or of one whose hash is `given`.
    pub(crate) fn finish(
        &mut self,
        given: Option<PayloadHash>,
    ) -> Result<StringToSign, FrameError> {
        let payload = match given {
            Some(_) if self.seen > 0 => return Err(Self::trailing_at(self.head_len)),
            Some(given) => {
                Self::check_hash(self.expected, given, self.head_len)?;
                given
            }
            None => {
                self.check_whole()?;
                PayloadHash::new(&mut self.hash)
            }
        };
        Ok(self.string_to_sign(payload))
    }

    /// The hash of the payload, once it has come whole; `given` where it was hashed elsewhere.
    #[cfg(any(feature = "codec", feature = "verify"))]
    pub(crate) fn end(&mut self, given: Option<PayloadHash>) -> Result<PayloadHash, FrameError> {
        self.check_whole()?;
        Ok(given.unwrap_or_else(|| PayloadHash::new(&mut self.hash)))
    }

    fn check_whole(&self) -> Result<(), FrameError> {
        let is_short = self.expected.is_some_and(|expected| expected > self.seen);
        if is_short { Err(self.truncated()) } else { Ok(()) }
    }

    /// Refuses a hash that cannot be of a payload as long as `expected`: that of an empty payload if
    /// there are bytes, or of another one if there are none. The payload begins at `offset`.
    pub(crate) fn check_hash(
        expected: Option<u64>,
        hash: PayloadHash,
        offset: u64,
    ) -> Result<(), FrameError> {
        let is_empty = hash == PayloadHash::of(b"");
        let (kind, expected, found) = match expected {
            Some(0) if !is_empty => {
                let expected =
                    Expected::Text("a Content-Length above 0 with the hash of a payload");
                (ErrorKind::TrailingBytes, expected, "none")
            }
            Some(length @ 1..) if is_empty => {
                let expected = Expected::Count(length, "bytes of payload, as Content-Length says");
                (ErrorKind::TruncatedBody, expected, "the hash of an empty one")
            }
            _ => return Ok(()),
        };
        Err(FrameError::new(kind, 0, expected, Found::Text(found)).at(offset))
    }

    /// The string to sign of a payload that was counted here and hashed elsewhere.
    #[cfg(feature = "codec")]
    pub(crate) fn finish_counted(
        &mut self,
        payload: PayloadHash,
    ) -> Result<StringToSign, FrameError> {
        let payload = self.end(Some(payload))?;
        Ok(self.string_to_sign(payload))
    }

    /// The string to sign of this head and `payload`.
    pub(crate) fn string_to_sign(&mut self, payload: PayloadHash) -> StringToSign {
        self.canonical.update(&payload.hex());
        StringToSign::new(&mut self.canonical)
    }

    /// The error of a byte at `offset`, where the frame has ended.
    #[cold]
    pub(crate) fn trailing_at(offset: u64) -> FrameError {
        let expected = Expected::Text("the end of the frame");
        let found = Found::Text("a further byte");
        FrameError::new(ErrorKind::TrailingBytes, 0, expected, found).at(offset)
    }

    #[cold]
    fn truncated(&self) -> FrameError {
        let expected = Expected::Count(self.expected.unwrap_or_default(), "bytes of payload");
        let found = Found::Count(self.seen);
        let offset = self.head_len.saturating_add(self.seen);
        FrameError::new(ErrorKind::TruncatedBody, 0, expected, found).at(offset)
    }
}
