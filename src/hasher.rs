//! The machine: a frame goes in chunk by chunk, its string to sign comes out.

use std::fmt;

use crate::{
    error::FrameError,
    frame::{Collector, Head, Rules},
    payload::{Payload, Progress},
    protocol::{PayloadHash, Scratch, StringToSign},
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
    collector: Collector,
    scratch: Scratch,
    /// Of the frame in `Payload`.
    payload: Payload,
    is_strict: bool,
    state: State,
}

#[derive(Clone)]
enum State {
    Head,
    Payload,
    Failed(FrameError),
}

/// What one chunk brought. Of a frame that is verified none of it is to be trusted yet.
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
        Self {
            is_strict: rules.is_strict(),
            collector: Collector::new(rules),
            scratch: Scratch::default(),
            payload: Payload::default(),
            state: State::Head,
        }
    }

    /// Takes the next chunk of the frame; it may be empty.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] where the frame breaks a rule; the same in every further call.
    pub fn update<'a>(&'a mut self, chunk: &'a [u8]) -> Result<Update<'a>, FrameError> {
        match self.advance(chunk, Payload::update) {
            Ok((is_new, payload)) => {
                let head = if is_new { self.collector.head(chunk) } else { None };
                Ok(Update { head, payload })
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Takes the next chunk and leaves the payload in it, which is returned, to be hashed elsewhere.
    #[cfg(feature = "codec")]
    pub(crate) fn count<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], FrameError> {
        let count = |payload: &mut Payload, bytes: &[u8]| payload.count(bytes.len() as u64);
        match self.advance(chunk, count) {
            Ok((_, payload)) => Ok(payload),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Ends a frame whose payload was hashed elsewhere, and begins with another one.
    #[cfg(feature = "codec")]
    pub(crate) fn finish_counted(
        &mut self,
        payload: PayloadHash,
    ) -> Result<StringToSign, FrameError> {
        let result = match &self.state {
            State::Payload => self.payload.finish_counted(payload),
            State::Head | State::Failed(_) => self.end(None),
        };
        self.reset();
        result
    }

    /// Ends the frame.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] where the frame is cut short, or was refused before.
    pub fn finish(mut self) -> Result<StringToSign, FrameError> {
        self.end(None)
    }

    /// Ends the frame and begins with another one, keeping the memory.
    ///
    /// # Errors
    ///
    /// Those of [`FrameHasher::finish`]; the next frame begins all the same.
    pub fn finish_reset(&mut self) -> Result<StringToSign, FrameError> {
        let result = self.end(None);
        self.reset();
        result
    }

    /// Ends a frame of which only the head went in, with the hash of its payload known.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] where the head is cut short, or was refused before;
    /// [`TrailingBytes`](crate::ErrorKind::TrailingBytes) if a byte followed the head, or if the frame
    /// has no payload and the hash is not that of an empty one;
    /// [`TruncatedBody`](crate::ErrorKind::TruncatedBody) if Content-Length is above 0 and the hash is
    /// that of an empty payload.
    pub fn finish_with(mut self, payload: PayloadHash) -> Result<StringToSign, FrameError> {
        self.end(Some(payload))
    }

    /// Drops the frame and begins with another one, keeping the memory.
    pub fn reset(&mut self) {
        self.collector.reset();
        self.state = State::Head;
    }

    /// Gives back the memory that large heads took.
    ///
    /// Kept is a few times the bytes of the largest head; at the worst, where it consisted of
    /// one-byte parameters, about 40 times.
    pub fn release(&mut self) {
        self.scratch.release();
    }

    /// How far the payload has come; `None` until the head is whole, or after an error.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        matches!(self.state, State::Payload).then(|| self.payload.progress())
    }

    /// The hash of the payload that has come so far; `None` until the head is whole, or after an
    /// error.
    #[must_use]
    pub fn payload_hash(&self) -> Option<PayloadHash> {
        matches!(self.state, State::Payload).then(|| self.payload.hash())
    }

    /// The payload in `chunk`, which `into` takes, and whether the head became whole in it.
    fn advance<'a>(
        &mut self,
        chunk: &'a [u8],
        into: impl FnOnce(&mut Payload, &[u8]) -> Result<(), FrameError>,
    ) -> Result<(bool, &'a [u8]), FrameError> {
        match &self.state {
            State::Head => {
                let Some(payload) = self.collector.push(chunk)? else { return Ok((false, &[])) };
                if let Some(head) = self.collector.head(chunk) {
                    self.payload.begin(head, self.is_strict, &mut self.scratch);
                }
                self.state = State::Payload;
                into(&mut self.payload, payload)?;
                Ok((true, payload))
            }
            State::Payload => {
                self.collector.release();
                into(&mut self.payload, chunk)?;
                Ok((false, chunk))
            }
            State::Failed(error) => Err(error.clone()),
        }
    }

    fn end(&mut self, given: Option<PayloadHash>) -> Result<StringToSign, FrameError> {
        match &self.state {
            State::Head => Err(self.collector.truncated()),
            State::Payload => self.payload.finish(given),
            State::Failed(error) => Err(error.clone()),
        }
    }

    #[cold]
    fn fail(&mut self, error: FrameError) -> FrameError {
        self.state = State::Failed(error.clone());
        error
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
        match &self.state {
            State::Head => debug.field("state", &"Head"),
            State::Payload => debug.field("state", &self.payload.progress()),
            State::Failed(error) => debug.field("state", error),
        };
        debug.finish_non_exhaustive()
    }
}
