//! The reason why a request is not signed.

use std::{error, fmt, io, path::PathBuf};

use crate::{error::ApiMisuse, signing::SigningError};

/// The reason why a request is not signed. Nothing of it was sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotSigned {
    /// The request cannot be signed as it is.
    Signing(SigningError),
    /// The hash of the body is not known, and a stream can be read only once.
    UnknownHash,
    /// The request has a Content-Length that is not the length of its body.
    ContentLength {
        /// The number in the field.
        field: u64,
        /// The length of the body.
        body: u64,
    },
    /// The URL is no target of a request.
    Url,
    /// The file cannot be read, or changed while it was hashed.
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error of the file system.
        error: io::Error,
    },
    /// The threads that hash are gone: the runtime shuts down.
    Runtime(io::Error),
}

impl fmt::Display for NotSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signing(error) => error.fmt(f),
            Self::UnknownHash => f.write_str(
                "expected a body whose hash is known, found a stream; send bytes or a file, or \
                 give the hash of the stream beforehand",
            ),
            Self::Url => f.write_str("expected a URL with a host, found another one"),
            Self::ContentLength { field, body } => write!(
                f,
                "expected {body}, the length of the body, in Content-Length, found {field}; \
                 remove the field, or send the whole body"
            ),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Runtime(error) => write!(f, "the payload was not hashed: {error}"),
        }
    }
}

impl error::Error for NotSigned {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // The message holds the inner error's own, so the chain goes on below it.
        match self {
            Self::Signing(error) => error.source(),
            Self::File { error, .. } | Self::Runtime(error) => error.source(),
            Self::UnknownHash | Self::Url | Self::ContentLength { .. } => None,
        }
    }
}

impl From<SigningError> for NotSigned {
    fn from(error: SigningError) -> Self {
        Self::Signing(error)
    }
}

impl From<ApiMisuse> for NotSigned {
    fn from(error: ApiMisuse) -> Self {
        Self::Signing(error.into())
    }
}
