//! Why a frame is refused: precise for the log, one answer for the peer.

use std::{error, fmt};

use crate::error::{ErrorKind, FrameError};

/// The check that a frame did not pass, in the order of the checks (protocol section 9).
///
/// For the log and for tests, not for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// The frame breaks a rule of protocol section 7: its head, or the end of its payload.
    Frame,
    /// One of the three fields is not there.
    MissingField,
    /// One of the three fields is on more than one line.
    RepeatedField,
    /// The access key is empty, the date is none, or the signature is not 64 hexadecimal digits.
    MalformedField,
    /// The date is not today within the clock skew.
    Date,
    /// There is no time of signing, more than one, or it is too far from now.
    Stale,
    /// Host is none of the own hosts.
    Host,
    /// No live secret is known for the access key.
    UnknownKey,
    /// Content-Length is above the payload limit.
    TooLarge,
    /// The signature is that of no live secret.
    Signature,
    /// The payload is not the one whose hash was claimed.
    Digest,
}

impl Reason {
    /// The reason's name in logs, JSON and test vectors, such as `unknown-key`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::MissingField => "missing-field",
            Self::RepeatedField => "repeated-field",
            Self::MalformedField => "malformed-field",
            Self::Date => "date",
            Self::Stale => "stale",
            Self::Host => "host",
            Self::UnknownKey => "unknown-key",
            Self::TooLarge => "too-large",
            Self::Signature => "signature",
            Self::Digest => "digest",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What goes with every answer of status 401 (RFC 9110 section 11.6.1).
pub const WWW_AUTHENTICATE: &str = "framesign";

/// A frame that is not verified.
///
/// Its message is for the log: it names the check and both times where a time is wrong. A peer is
/// told the [`status`](Self::status) alone, so that all refusals but `frame` and `too-large` look
/// the same to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: Reason,
    detail: Box<str>,
    frame: Option<Box<FrameError>>,
}

impl Refusal {
    #[cold]
    pub(super) fn new(reason: Reason, detail: impl Into<Box<str>>) -> Self {
        Self { reason, detail: detail.into(), frame: None }
    }

    /// The check that was not passed.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What is wrong with the frame, where the reason is [`Reason::Frame`].
    #[must_use]
    pub fn frame_error(&self) -> Option<&FrameError> {
        self.frame.as_deref()
    }

    /// The status for the peer (RFC 9110 section 15): 400, 411, 413 or 401.
    ///
    /// To 401 belongs `WWW-Authenticate` with [`WWW_AUTHENTICATE`].
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.reason {
            Reason::Frame => match self.frame_error().map(FrameError::kind) {
                Some(ErrorKind::TransferEncoding) => 411,
                _ => 400,
            },
            Reason::TooLarge => 413,
            _ => 401,
        }
    }
}

impl From<FrameError> for Refusal {
    #[cold]
    fn from(error: FrameError) -> Self {
        let detail = error.to_string().into_boxed_str();
        Self { reason: Reason::Frame, detail, frame: Some(Box::new(error)) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

impl error::Error for Refusal {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.frame_error().map(|error| error as _)
    }
}
