//! The kinds of refusal, one a rule.

use std::fmt;

/// The rule of the protocol that a frame breaks.
///
/// The names that [`ErrorKind::as_str`] returns are stable: logs and scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A line of the head ends in LF without CR (strict reading; RFC 9112 section 2.2).
    BareLf,
    /// A CR in the head that does not begin a CR LF.
    BareCr,
    /// The request line is not `method SP target SP version` (RFC 9112 section 3).
    RequestLine,
    /// The version is none that the chosen reading accepts.
    Version,
    /// The method is neither one of RFC 7231 section 4.3 nor allowed by name.
    Method,
    /// The request target has none of the four forms, or a byte that must not stand there.
    Target,
    /// The authority of the target differs from Host.
    Authority,
    /// A field line without a colon, or whose name is not a token (RFC 9110 section 5.1).
    HeaderName,
    /// A byte that must not stand in a field value (RFC 9110 section 5.5).
    HeaderValue,
    /// A continuation line (RFC 9112 section 5.2) that is not accepted.
    ObsFold,
    /// Host is missing, repeated or no host (RFC 9112 section 3.2).
    Host,
    /// There is a Transfer-Encoding; only a payload of known length is signed.
    TransferEncoding,
    /// Content-Length is no number below 2^64, or there are several that may not be.
    ContentLength,
    /// The input ended inside the head.
    TruncatedHead,
    /// The input ended before the payload did.
    TruncatedBody,
    /// Bytes follow the end of the frame.
    TrailingBytes,
    /// The head is longer than [`Limits::max_head`](crate::Limits::max_head) allows.
    HeadTooLarge,
    /// There are more field lines than [`Limits::max_headers`](crate::Limits::max_headers) allows.
    TooManyHeaders,
}

impl ErrorKind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 18] = [
        Self::BareLf,
        Self::BareCr,
        Self::RequestLine,
        Self::Version,
        Self::Method,
        Self::Target,
        Self::Authority,
        Self::HeaderName,
        Self::HeaderValue,
        Self::ObsFold,
        Self::Host,
        Self::TransferEncoding,
        Self::ContentLength,
        Self::TruncatedHead,
        Self::TruncatedBody,
        Self::TrailingBytes,
        Self::HeadTooLarge,
        Self::TooManyHeaders,
    ];

    /// The kind's name as logs, JSON and the test vectors spell it, such as `bare-lf`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BareLf => "bare-lf",
            Self::BareCr => "bare-cr",
            Self::RequestLine => "request-line",
            Self::Version => "version",
            Self::Method => "method",
            Self::Target => "target",
            Self::Authority => "authority",
            Self::HeaderName => "header-name",
            Self::HeaderValue => "header-value",
            Self::ObsFold => "obs-fold",
            Self::Host => "host",
            Self::TransferEncoding => "transfer-encoding",
            Self::ContentLength => "content-length",
            Self::TruncatedHead => "truncated-head",
            Self::TruncatedBody => "truncated-body",
            Self::TrailingBytes => "trailing-bytes",
            Self::HeadTooLarge => "head-too-large",
            Self::TooManyHeaders => "too-many-headers",
        }
    }

    /// The row of the table of protocol section 7 that has the rule, such as `7.14`. A kind of several
    /// rows has the one that most frames break.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::BareLf => "7.1",
            Self::BareCr => "7.2",
            Self::RequestLine => "7.4",
            Self::Version => "7.5",
            Self::Method => "7.6",
            Self::Target => "7.8",
            Self::Authority => "7.9",
            Self::HeaderName => "7.10",
            Self::HeaderValue => "7.12",
            Self::ObsFold => "7.14",
            Self::Host => "7.15",
            Self::TransferEncoding => "7.16",
            Self::ContentLength => "7.17",
            Self::TrailingBytes => "7.21",
            Self::TruncatedBody => "7.20",
            Self::TruncatedHead => "7.22",
            Self::HeadTooLarge => "7.23",
            Self::TooManyHeaders => "7.24",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
