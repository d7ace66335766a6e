//! The bytes that a hash or a MAC comes to: their text, and how they are compared.

/// The bytes of a SHA-256 hash or an HMAC-SHA256.
pub(crate) type Output = [u8; 32];

/// The lower-case hexadecimal text of an [`Output`], which is as long as a block.
pub(crate) type Hex = [u8; 64];

/// The text of `output`.
///
/// Computed, not looked up: so the compiler turns many digits at a time, and the block that is
/// hashed next is not made of single bytes. A signature takes 3 % longer with `base16ct` and 16 %
/// longer with `hex` (Intel Xeon with SHA extensions, in turns, 2026-11).
#[inline]
pub(crate) fn hex(output: &Output) -> Hex {
    const fn digit(value: u8) -> u8 {
        value + b'0' + if value > 9 { b'a' - b'9' - 1 } else { 0 }
    }
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(output) {
        *pair = [digit(byte >> 4), digit(byte & 0xf)];
    }
    text
}

/// Compares in a time that does not depend on the bytes.
pub(crate) fn equal(left: &Output, right: &Output) -> bool {
    use ::hmac::digest::CtOutput;
    use sha2::Sha256;
    CtOutput::<Sha256>::new((*left).into()) == CtOutput::new((*right).into())
}
