//! Why an upload ended early.

use std::{error, fmt, io};

use framesign::{PayloadHash, client::NotSigned, http::BoxError};
use http::{Method, StatusCode};

/// Why an upload ended early.
///
/// Of an upload that [`can_be_resumed`](Self::can_be_resumed) the server may keep what it has
/// acknowledged. No other is of use any more.
#[derive(Debug)]
#[non_exhaustive]
pub enum UploadError {
    /// The URL is no `http` or `https` URL with a host and a path of visible ASCII.
    Url,
    /// The source cannot be read.
    Read(io::Error),
    /// The file changed while it was sent.
    SourceChanged,
    /// A request cannot be signed.
    NotSigned(NotSigned),
    /// The source is longer than what the server takes.
    TooLarge {
        /// The bytes of the source.
        length: u64,
        /// The most bytes that the server takes.
        max_size: u64,
    },
    /// The server takes no parts that are small enough to be held in memory, as those of a stream
    /// are.
    PartsTooLarge {
        /// The least bytes of a part that the server takes.
        min_append_size: u64,
        /// The most bytes of a part of a stream.
        most: u64,
    },
    /// The server takes parts that are too small to be worth a request.
    PartsTooSmall {
        /// The most bytes of a part that the server takes.
        max_append_size: u64,
        /// The least bytes of a part that is not the last.
        least: u64,
    },
    /// The server takes no parts, and a stream of unknown length is longer than one part.
    WithoutParts,
    /// The server refused a request.
    Refused {
        /// The method of the request.
        method: Method,
        /// The status of the answer.
        status: StatusCode,
        /// What the server says of it.
        detail: Option<String>,
        /// Whether the server says by `Upload-Complete: ?1` that the upload has ended with it.
        has_ended: bool,
    },
    /// The server does not know the upload any more.
    Gone,
    /// Requests failed again and again, or for too long.
    GaveUp {
        /// The number of requests that failed since the last one that did not.
        failures: u32,
        /// How the last one failed.
        last: Failure,
    },
    /// The server says that the upload is complete before all of it was sent.
    CompleteEarly,
    /// The answer of the server is not one of the protocol.
    Protocol(&'static str),
    /// The server names another hash of the whole: it has other bytes than were read.
    OtherHash {
        /// The hash of what was read.
        read: PayloadHash,
        /// The hash that the server names.
        named: PayloadHash,
    },
}

/// How a request failed that may be sent again.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// There was no answer, or only the beginning of one.
    Connection(BoxError),
    /// The answer says that the server is not able to serve now.
    Status {
        /// The status of the answer.
        status: StatusCode,
        /// What the server says of it.
        detail: Option<String>,
    },
}

impl UploadError {
    /// Tells whether the upload, if it was created, can go on later, by
    /// [`Client::resume`](super::Client::resume).
    ///
    /// So it is unless the upload is known to have ended: a full disk, a proxy with a lower limit, a
    /// wrong key and a wrong clock can be mended, and the answers of a network that asks for a login
    /// pass.
    #[must_use]
    pub fn can_be_resumed(&self) -> bool {
        match self {
            Self::Gone | Self::OtherHash { .. } | Self::SourceChanged | Self::CompleteEarly => {
                false
            }
            Self::Refused { has_ended, .. } => !has_ended,
            _ => true,
        }
    }
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str(
                "expected an http:// or https:// URL with a host, in visible ASCII, found another \
                 one; escape other characters",
            ),
            Self::Read(error) => error.fmt(f),
            Self::SourceChanged => {
                f.write_str("expected a file that stays as it is, found it changed; send it again")
            }
            Self::NotSigned(error) => error.fmt(f),
            Self::TooLarge { length, max_size } => write!(
                f,
                "expected at most {max_size} bytes, which the server takes, found {length}"
            ),
            Self::PartsTooLarge { min_append_size, most } => write!(
                f,
                "expected a min-append-size of at most {most} bytes, since a part of a pipe is held \
                 in memory, found {min_append_size}; send a file"
            ),
            Self::PartsTooSmall { max_append_size, least } => write!(
                f,
                "expected a max-append-size of at least {least} bytes, found {max_append_size}; ask \
                 the operator of the server for a higher one"
            ),
            Self::WithoutParts => f.write_str(
                "the server takes no parts, and the length of a pipe is not known; send a file, or \
                 raise the size of a part above the length",
            ),
            Self::Refused { method, status, detail, .. } => {
                write!(f, "the server refused {method} with {}", Answered(*status, detail))?;
                f.write_str(advice(*status))
            }
            Self::Gone => f.write_str("the server does not know the upload any more; begin anew"),
            Self::GaveUp { failures: 1, last } => last.fmt(f),
            Self::GaveUp { failures, last } => {
                write!(f, "{last}; gave up after {failures} failures")
            }
            Self::CompleteEarly => f.write_str(
                "the server says that the upload is complete early; do not use what it has, and \
                 begin anew",
            ),
            Self::Protocol(problem) => write!(f, "the server {problem}"),
            Self::OtherHash { read, named } => write!(
                f,
                "expected the hash {read} in the server's Repr-Digest, found {named}; do not use \
                 what the server has"
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => {
                f.write_str("no answer of the server: ")?;
                chain(error.as_ref(), f)
            }
            Self::Status { status, detail } => {
                write!(f, "the server answered {}", Answered(*status, detail))
            }
        }
    }
}

/// The errors of clients of HTTP say what happened, and their sources why.
fn chain(error: &(dyn error::Error + 'static), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut said = error.to_string();
    f.write_str(&said)?;
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !said.contains(&text) {
            write!(f, ": {text}")?;
            said = text;
        }
        source = error.source();
    }
    Ok(())
}

struct Answered<'a>(StatusCode, &'a Option<String>);

impl fmt::Display for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())?;
        match self.1 {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

/// What to do about an answer, where it does not say so itself.
fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "; check the keys, the clock and the URL",
        StatusCode::FORBIDDEN => "; ask for the right to upload there",
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "; check the URL",
        StatusCode::CONFLICT => "; choose another name if this one is taken",
        StatusCode::PAYLOAD_TOO_LARGE => "; send less, or in larger or smaller parts",
        _ => "",
    }
}

impl error::Error for UploadError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The message holds the inner error's own, so the chain goes on below it.
        match self {
            Self::Read(error) => error.source(),
            Self::NotSigned(error) => error.source(),
            _ => None,
        }
    }
}
