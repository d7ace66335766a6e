//! Why another service gave no answer that helps.

use std::{fmt, io};

use framesign::SigningDate;
use http::StatusCode;

use crate::text::visible::Name;

/// Why another service gave no answer that helps.
#[derive(Debug)]
pub(crate) enum RemoteError {
    /// The connection failed.
    Io(io::Error),
    /// The exchange failed.
    Http(hyper::Error),
    /// No answer came in time.
    TimedOut,
    /// The answer is larger than any should be, or is not what was asked for.
    Malformed,
    /// The service answered with another status than 200, and this detail.
    Refused(StatusCode, String),
    /// The service reads the frame in another way.
    OtherReading,
    /// The signature is of another day than the frame.
    OtherDate { expected: SigningDate, found: SigningDate },
}

impl RemoteError {
    /// Returns whether it is the frame that is refused, and no other would help.
    pub(crate) fn is_of_frame(&self) -> bool {
        let of_frame = [StatusCode::FORBIDDEN, StatusCode::UNPROCESSABLE_ENTITY];
        matches!(self, Self::Refused(status, _) if of_frame.contains(status))
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the service cannot be asked: {error}"),
            Self::Http(error) => write!(f, "the service cannot be asked: {error}"),
            Self::TimedOut => f.write_str("the service gave no answer in time"),
            Self::Malformed => f.write_str(
                "expected an answer of a framesign service, found another one; check the URL",
            ),
            Self::Refused(status, detail) => {
                let (status, detail) = (status.as_u16(), Name::new(detail.as_bytes()));
                write!(f, "the service answered {status}: {detail}")
            }
            Self::OtherReading => f.write_str(
                "expected a service that reads the frame in the same way, found another string to \
                 sign; both must read strictly, or both leniently",
            ),
            Self::OtherDate { expected, found } => write!(
                f,
                "expected a signature of {expected}, found one of {found}; midnight has passed, or \
                 the clocks differ: try again"
            ),
        }
    }
}

impl From<io::Error> for RemoteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<hyper::Error> for RemoteError {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}
