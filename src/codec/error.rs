//! The errors of a connection.

use std::{error, fmt, io};

#[cfg(feature = "replay")]
use crate::replay::{ReplayError, ReplayStoreError};
#[cfg(feature = "verify")]
use crate::verify::Refusal;
use crate::{error::FrameError, problem::Problem};

/// The reason why a codec has no event to yield.
///
/// After [`Frame`](Self::Frame), [`Refused`](Self::Refused) and `Unavailable` nothing more is decoded: every
/// further call says the same, and what the peer sends is dropped. Close the connection then.
#[derive(Debug)]
#[non_exhaustive]
pub enum CodecError {
    /// A frame breaks a rule of the protocol. The offset counts from the first byte after the
    /// frame before.
    Frame(FrameError),
    /// A signed frame is not verified; also if it breaks a rule, which is the reason `frame`.
    #[cfg(feature = "verify")]
    Refused(Refusal),
    /// It cannot be known whether a frame came before, and so it is not accepted.
    #[cfg(feature = "replay")]
    Unavailable(ReplayStoreError),
    /// The caller went on without what the codec waits for. Nothing is lost by it.
    Misuse(CodecMisuse),
    /// Reading failed.
    Io(io::Error),
}

/// A misuse of a codec: a call that it was not ready for. Nothing is lost by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecMisuse {
    /// The frame whose head was given has no key yet.
    NoKey,
    /// A frame had an `Upgrade` field, and nobody has said that the connection stays HTTP.
    Upgrade,
    /// A CONNECT frame has ended. What follows is no frame.
    Tunnel,
    /// Keys were given, but no frame waits for them.
    UnaskedKey,
}

impl CodecError {
    /// The status for the peer (RFC 9110 section 15), if its frame is not taken: that of
    /// `Refusal::status`, for a frame that breaks a rule 400 or 411, and 503 if it cannot be known
    /// whether it came before. `None` if the caller went
    /// on too early or reading failed: what the peer is told then, if anything, is the caller's to
    /// say.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use framesign::codec::SigningCodec;
    /// use tokio_util::codec::Decoder;
    ///
    /// # let key = framesign::SigningKey::derive(
    /// #     &framesign::Credentials::new("access", "secret")?, framesign::SigningDate::today());
    /// let mut received = BytesMut::from("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n");
    /// let error = SigningCodec::new(key).decode(&mut received).unwrap_err();
    /// assert_eq!(error.status(), Some(411));
    /// assert!(error.http1_response().unwrap().starts_with(b"HTTP/1.1 411 Length Required\r\n"));
    /// # Ok::<(), framesign::ApiMisuse>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.problem().map(Problem::status)
    }

    /// The answer as the bytes of a whole HTTP/1.1 response, if there is a
    /// [`status`](Self::status): problem details (RFC 9457) with the field that belongs to the
    /// status and nothing of the reason.
    ///
    /// It has `Connection: close`: send it and close the connection. It has no Date, since the
    /// library knows no clock.
    #[must_use]
    pub fn http1_response(&self) -> Option<Vec<u8>> {
        self.problem().map(Problem::to_http1)
    }

    fn problem(&self) -> Option<Problem> {
        match self {
            Self::Frame(error) => Some(error.problem()),
            #[cfg(feature = "verify")]
            Self::Refused(refusal) => Some(refusal.problem()),
            #[cfg(feature = "replay")]
            Self::Unavailable(_) => Some(Problem::UNAVAILABLE),
            Self::Misuse(_) | Self::Io(_) => None,
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            #[cfg(feature = "verify")]
            Self::Refused(refusal) => refusal.fmt(f),
            #[cfg(feature = "replay")]
            Self::Unavailable(error) => error.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl error::Error for CodecError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The message is the inner error's own, so the chain goes on below it.
        match self {
            Self::Frame(error) => error.source(),
            #[cfg(feature = "verify")]
            Self::Refused(refusal) => refusal.source(),
            #[cfg(feature = "replay")]
            Self::Unavailable(error) => error.source(),
            Self::Misuse(misuse) => misuse.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl fmt::Display for CodecMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => {
                "the frame has no key yet: call `provide` before decoding what follows its head"
            }
            Self::Upgrade => {
                "a frame asked for an Upgrade: call `resume` before decoding if the connection \
                 stays HTTP"
            }
            Self::Tunnel => {
                "what follows a CONNECT frame is no frame: take the connection over by `into_parts`"
            }
            Self::UnaskedKey => {
                "no frame waits for its key: call `provide` once, after the frame's head"
            }
        })
    }
}

impl error::Error for CodecMisuse {}

impl From<FrameError> for CodecError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

#[cfg(feature = "verify")]
impl From<Refusal> for CodecError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[cfg(feature = "replay")]
impl From<ReplayError> for CodecError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Refused(refusal) => Self::Refused(refusal),
            ReplayError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<CodecMisuse> for CodecError {
    fn from(misuse: CodecMisuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<io::Error> for CodecError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
