//! A frame signed whole, with a key that was derived beforehand.

use framesign::{FrameError, Signature, Signer, SigningKey};

/// Signs it with a signer that has signed before.
pub(crate) fn sign(signer: &mut Signer, frame: &[u8]) -> Result<Signature, FrameError> {
    signer.update(frame)?;
    signer.finish_reset()
}

/// Signs it in as many chunks as it has bytes.
pub(crate) fn sign_bytewise(signer: &mut Signer, frame: &[u8]) -> Result<Signature, FrameError> {
    for chunk in frame.chunks(1) {
        signer.update(chunk)?;
    }
    signer.finish_reset()
}

/// Signs it with a signer of its own.
pub(crate) fn sign_afresh(key: &SigningKey, frame: &[u8]) -> Result<Signature, FrameError> {
    let mut signer = Signer::new(key);
    signer.update(frame)?;
    signer.finish()
}
