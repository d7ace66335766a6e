//! The head of a signed frame, as bytes.

use std::{fmt, ops::Range, slice, time::SystemTime};

use super::{SigningError, SigningOptions, fields, nonce::NONCE};
use crate::{
    frame::{Head, HeadReader},
    payload::{self, PayloadLength, PayloadState},
    protocol::{PayloadHash, SigningKey},
    verify::{CONTENT_DIGEST, FieldNames, Policy, RequestHead, TIMESTAMP},
};

/// Makes the head of a signed frame, to be sent before the payload whose hash is `payload`.
///
/// Added are the lines, in this order:
///
/// - Timestamp, which is `now`, unless there is one;
/// - Content-Digest, unless there is one or the options say otherwise;
/// - the access key and the date, which are those of `key`;
/// - the nonce, unless there is one or the options say otherwise;
/// - the signature.
///
/// A Content-Digest that is there is kept, whatever it says: one that claims the payload's hash,
/// and one that claims nothing, such as `sha-512` alone. A line that is added to the latter would
/// become a part of its dictionary, or be lost with it. Such a frame claims no hash, and a verifier
/// that asks for one refuses it.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};
///
/// let now = SystemTime::now();
/// let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::of(now));
/// let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
/// let payload = PayloadHash::of(b"hello");
/// let head = sign_head(head, &key, payload, now, &SigningOptions::default())?;
///
/// let digest = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
/// assert!(String::from_utf8(head)?.contains(&format!("\r\ncontent-digest: {digest}\r\n")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`SigningError::Frame`] if the head is refused, is followed by anything, or has a Content-Length
/// that contradicts `payload`: `trailing-bytes` if the payload is not empty and there is none above
/// 0, `truncated-body` if it is empty and there is one.
///
/// [`SigningError::Misuse`] with [`AccessKeyNotVisible`](crate::ApiMisuse::AccessKeyNotVisible) or
/// [`EmptyAccessKey`](crate::ApiMisuse::EmptyAccessKey) if the access key cannot stand in a field,
/// [`SignedAlready`](crate::ApiMisuse::SignedAlready) if the head carries one of the three fields,
/// [`ContentDigest`](crate::ApiMisuse::ContentDigest) if it claims another hash than `payload`,
/// [`Nonce`](crate::ApiMisuse::Nonce) if it has a nonce that is none.
///
/// [`SigningError::Refused`] if the options have a policy, and it refuses the frame.
pub fn sign_head(
    head: &[u8],
    key: &SigningKey,
    payload: PayloadHash,
    now: SystemTime,
    options: &SigningOptions,
) -> Result<Vec<u8>, SigningError> {
    SignableHead::new(head, key, now, options)?.sign(payload)
}

/// A head that can be signed as soon as the hash of its payload is known.
///
/// It makes the checks of [`sign_head`] that need no payload, so that a long payload is not hashed
/// in vain.
///
/// ```
/// use std::time::SystemTime;
/// use framesign::{Credentials, PayloadHash, SignableHead, SigningDate, SigningKey, SigningOptions};
///
/// let (now, options) = (SystemTime::now(), SigningOptions::default());
/// let key = SigningKey::derive(&Credentials::new("access", "secret")?, SigningDate::of(now));
/// let head = b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\n";
/// let head = SignableHead::new(head, &key, now, &options)?;
/// let (payload, _) = PayloadHash::of_reader(&b"hello"[..])?;
/// let head = head.sign(payload)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SignableHead<'a> {
    key: &'a SigningKey,
    now: SystemTime,
    options: &'a SigningOptions,
    /// The whole head, with zeros in the places of the digest and the signature.
    bytes: Vec<u8>,
    /// The place of an added digest.
    digest: Option<Range<usize>>,
    /// The hash that was claimed before.
    claimed: Option<PayloadHash>,
    /// The length of the head as it was.
    head_len: u64,
    payload_len: Option<u64>,
}

/// Digits that hold the place of the signature.
const SIGNATURE: [u8; 64] = [b'0'; 64];

impl<'a> SignableHead<'a> {
    /// Adds to `head` all fields but the values that need the payload.
    ///
    /// # Errors
    ///
    /// Those of [`sign_head`] that need no payload.
    pub fn new(
        head: &[u8],
        key: &'a SigningKey,
        now: SystemTime,
        options: &'a SigningOptions,
    ) -> Result<Self, SigningError> {
        fields::check_access_key(key.access_key())?;
        let mut reader = HeadReader::new(options.rules().clone());
        let parsed = whole(&mut reader, head)?;
        fields::check_unsigned(&parsed, options.field_names())?;
        let (claimed, is_there) = fields::content_digest(&parsed);
        let adds_digest = options.adds_content_digest() && !is_there;
        let nonce = fields::new_nonce(&parsed, options)?;
        let (bytes, digest) =
            with_fields(&parsed, key, now, options.field_names(), adds_digest, nonce.as_deref());
        // The limits count what was added.
        whole(&mut HeadReader::new(options.rules().clone()), &bytes)?;
        let (head_len, payload_len) = (parsed.head_len(), parsed.expected());
        Ok(Self { key, now, options, bytes, digest, claimed, head_len, payload_len })
    }

    /// The head with its signature, to be sent before the payload whose hash is `payload`.
    ///
    /// # Errors
    ///
    /// Those of [`sign_head`] that need the payload.
    pub fn sign(mut self, payload: PayloadHash) -> Result<Vec<u8>, SigningError> {
        payload::check_hash(self.payload_len, payload, self.head_len)?;
        fields::check_claim(self.claimed, payload)?;
        if let Some(place) = self.digest.take() {
            self.put(place, payload.content_digest().as_bytes());
        }
        let signature = self.signature(payload)?;
        let end = self.bytes.len() - b"\r\n\r\n".len();
        self.put(end - SIGNATURE.len()..end, signature.as_bytes());
        if let Some(policy) = self.options.policy() {
            self.examine(policy)?;
        }
        Ok(self.bytes)
    }

    /// Replaces bytes by as many others.
    fn put(&mut self, place: Range<usize>, bytes: &[u8]) {
        debug_assert_eq!(place.len(), bytes.len(), "zeros are replaced by as many bytes");
        self.bytes.splice(place, bytes.iter().copied());
    }

    fn signature(&self, payload: PayloadHash) -> Result<String, SigningError> {
        let mut reader = HeadReader::new(self.options.rules().clone());
        let head = whole(&mut reader, &self.bytes)?;
        let left_out = Some(self.options.field_names().signature());
        let mut signed = PayloadState::of_request(
            &head,
            left_out,
            PayloadLength::new(head.head_len(), head.expected()),
        );
        Ok(self.key.sign(&signed.string_to_sign(payload)).to_string())
    }

    /// Holds what was made to the policy of its verifier.
    fn examine(&self, policy: &Policy) -> Result<(), SigningError> {
        let mut reader = HeadReader::new(policy.rules().clone());
        let claim = policy.examine(&whole(&mut reader, &self.bytes)?, self.now)?;
        Ok(claim.check(slice::from_ref(self.key)).map(drop)?)
    }
}

impl fmt::Debug for SignableHead<'_> {
    /// The key alone: heads can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignableHead").field("key", self.key).finish_non_exhaustive()
    }
}

/// The head that `bytes` are, and nothing else.
fn whole<'a>(reader: &'a mut HeadReader, bytes: &'a [u8]) -> Result<Head<'a>, SigningError> {
    let truncated = reader.truncated(bytes.len() as u64);
    let head = reader.read(bytes)?.ok_or(truncated)?;
    if head.as_bytes().len() < bytes.len() {
        return Err(payload::trailing_at(head.head_len()).into());
    }
    Ok(head)
}

/// The head with its fields, and the place of the digest in it.
fn with_fields(
    head: &Head<'_>,
    key: &SigningKey,
    now: SystemTime,
    names: &FieldNames,
    adds_digest: bool,
    nonce: Option<&str>,
) -> (Vec<u8>, Option<Range<usize>>) {
    let mut bytes = head.as_bytes().to_vec();
    bytes.truncate(bytes.len() - b"\r\n".len());
    let mut add = |name: &str, value: &str| {
        let [name, value] = [name, value].map(str::as_bytes);
        bytes.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
        let end = bytes.len() - b"\r\n".len();
        end - value.len()..end
    };
    if head.values(TIMESTAMP).next().is_none() {
        add(TIMESTAMP, &fields::timestamp(now));
    }
    let zeros = PayloadHash::from_bytes([0; 32]).content_digest();
    let digest = adds_digest.then(|| add(CONTENT_DIGEST, &zeros));
    add(names.access_key(), key.access_key());
    add(names.date(), &key.date().to_string());
    if let Some(nonce) = nonce {
        add(NONCE, nonce);
    }
    add(names.signature(), &String::from_utf8_lossy(&SIGNATURE));
    bytes.extend_from_slice(b"\r\n");
    (bytes, digest)
}
