//! The machine: a frame goes in chunk by chunk, its string to sign comes out.

use std::fmt;

use crate::{
    error::FrameError,
    frame::{Head, Rules},
    frame_parser::{FrameParser, State},
    payload::Progress,
    protocol::{BufferedSha256, PayloadHash, StringToSign},
};

/// Reads one frame in chunks of any size and hashes what is signed of it. Needs no key.
///
/// ```text
///          ┌─ chunk without the end of the head       ┌─ chunk
///          ▼                                          ▼
///   ● ──► Head ──────────end of the head──────────► Payload ──finish──► string to sign
///          │                                          │
///          └───────────────── refused ────────────────┴───────────────► Failed
/// ```
///
/// - `Head`: a head that lies in one chunk is read where it lies; one that is cut is collected in
///   a buffer, never longer than the head may be.
/// - `Payload`: bytes are hashed where they lie, and counted.
/// - `Failed`: a rule is broken; every further call says the same.
///
/// No clock and no I/O inside. Memory does not depend on the payload, and nothing is reserved on
/// the word of a Content-Length.
///
/// ```
/// use framesign::{FrameHasher, Rules};
///
/// let mut hasher = FrameHasher::new(Rules::strict());
/// hasher.update(b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-")?;
/// let update = hasher.update(b"Length: 5\r\n\r\nhe")?;
/// assert_eq!(update.head.expect("the head is whole now").target(), b"/up");
/// assert_eq!(update.payload, b"he");
/// let progress = hasher.progress().expect("the head is whole");
/// assert_eq!((progress.seen, progress.expected), (2, Some(5)));
///
/// hasher.update(b"llo")?;
/// println!("{}", hasher.finish()?);
/// # Ok::<(), framesign::FrameError>(())
/// ```
#[derive(Clone)]
pub struct FrameHasher {
    parser: FrameParser,
    hash: BufferedSha256,
}

/// The result of one chunk. Of a frame that is verified none of it is to be trusted yet.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Update<'a> {
    /// The head, in the one call in which it became whole.
    pub head: Option<Head<'a>>,
    /// The part of the chunk that is payload.
    pub payload: &'a [u8],
}

impl FrameHasher {
    /// Begins with a frame that is held to `rules`.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { parser: FrameParser::new(rules), hash: BufferedSha256::default() }
    }

    /// Takes the next chunk of the frame; it may be empty.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] if the frame breaks a rule; the same in every further call.
    pub fn update<'a>(&'a mut self, chunk: &'a [u8]) -> Result<Update<'a>, FrameError> {
        let (is_new, payload) = self.parser.update(chunk)?;
        // A head that comes byte by byte has no payload most of the time: 10 % of its time.
        if !payload.is_empty() {
            self.hash.update(payload);
        }
        let head = if is_new { self.parser.head(chunk) } else { None };
        Ok(Update { head, payload })
    }

    /// Ends the frame.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] if the frame is cut short, or was refused before.
    pub fn finish(mut self) -> Result<StringToSign, FrameError> {
        self.end()
    }

    /// Ends the frame and begins with another one, keeping the memory.
    ///
    /// # Errors
    ///
    /// Those of [`FrameHasher::finish`]; the next frame begins all the same.
    pub fn finish_reset(&mut self) -> Result<StringToSign, FrameError> {
        let result = self.end();
        self.reset();
        result
    }

    /// Ends a frame of which only the head went in, with the hash of its payload known.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] if the head is cut short, or was refused before;
    /// [`TrailingBytes`](crate::ErrorKind::TrailingBytes) if a byte followed the head, or if the
    /// frame has no payload and the hash is not that of an empty one;
    /// [`TruncatedBody`](crate::ErrorKind::TruncatedBody) if Content-Length is above 0 and the hash
    /// is that of an empty payload.
    pub fn finish_with(mut self, payload: PayloadHash) -> Result<StringToSign, FrameError> {
        self.parser.finish_with(payload)
    }

    /// Drops the frame and begins with another one, keeping the memory.
    pub fn reset(&mut self) {
        self.parser.reset();
        self.hash.reset();
    }

    /// Gives back the memory that large heads took.
    ///
    /// Kept is a few times the bytes of the largest head; at the worst, if it consisted of
    /// one-byte parameters, about 40 times.
    pub fn release(&mut self) {
        self.parser.release();
    }

    /// The progress of the payload; `None` until the head is whole, or after an error.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.parser.progress()
    }

    /// The hash of the payload that has come so far; `None` until the head is whole, or after an
    /// error.
    #[must_use]
    pub fn payload_hash(&self) -> Option<PayloadHash> {
        self.progress().map(|_| PayloadHash::new(&mut self.hash.clone()))
    }

    /// The parts, for a caller that has the payload hashed elsewhere.
    #[cfg(feature = "codec")]
    pub(crate) fn into_parts(self) -> (FrameParser, BufferedSha256) {
        (self.parser, self.hash)
    }

    fn end(&mut self) -> Result<StringToSign, FrameError> {
        let payload = PayloadHash::new(&mut self.hash);
        self.parser.finish(payload)
    }
}

impl fmt::Debug for Update<'_> {
    /// The length of the payload, not its bytes: they can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("head", &self.head)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .finish()
    }
}

impl fmt::Debug for FrameHasher {
    /// The state alone: heads can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FrameHasher");
        match self.parser.state() {
            State::Head => debug.field("state", &"Head"),
            State::Payload => debug.field("state", &self.parser.progress()),
            State::Failed(error) => debug.field("state", error),
        };
        debug.finish_non_exhaustive()
    }
}
