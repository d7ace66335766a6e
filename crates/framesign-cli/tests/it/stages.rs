//! The keys of the published examples, and the library beside the program.

use framesign::{Credentials, FrameError, FrameHasher, Rules, SigningKey, StringToSign};

pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const DATE: &str = "20230801";

/// The key that the vectors were signed with.
pub(crate) fn key() -> SigningKey {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    SigningKey::derive(&credentials, DATE.parse().unwrap())
}

/// The string to sign of a frame that comes in these chunks.
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
