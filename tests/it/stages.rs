//! What comes of a frame, stage by stage, with the keys of the examples.

use framesign::{
    CanonicalHead, Credentials, FrameError, FrameHasher, PayloadHash, Rules, Signature, SigningKey,
    StringToSign,
};

pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const DATE: &str = "20230801";

/// The key that the vectors were signed with.
pub(crate) fn key() -> SigningKey {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    SigningKey::derive(&credentials, DATE.parse().unwrap())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stages {
    pub(crate) canonical_request: Vec<u8>,
    pub(crate) string_to_sign: StringToSign,
    pub(crate) signature: Signature,
}

/// Reads a frame in the chunks that come.
pub(crate) fn stages<'a>(
    rules: &Rules,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Stages, FrameError> {
    let mut hasher = FrameHasher::new(rules.clone());
    let mut canonical_request = Vec::new();
    let mut payload = Vec::new();
    for chunk in chunks {
        let update = hasher.update(chunk)?;
        if let Some(head) = update.head {
            assert!(canonical_request.is_empty(), "the head is given once");
            CanonicalHead::new(head).write_to(&mut canonical_request).unwrap();
        }
        payload.extend_from_slice(update.payload);
    }
    let string_to_sign = hasher.finish()?;
    canonical_request.extend_from_slice(PayloadHash::of(&payload).to_string().as_bytes());
    Ok(Stages { canonical_request, string_to_sign, signature: key().sign(&string_to_sign) })
}

/// The string to sign alone, for where a frame is read many times.
pub(crate) fn string_to_sign<'a>(
    rules: &Rules,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<StringToSign, FrameError> {
    let mut hasher = FrameHasher::new(rules.clone());
    for chunk in chunks {
        hasher.update(chunk)?;
    }
    hasher.finish()
}
