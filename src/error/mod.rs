//! Errors, and whose fault they are: bytes ([`FrameError`]), the caller ([`ApiMisuse`]),
//! or the source that bytes are read from ([`Error::Io`]).

mod frame;
mod kind;
mod misuse;

use std::{error, fmt, io};

pub use self::frame::FrameError;
pub(crate) use self::frame::{Expected, Found, Quantity};
pub use self::kind::ErrorKind;
pub use self::misuse::ApiMisuse;

/// The reason why [`sign`](crate::sign()) or [`sign_reader`](crate::sign_reader) has no signature
/// to return.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The caller passed something that cannot be used.
    Misuse(ApiMisuse),
    /// The frame breaks a rule of the protocol.
    Frame(FrameError),
    /// The source of the bytes failed.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The message is the inner error's own, so the chain goes on below it.
        match self {
            Self::Misuse(error) => error.source(),
            Self::Frame(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl From<ApiMisuse> for Error {
    fn from(error: ApiMisuse) -> Self {
        Self::Misuse(error)
    }
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
