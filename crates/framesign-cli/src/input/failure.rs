//! Why one frame has no result. The frames after it are read all the same.

use std::{fmt, io};

use framesign::{ApiMisuse, FrameError, SigningError};

#[cfg(feature = "remote")]
use crate::remote::RemoteError;
use crate::{exit::Exit, output::Failure};

/// Why one frame has no result.
#[derive(Debug)]
pub(crate) enum InputFailure {
    /// The frame breaks a rule.
    Refused(FrameError),
    /// The fields of a signed frame cannot be added.
    Unsignable(ApiMisuse),
    /// The frame cannot be read.
    Io(io::Error),
    /// The service that is to sign it does not.
    #[cfg(feature = "remote")]
    Remote(RemoteError),
}

impl Failure for InputFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused(_)
            | Self::Unsignable(
                ApiMisuse::SignedAlready | ApiMisuse::ContentDigest | ApiMisuse::Nonce,
            ) => Exit::Refused,
            Self::Unsignable(_) => Exit::Misused,
            #[cfg(feature = "remote")]
            Self::Remote(error) if error.is_of_frame() => Exit::Refused,
            #[cfg(feature = "remote")]
            Self::Remote(_) => Exit::Failed,
            Self::Io(_) => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Refused(error) => error.kind().as_str(),
            Self::Unsignable(_) => "input",
            Self::Io(_) => "io",
            #[cfg(feature = "remote")]
            Self::Remote(_) => "remote",
        }
    }

    fn offset(&self) -> Option<u64> {
        match self {
            Self::Refused(error) => Some(error.offset()),
            Self::Unsignable(_) | Self::Io(_) => None,
            #[cfg(feature = "remote")]
            Self::Remote(_) => None,
        }
    }
}

impl fmt::Display for InputFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Unsignable(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            #[cfg(feature = "remote")]
            Self::Remote(error) => error.fmt(f),
        }
    }
}

impl From<FrameError> for InputFailure {
    fn from(error: FrameError) -> Self {
        Self::Refused(error)
    }
}

impl From<SigningError> for InputFailure {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Misuse(error) => Self::Unsignable(error),
            SigningError::Frame(error) => Self::Refused(error),
            // There is no policy that could refuse it.
            error => Self::Io(io::Error::other(error)),
        }
    }
}

impl From<io::Error> for InputFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(feature = "remote")]
impl From<RemoteError> for InputFailure {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}
