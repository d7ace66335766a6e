//! What is explained: a frame, how it is read, and the keys.

use std::fmt;

use crate::{
    frame::Rules,
    protocol::{Credentials, PayloadHash, SigningDate},
};

/// A frame that is to be explained.
///
/// ```
/// use framesign::{Credentials, Rules, explain::Case};
///
/// let frame = b"GET / HTTP/1.1\r\nHost: test.com\r\ndynata-signature: 00\r\n\r\n";
/// let case = Case::new(frame, Rules::strict())
///     .without_field("dynata-signature")
///     .keys(Credentials::new("access", "secret")?, "20230801".parse()?);
/// # Ok::<(), framesign::ApiMisuse>(())
/// ```
#[derive(Clone)]
pub struct Case<'a> {
    pub(crate) frame: &'a [u8],
    pub(crate) rules: Rules,
    pub(crate) payload: Option<PayloadHash>,
    pub(crate) left_out: Option<Box<str>>,
    pub(crate) keys: Option<(Credentials, SigningDate)>,
}

impl<'a> Case<'a> {
    /// The whole `frame`, read by `rules`, with every field signed and no keys.
    #[must_use]
    pub fn new(frame: &'a [u8], rules: Rules) -> Self {
        Self { frame, rules, payload: None, left_out: None, keys: None }
    }

    /// Says that the frame is a head alone, and what the hash of its payload is.
    #[must_use]
    pub fn payload_hash(mut self, hash: PayloadHash) -> Self {
        self.payload = Some(hash);
        self
    }

    /// Leaves out the field `name`, ASCII case ignored: the one that carries the signature (protocol
    /// section 9).
    #[must_use]
    pub fn without_field(mut self, name: &str) -> Self {
        self.left_out = Some(name.into());
        self
    }

    /// Sets the keys and the date, without which no signature can be compared.
    #[must_use]
    pub fn keys(mut self, credentials: Credentials, date: SigningDate) -> Self {
        self.keys = Some((credentials, date));
        self
    }

    pub(crate) fn is_left_out(&self, name: &[u8]) -> bool {
        self.left_out.as_deref().is_some_and(|out| name.eq_ignore_ascii_case(out.as_bytes()))
    }
}

impl fmt::Debug for Case<'_> {
    /// Without the bytes of the frame, which can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("frame", &format_args!("{} bytes", self.frame.len()))
            .field("rules", &self.rules)
            .field("left_out", &self.left_out)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
