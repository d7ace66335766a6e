//! The way of reading a frame: strict or lenient, the limits, and further methods.

use super::is_token;
use crate::error::ApiMisuse;

/// The two ways to read a frame (protocol section 7).
///
/// What lenient reading refuses, strict refuses too; what both accept has one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Reading {
    /// RFC 9112 without any of its relaxations: for verifiers and connections.
    Strict,
    /// Repairs what has one clear meaning, such as bare LF or obs-fold: for signing one frame.
    #[default]
    Lenient,
}

/// The rules that a frame must keep to: the way of reading, the size limits and the methods.
///
/// ```
/// use framesign::Rules;
///
/// let rules = Rules::strict().max_head(16 * 1024).allow_method("PATCH")?;
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    reading: Reading,
    max_head: usize,
    max_headers: usize,
    methods: Vec<Box<str>>,
}

impl Rules {
    /// The default of [`Rules::max_head`]: 64 KiB, well above what common servers accept.
    pub const DEFAULT_MAX_HEAD: usize = 64 * 1024;

    /// The default of [`Rules::max_headers`].
    pub const DEFAULT_MAX_HEADERS: usize = 128;

    /// Strict reading with the default limits.
    #[must_use]
    pub fn strict() -> Self {
        Self::new(Reading::Strict)
    }

    /// Lenient reading with the default limits.
    #[must_use]
    pub fn lenient() -> Self {
        Self::new(Reading::Lenient)
    }

    /// The given way of reading with the default limits.
    #[must_use]
    pub fn new(reading: Reading) -> Self {
        Self {
            reading,
            max_head: Self::DEFAULT_MAX_HEAD,
            max_headers: Self::DEFAULT_MAX_HEADERS,
            methods: Vec::new(),
        }
    }

    /// Sets the most bytes of a head, from the frame's first byte to the LF of the empty line that
    /// ends the head, empty lines before the request line counted.
    ///
    /// It bounds the memory that a head can take.
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.max_head = bytes;
        self
    }

    /// Sets the most field lines of a head, continuation lines not counted.
    #[must_use]
    pub fn max_headers(mut self, lines: usize) -> Self {
        self.max_headers = lines;
        self
    }

    /// Accepts `method` beside GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS and TRACE.
    /// Case counts.
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::MethodName`] if `method` is not a token (RFC 9110 section 5.6.2).
    pub fn allow_method(mut self, method: &str) -> Result<Self, ApiMisuse> {
        if !is_token(method.as_bytes()) {
            return Err(ApiMisuse::MethodName);
        }
        self.methods.push(method.into());
        Ok(self)
    }

    /// The way of reading.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.reading == Reading::Strict
    }

    pub(crate) fn head_limit(&self) -> usize {
        self.max_head
    }

    pub(crate) fn headers_limit(&self) -> usize {
        self.max_headers
    }

    /// Protocol rules 7.6 and 7.7.
    pub(crate) fn accepts_method(&self, method: &[u8]) -> bool {
        matches!(
            method,
            b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"CONNECT" | b"OPTIONS" | b"TRACE"
        ) || self.methods.iter().any(|allowed| allowed.as_bytes() == method)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::lenient()
    }
}
