//! The head of a signed frame, as bytes.

use std::{fmt, slice, time::SystemTime};

use super::{
    SigningError, SigningOptions,
    unsigned::{UnsignedHead, whole},
};
use crate::{
    frame::{Head, HeadReader},
    payload::{PayloadLength, PayloadState},
    protocol::{PayloadHash, Signature, SigningKey},
    verify::{Policy, RequestHead},
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
    head: UnsignedHead<'a>,
}

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
        let head = UnsignedHead::new(head, key.access_key(), key.date(), now, options)?;
        Ok(Self { key, head })
    }

    /// The head with its signature, to be sent before the payload whose hash is `payload`.
    ///
    /// # Errors
    ///
    /// Those of [`sign_head`] that need the payload.
    pub fn sign(self, payload: PayloadHash) -> Result<Vec<u8>, SigningError> {
        let Self { key, head } = self;
        let (now, options) = (head.now, head.options);
        let signed = head.complete(payload, |unsigned| {
            let mut reader = HeadReader::new(options.rules().clone());
            Ok::<_, SigningError>(signature(key, &whole(&mut reader, unsigned)?, payload))
        })?;
        if let Some(policy) = options.policy() {
            examine(policy, key, now, &signed)?;
        }
        Ok(signed)
    }
}

fn signature(key: &SigningKey, head: &Head<'_>, payload: PayloadHash) -> Signature {
    let length = PayloadLength::new(head.head_len(), head.expected());
    key.sign(&PayloadState::of_request(head, None, length).string_to_sign(payload))
}

/// Holds what was made to the policy of its verifier.
fn examine(
    policy: &Policy,
    key: &SigningKey,
    now: SystemTime,
    signed: &[u8],
) -> Result<(), SigningError> {
    let mut reader = HeadReader::new(policy.rules().clone());
    let claim = policy.examine(&whole(&mut reader, signed)?, now)?;
    Ok(claim.check(slice::from_ref(key)).map(drop)?)
}

impl fmt::Debug for SignableHead<'_> {
    /// The key alone: heads can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignableHead").field("key", self.key).finish_non_exhaustive()
    }
}
