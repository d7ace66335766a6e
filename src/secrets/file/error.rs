//! The errors of a file of secrets.

use std::{error, fmt, io};

use super::read::ReadError;
use crate::error::ApiMisuse;

/// A file of secrets that cannot be used.
///
/// It tells a line at most, never what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileError {
    /// The file is out of reach.
    Io(io::ErrorKind),
    /// The file is not a regular one.
    NotRegular {
        /// Its kind, with an article: "a FIFO".
        found: &'static str,
    },
    /// The file is longer than 1 MiB.
    TooLarge,
    /// The file changed while it was read.
    Changed,
    /// The file is not in UTF-8.
    NotUtf8,
    /// The file is not TOML.
    NotToml {
        /// The line, counted from 1, at which that was seen.
        line: usize,
    },
    /// An access key has something else than a list of strings.
    NotStrings {
        /// The line, counted from 1, of the value.
        line: usize,
    },
    /// An access key or a secret cannot be signed with.
    Unusable {
        /// The line, counted from 1, of the access key's list.
        line: usize,
        /// The reason why not.
        error: ApiMisuse,
    },
    /// The file has no access key, as if it had been cut off.
    Empty,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "the file of secrets cannot be read: {kind}"),
            Self::NotRegular { found } => ReadError::NotRegular { found }.fmt(f),
            Self::TooLarge => f.write_str("expected secrets of at most 1 MiB, found more"),
            Self::Changed => ReadError::Changed.fmt(f),
            Self::NotUtf8 => f.write_str("expected secrets in UTF-8, found other bytes"),
            Self::NotToml { line } => {
                write!(f, "expected secrets in TOML, found something else in line {line}")
            }
            Self::NotStrings { line } => {
                write!(f, "expected a list of strings, found something else in line {line}")
            }
            Self::Unusable { line, error } => write!(f, "{error} in line {line}"),
            Self::Empty => f.write_str("expected an access key, found none"),
        }
    }
}

impl error::Error for FileError {}

impl From<ReadError> for FileError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::Io(error.kind()),
            ReadError::NotRegular { found } => Self::NotRegular { found },
            ReadError::TooLarge { .. } => Self::TooLarge,
            ReadError::Changed => Self::Changed,
        }
    }
}
