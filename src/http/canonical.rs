//! The canonical request of a structured request, to be looked at.

use std::fmt;

use http::request::Parts;

use super::request::Request;
use crate::{
    error::FrameError,
    frame::Rules,
    protocol::{self, PayloadHash, Scratch, StringToSign},
    signing::SigningOptions,
    verify::{FieldNames, Policy},
};

/// The canonical request of a structured request, of which the string to sign is the hash.
///
/// The field that carries the signature is left out, and it alone. If client and server disagree,
/// the first line in which theirs differ names the cause.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions};
/// use framesign::{http::sign_request, verify::Policy};
///
/// # let request = http::Request::put("http://test.com/up?b&a").header("content-length", 5);
/// # let (mut parts, ()) = request.body(())?.into_parts();
/// # let now = SystemTime::now();
/// # let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::of(now));
/// let (payload, options) = (PayloadHash::of(b"hello"), SigningOptions::default());
/// sign_request(&mut parts, &key, payload, now, &options)?;
/// let ours = options.canonical_request(&parts, payload)?;
/// assert!(ours.to_string().starts_with("PUT\n/up\na=&b=\ncontent-digest:sha-256=:LPJNul"));
/// assert_eq!(key.sign(&ours.string_to_sign()).to_string(), parts.headers["dynata-signature"]);
///
/// // The server sees the same, unless something has changed the request on its way.
/// let theirs = Policy::default().canonical_request(&parts, payload)?;
/// assert_eq!(ours, theirs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CanonicalParts {
    head: Vec<u8>,
    payload: PayloadHash,
}

impl CanonicalParts {
    fn new(
        parts: &Parts,
        payload: PayloadHash,
        rules: &Rules,
        names: &FieldNames,
    ) -> Result<Self, FrameError> {
        let request = Request::read(parts, rules)?;
        let mut head = Vec::new();
        let left_out = Some(names.signature());
        let Ok(()) =
            protocol::write_canonical(&request, left_out, &mut Scratch::default(), &mut head);
        Ok(Self { head, payload })
    }

    /// The text, as bytes: field values need not be UTF-8.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.head[..], &self.payload.hex()].concat()
    }

    /// The next stage: the hash of this text.
    #[must_use]
    pub fn string_to_sign(&self) -> StringToSign {
        StringToSign::of_text(&self.to_bytes())
    }
}

impl SigningOptions {
    /// Shows what is signed of `parts` as they are, with a payload whose hash is `payload`. After
    /// [`sign_request`](super::sign_request) that is what it has signed.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] if the parts break a rule of protocol section 7.
    pub fn canonical_request(
        &self,
        parts: &Parts,
        payload: PayloadHash,
    ) -> Result<CanonicalParts, FrameError> {
        CanonicalParts::new(parts, payload, self.rules(), self.field_names())
    }
}

impl Policy {
    /// Shows what a verifier takes for signed of `parts`, with a payload whose hash is `payload`:
    /// the hash that the head claims
    /// ([`Claim::content_digest`](crate::verify::Claim::content_digest)), or that of the body.
    ///
    /// The text holds the values of all fields. Keep it out of logs.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] if the parts break a rule of protocol section 7.
    pub fn canonical_request(
        &self,
        parts: &Parts,
        payload: PayloadHash,
    ) -> Result<CanonicalParts, FrameError> {
        CanonicalParts::new(parts, payload, self.rules(), self.field_names())
    }
}

impl fmt::Display for CanonicalParts {
    /// Shows the text; a byte that is not of a UTF-8 character as `\xE9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        protocol::write_escaped(&self.head, f)?;
        self.payload.fmt(f)
    }
}

impl fmt::Debug for CanonicalParts {
    /// The hash of the payload alone: values of fields can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanonicalParts").field("payload", &self.payload).finish_non_exhaustive()
    }
}
