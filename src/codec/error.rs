//! Why a connection yields no further event.

use std::{error, fmt, io};

use crate::error::FrameError;
#[cfg(feature = "verify")]
use crate::verify::Refusal;

/// Why a codec has no event to yield.
///
/// After [`Frame`](Self::Frame) and [`Refused`](Self::Refused) nothing more is decoded: every
/// further call says the same, and what the peer sends is dropped. Close the connection then.
#[derive(Debug)]
#[non_exhaustive]
pub enum CodecError {
    /// A frame breaks a rule of the protocol. The offset counts from the first byte after the
    /// frame before.
    Frame(FrameError),
    /// A signed frame is not verified; also where it breaks a rule, which is the reason `frame`.
    #[cfg(feature = "verify")]
    Refused(Refusal),
    /// The caller went on without what the codec waits for. Nothing is lost by it.
    Misuse(Misuse),
    /// Reading failed.
    Io(io::Error),
}

/// What a codec waits for while its caller asks for the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The key of the frame whose head was given.
    NoKey,
    /// The word that the connection stays HTTP in spite of an `Upgrade` field.
    Upgrade,
    /// Nothing: what follows a CONNECT frame is no frame.
    Tunnel,
    /// Keys were given where no frame waits for them.
    UnaskedKey,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => error.fmt(f),
            #[cfg(feature = "verify")]
            Self::Refused(refusal) => refusal.fmt(f),
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
            Self::Misuse(misuse) => misuse.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "expected the key of the frame, found a call for its next event",
            Self::Upgrade => {
                "expected the word that the connection stays HTTP, found a call for the next frame"
            }
            Self::Tunnel => "expected an end after a CONNECT frame, found a call for the next one",
            Self::UnaskedKey => "expected a frame that waits for its key, found none",
        })
    }
}

impl error::Error for Misuse {}

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

impl From<Misuse> for CodecError {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<io::Error> for CodecError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
