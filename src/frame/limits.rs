//! The limits of a head: its size, its field lines, and its methods.

use super::is_token;
use crate::error::ApiMisuse;

/// The limits that a head must keep to (protocol rules 7.6, 7.7, 7.23 and 7.24).
///
/// They are the same in both ways of reading, and whoever reads or makes a head takes them by a
/// setter of that name: [`Rules`](super::Rules), and each of `verify::Policy`, `SigningOptions` and
/// `codec::SigningCodec`, which read strictly in any case. The methods are among them because they
/// too bound what is accepted, and because they are the caller's to widen; the way of reading says
/// what is done with what is within the limits.
///
/// ```
/// use framesign::{Limits, Rules};
///
/// let limits = Limits::default().max_head(16 * 1024).max_headers(100).allow_method("PATCH")?;
/// let rules = Rules::strict().limits(limits);
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
///
/// The limits of a payload are those of a verifier, by section 9, and stand in its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) max_head: usize,
    pub(crate) max_headers: usize,
    methods: Vec<Box<str>>,
}

impl Limits {
    /// The default of [`max_head`](Self::max_head): 64 KiB. nginx accepts 32 KiB unless told
    /// otherwise and Node 16 KiB, so a head that came through one of them is not refused here.
    pub const DEFAULT_MAX_HEAD: usize = 64 * 1024;

    /// The default of [`max_headers`](Self::max_headers): 128. Apache and hyper accept 100 unless
    /// told otherwise, and signing adds at most five.
    pub const DEFAULT_MAX_HEADERS: usize = 128;

    /// Sets the maximum number of bytes of a head, from the frame's first byte to the LF of the
    /// empty line that ends the head, empty lines before the request line counted.
    ///
    /// It bounds the memory that a head can take.
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.max_head = bytes;
        self
    }

    /// Sets the maximum number of field lines of a head, continuation lines not counted.
    ///
    /// It bounds the work of sorting and comparing fields.
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

    /// Protocol rules 7.6 and 7.7.
    pub(crate) fn accepts_method(&self, method: &[u8]) -> bool {
        matches!(
            method,
            b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"CONNECT" | b"OPTIONS" | b"TRACE"
        ) || self.methods.iter().any(|allowed| allowed.as_bytes() == method)
    }
}

impl Default for Limits {
    /// [`DEFAULT_MAX_HEAD`](Self::DEFAULT_MAX_HEAD),
    /// [`DEFAULT_MAX_HEADERS`](Self::DEFAULT_MAX_HEADERS), and no further method.
    fn default() -> Self {
        Self {
            max_head: Self::DEFAULT_MAX_HEAD,
            max_headers: Self::DEFAULT_MAX_HEADERS,
            methods: Vec::new(),
        }
    }
}
