//! Refusals: precise for the log, one answer for the peer.

use std::{error, fmt};

use crate::{error::FrameError, problem::Problem};

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
    /// The head claims no hash of its payload, and the verifier does not take this payload without.
    DigestRequired,
    /// The signature is that of no live secret.
    Signature,
    /// The payload is not the one whose hash was claimed.
    Digest,
    /// The frame came before, and the verifier takes each only once (protocol section 10).
    Replayed,
}

impl Reason {
    /// Every reason, in the order of the checks.
    ///
    /// [`Frame`](Self::Frame) stands first, where the head is read; the payload's end is checked
    /// between [`Signature`](Self::Signature) and [`Digest`](Self::Digest).
    /// [`Replayed`](Self::Replayed) is the last check of the head, and the last of the end.
    pub const ALL: [Self; 13] = [
        Self::Frame,
        Self::MissingField,
        Self::RepeatedField,
        Self::MalformedField,
        Self::Date,
        Self::Stale,
        Self::Host,
        Self::UnknownKey,
        Self::TooLarge,
        Self::DigestRequired,
        Self::Signature,
        Self::Digest,
        Self::Replayed,
    ];

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
            Self::DigestRequired => "digest-required",
            Self::Signature => "signature",
            Self::Digest => "digest",
            Self::Replayed => "replayed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The field that goes with every answer of status 401 (RFC 9110 section 11.6.1).
pub const WWW_AUTHENTICATE: &str = "framesign";

/// The one answer to whoever is not verified.
pub(crate) const UNAUTHORIZED: Problem =
    Problem::new(401, "Unauthorized").with("www-authenticate", WWW_AUTHENTICATE);

/// The field `Want-Content-Digest` of the answer to [`Reason::DigestRequired`]: the
/// hash that Content-Digest is to claim (RFC 9530 section 4).
pub const WANT_CONTENT_DIGEST: &str = "sha-256=10";

/// A frame that is not verified.
///
/// Its message is for the log: it names the check and both times if a time is wrong. A peer is
/// told the [`status`](Self::status) alone, so that all refusals but `frame`, `too-large`,
/// `digest-required` and `replayed` look the same to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: Reason,
    detail: Box<str>,
    frame: Option<Box<FrameError>>,
}

impl Refusal {
    #[cold]
    pub(crate) fn new(reason: Reason, detail: impl Into<Box<str>>) -> Self {
        Self { reason, detail: detail.into(), frame: None }
    }

    /// The check that was not passed.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The error of the frame, if the reason is [`Reason::Frame`].
    #[must_use]
    pub fn frame_error(&self) -> Option<&FrameError> {
        self.frame.as_deref()
    }

    /// The status for the peer (RFC 9110 section 15): 400, 409, 411, 413 or 401.
    ///
    /// To 401 belongs `WWW-Authenticate` with [`WWW_AUTHENTICATE`], to `digest-required`
    /// `Want-Content-Digest` with [`WANT_CONTENT_DIGEST`]. [`http1_response`](Self::http1_response)
    /// has them.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.problem().status()
    }

    /// The answer as the bytes of a whole HTTP/1.1 response, for a connection of one's own: problem
    /// details (RFC 9457) that tell the [`status`](Self::status) and nothing of the reason.
    ///
    /// It has `Connection: close`: send it and close the connection, of which nobody knows where
    /// the next frame begins. It has no Date, since nothing here knows a clock.
    ///
    /// ```
    /// use framesign::{frame::HeadReader, verify::Policy};
    ///
    /// let policy = Policy::default();
    /// let mut reader = HeadReader::new(policy.rules().clone());
    /// let head = reader.read(b"GET / HTTP/1.1\r\nHost: test.com\r\n\r\n")?.expect("it is whole");
    /// let refusal = policy.examine(&head, std::time::SystemTime::now()).unwrap_err();
    /// assert!(refusal.http1_response().starts_with(b"HTTP/1.1 401 Unauthorized\r\n"));
    /// # Ok::<(), framesign::FrameError>(())
    /// ```
    #[must_use]
    pub fn http1_response(&self) -> Vec<u8> {
        self.problem().to_http1()
    }

    pub(crate) fn problem(&self) -> Problem {
        match (self.reason, self.frame_error()) {
            (Reason::Frame, Some(error)) => error.problem(),
            (Reason::Frame, None) => Problem::BAD_REQUEST,
            (Reason::TooLarge, _) => Problem::new(413, "Payload Too Large"),
            (Reason::DigestRequired, _) => {
                Problem::BAD_REQUEST.with("want-content-digest", WANT_CONTENT_DIGEST)
            }
            (Reason::Replayed, _) => Problem::new(409, "Conflict"),
            _ => UNAUTHORIZED,
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

// The message holds that of the frame's error, which is no source for that: a chain would say it twice.
impl error::Error for Refusal {}
