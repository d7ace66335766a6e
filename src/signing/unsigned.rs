//! The head of a signed frame before its signature, for whoever has the key.

use std::{fmt, ops::Range, time::SystemTime};

use super::{SigningError, SigningOptions, fields, nonce::NONCE};
use crate::{
    frame::{Head, HeadReader},
    payload,
    protocol::{PayloadHash, Signature, SigningDate},
    verify::{CONTENT_DIGEST, RequestHead, TIMESTAMP},
};

/// A head that somebody else signs: a service that has the key, or a device.
///
/// It is what [`SignableHead`](crate::SignableHead) is without a key, and makes the same checks.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::{
///     Credentials, FrameHasher, PayloadHash, SigningDate, SigningError, SigningKey, SigningOptions,
///     UnsignedHead,
/// };
///
/// let (now, options) = (SystemTime::now(), SigningOptions::default());
/// let date = SigningDate::of(now);
/// let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
/// let payload = PayloadHash::of(b"hello");
///
/// // Elsewhere: the key, which signs a head by the hash of its payload.
/// let key = SigningKey::derive(&Credentials::new("access", "secret")?, date);
/// let ask = |head: &[u8]| {
///     let mut hasher = FrameHasher::new(options.rules().clone());
///     hasher.update(head)?;
///     Ok::<_, SigningError>(key.sign(&hasher.finish_with(payload)?))
/// };
///
/// let head = UnsignedHead::new(head, "access", date, now, &options)?;
/// let signed = head.sign_with(payload, ask)?;
/// assert!(String::from_utf8(signed)?.contains("\r\ndynata-signature: "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct UnsignedHead<'a> {
    pub(super) now: SystemTime,
    pub(super) options: &'a SigningOptions,
    /// The head without the signature, with zeros in the place of the digest.
    bytes: Vec<u8>,
    /// The place of an added digest.
    digest: Option<Range<usize>>,
    /// The hash that was claimed before.
    claimed: Option<PayloadHash>,
    /// The length of the head as it was.
    head_len: u64,
    payload_len: Option<u64>,
}

impl<'a> UnsignedHead<'a> {
    /// Adds to `head` all fields but the signature, and the digest without its value.
    ///
    /// # Errors
    ///
    /// Those of [`sign_head`](crate::sign_head) that need no payload.
    pub fn new(
        head: &[u8],
        access_key: &str,
        date: SigningDate,
        now: SystemTime,
        options: &'a SigningOptions,
    ) -> Result<Self, SigningError> {
        fields::check_access_key(access_key)?;
        let mut reader = HeadReader::new(options.rules().clone());
        let parsed = whole(&mut reader, head)?;
        fields::check_unsigned(&parsed, options.field_names())?;
        let (claimed, is_there) = fields::content_digest(&parsed);
        let mut unsigned = Self {
            now,
            options,
            bytes: lines(&parsed).to_vec(),
            digest: None,
            claimed,
            head_len: parsed.head_len(),
            payload_len: parsed.expected(),
        };
        let nonce = fields::new_nonce(&parsed, options)?;
        if parsed.values(TIMESTAMP).next().is_none() {
            unsigned.add(TIMESTAMP, &fields::timestamp(now));
        }
        if options.adds_content_digest() && !is_there {
            let zeros = PayloadHash::from_bytes([0; 32]).content_digest();
            unsigned.digest = Some(unsigned.add(CONTENT_DIGEST, &zeros));
        }
        let names = options.field_names();
        unsigned.add(names.access_key(), access_key);
        unsigned.add(names.date(), &date.to_string());
        if let Some(nonce) = nonce {
            unsigned.add(NONCE, &nonce);
        }
        unsigned.end();
        // The limits count what is added.
        let largest = unsigned.clone().with_signature(&"0".repeat(64));
        whole(&mut HeadReader::new(options.rules().clone()), &largest)?;
        Ok(unsigned)
    }

    /// The head with the signature that `signer` makes, to be sent before the payload whose hash is
    /// `payload`.
    ///
    /// `signer` is given the whole head without the signature, which is what a verifier
    /// canonicalises, the digest in it. Whether the signature is right, and for the same access key
    /// and date, is not known here.
    ///
    /// # Errors
    ///
    /// Those of [`sign_head`](crate::sign_head) that need the payload, as far as no key is needed to
    /// find them; and those of `signer`.
    pub fn sign_with<E: From<SigningError>>(
        self,
        payload: PayloadHash,
        signer: impl FnOnce(&[u8]) -> Result<Signature, E>,
    ) -> Result<Vec<u8>, E> {
        let Self { now, options, .. } = self;
        let bytes = self.complete(payload, signer)?;
        if let Some(policy) = options.policy() {
            let mut reader = HeadReader::new(policy.rules().clone());
            let head = whole(&mut reader, &bytes)?;
            drop(policy.examine(&head, now).map_err(SigningError::from)?);
        }
        Ok(bytes)
    }

    /// The same without the policy of the options.
    pub(super) fn complete<E: From<SigningError>>(
        mut self,
        payload: PayloadHash,
        signer: impl FnOnce(&[u8]) -> Result<Signature, E>,
    ) -> Result<Vec<u8>, E> {
        payload::check_hash(self.payload_len, payload, self.head_len)
            .map_err(SigningError::from)?;
        fields::check_claim(self.claimed, payload).map_err(SigningError::from)?;
        if let Some(place) = self.digest.take() {
            let value = payload.content_digest();
            debug_assert_eq!(place.len(), value.len(), "zeros are replaced by as many bytes");
            self.bytes.splice(place, value.bytes());
        }
        let signature = signer(&self.bytes)?;
        Ok(self.with_signature(&signature.to_string()))
    }

    fn with_signature(mut self, signature: &str) -> Vec<u8> {
        self.bytes.truncate(self.bytes.len() - LINE_END.len());
        self.add(self.options.field_names().signature(), signature);
        self.end();
        self.bytes
    }

    /// Adds a field behind the last line, and returns the place of its value.
    fn add(&mut self, name: &str, value: &str) -> Range<usize> {
        let [name, value] = [name, value].map(str::as_bytes);
        self.bytes.extend_from_slice(&[name, b": ", value, LINE_END].concat());
        let end = self.bytes.len() - LINE_END.len();
        end - value.len()..end
    }

    /// Ends the head.
    fn end(&mut self) {
        self.bytes.extend_from_slice(LINE_END);
    }
}

const LINE_END: &[u8] = b"\r\n";

/// The bytes of a head up to the empty line that ends it.
fn lines<'a>(head: &Head<'a>) -> &'a [u8] {
    let bytes = head.as_bytes();
    bytes.strip_suffix(LINE_END).unwrap_or(bytes)
}

impl fmt::Debug for UnsignedHead<'_> {
    /// The length alone: heads can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsignedHead").field("len", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// The head that `bytes` are, and nothing else.
pub(super) fn whole<'a>(
    reader: &'a mut HeadReader,
    bytes: &'a [u8],
) -> Result<Head<'a>, SigningError> {
    let truncated = reader.truncated(bytes.len() as u64);
    let head = reader.read(bytes)?.ok_or(truncated)?;
    if head.as_bytes().len() < bytes.len() {
        return Err(payload::trailing_at(head.head_len()).into());
    }
    Ok(head)
}
