//! Why a file was not uploaded.

use std::{fmt, io, path::PathBuf};

use framesign_upload::client::UploadError;

use crate::{exit::Exit, output::Failure, text::visible::Name};

/// Why a file was not uploaded.
#[derive(Debug)]
pub(super) enum UploadFailure {
    /// The file cannot be opened, or the state of an upload cannot be read.
    Io(io::Error),
    /// A pipe, or standard input, is to be resumed.
    Pipe,
    /// The file is not what it was when the upload began whose state is at the path.
    ChangedSince(PathBuf),
    /// The upload ended early. Its state is kept if it can be resumed.
    Upload { error: UploadError, is_kept: bool },
}

impl Failure for UploadFailure {
    fn exit(&self) -> Exit {
        match self {
            Self::Io(_) => Exit::Failed,
            Self::Pipe => Exit::Misused,
            Self::ChangedSince(_) => Exit::Refused,
            Self::Upload { error, .. } => match error {
                UploadError::Url | UploadError::NotSigned(_) => Exit::Misused,
                UploadError::TooLarge { .. }
                | UploadError::PartsTooLarge { .. }
                | UploadError::PartsTooSmall { .. }
                | UploadError::WithoutParts
                | UploadError::Refused { .. }
                | UploadError::Gone
                | UploadError::OtherHash { .. } => Exit::Refused,
                _ => Exit::Failed,
            },
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::Pipe => "input",
            Self::ChangedSince(_) => "changed",
            Self::Upload { error, .. } => match error {
                UploadError::Url | UploadError::NotSigned(_) => "input",
                UploadError::SourceChanged => "changed",
                UploadError::TooLarge { .. } => "too-large",
                UploadError::PartsTooLarge { .. } | UploadError::PartsTooSmall { .. } => {
                    "part-size"
                }
                UploadError::WithoutParts => "without-parts",
                UploadError::Refused { .. } => "refused",
                UploadError::Gone => "gone",
                UploadError::GaveUp { .. } => "unavailable",
                UploadError::CompleteEarly | UploadError::Protocol(_) => "protocol",
                UploadError::OtherHash { .. } => "digest",
                _ => "io",
            },
        }
    }
}

impl fmt::Display for UploadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Pipe => f.write_str(
                "--resume: expected the name of a file, found a pipe or standard input, of which \
                 nobody can tell that it is the same",
            ),
            Self::ChangedSince(state) => write!(
                f,
                "expected the file that the upload began with, found it changed; to begin anew \
                 leave out --resume, or remove {}",
                Name::of(state)
            ),
            Self::Upload { error, is_kept } => {
                // The words of a server among it.
                Name::new(error.to_string().as_bytes()).fmt(f)?;
                f.write_str(if *is_kept { "; --resume goes on with it" } else { "" })
            }
        }
    }
}

impl From<io::Error> for UploadFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
