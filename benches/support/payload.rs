//! An upload hashed and signed without a connection.

use std::hint::black_box;

use framesign::{FrameError, FrameHasher, Signature, Signer, StringToSign};

use super::upload::Upload;

pub(crate) fn sign(signer: &mut Signer, upload: &Upload) -> Result<Signature, FrameError> {
    signer.update(black_box(upload.head.as_bytes()))?;
    for chunk in upload.chunks() {
        signer.update(black_box(chunk))?;
    }
    signer.finish_reset()
}

/// Does everything but the HMAC.
pub(crate) fn hash(hasher: &mut FrameHasher, upload: &Upload) -> Result<StringToSign, FrameError> {
    hasher.update(black_box(upload.head.as_bytes()))?;
    for chunk in upload.chunks() {
        hasher.update(black_box(chunk))?;
    }
    hasher.finish_reset()
}
