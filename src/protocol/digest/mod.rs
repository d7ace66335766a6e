//! The hash and the MAC: the seam behind which another engine can take the place of this one.
//!
//! Nothing outside of this folder names the crates that compute them. The compression function is
//! that of `sha2`, which picks the fastest the processor has. The buffering is done here, since
//! canonical requests are made of many small pieces, and every message that is signed is one block
//! long under a key of one block.

mod mac;
mod sha256;

pub(crate) use self::mac::{MacKey, hmac};
pub(crate) use self::sha256::BufferedSha256;
/// What hashes payloads side by side, and one of them between its pieces.
#[cfg(any(feature = "codec", feature = "http"))]
pub(crate) use sha256_multi::{Engine as HashEngine, State as PayloadState};

/// The bytes of a SHA-256 hash or an HMAC-SHA256.
pub(crate) type Output = [u8; 32];

/// The lower-case hexadecimal text of an [`Output`], which is as long as a block.
pub(crate) type Hex = [u8; 64];

/// The text of `output`.
///
/// Computed, not looked up: so the compiler turns many digits at a time, and the block that is
/// hashed next is not made of single bytes. It takes a third of the time of the `hex` crate.
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
