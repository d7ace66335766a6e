//! The hash and the MAC: the seam behind which another engine can take the place of this one.
//!
//! Nothing outside of this file names the crates that compute them.

use std::convert::Infallible;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::sink::Sink;

/// The bytes of a SHA-256 hash or an HMAC-SHA256.
pub(crate) type Output = [u8; 32];

/// The lower-case hexadecimal text of an [`Output`].
pub(crate) type Hex = [u8; 64];

/// A SHA-256 of bytes as they come.
#[derive(Clone, Default)]
pub(crate) struct Hash(Sha256);

impl Hash {
    #[inline]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    #[inline]
    pub(crate) fn finish(self) -> Output {
        self.0.finalize().into()
    }
}

/// A [`Hash`] for many small pieces, which it takes in larger ones.
///
/// The hash's own buffer holds one block; filling it piece by piece costs more than hashing.
pub(crate) struct HashSink {
    hash: Hash,
    staged: [u8; Self::STAGE],
    len: usize,
}

impl HashSink {
    /// Room for the canonical head of an ordinary request.
    const STAGE: usize = 512;

    pub(crate) fn new() -> Self {
        Self { hash: Hash::default(), staged: [0; Self::STAGE], len: 0 }
    }

    pub(crate) fn into_hash(mut self) -> Hash {
        self.flush();
        self.hash
    }

    fn flush(&mut self) {
        self.hash.update(self.staged.get(..self.len).unwrap_or_default());
        self.len = 0;
    }

    #[cold]
    fn put_large(&mut self, bytes: &[u8]) {
        self.flush();
        match self.staged.get_mut(..bytes.len()) {
            Some(stage) => {
                stage.copy_from_slice(bytes);
                self.len = bytes.len();
            }
            None => self.hash.update(bytes),
        }
    }
}

impl Sink for HashSink {
    type Error = Infallible;

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        let end = self.len + bytes.len();
        match self.staged.get_mut(self.len..end) {
            Some(stage) => {
                stage.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.put_large(bytes),
        }
        Ok(())
    }
}

/// An HMAC-SHA256 key with its two blocks hashed beforehand. Zeroized on drop.
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length")]
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    #[inline]
    pub(crate) fn mac(&self, message: &[u8]) -> Output {
        self.0.clone().chain_update(message).finalize().into_bytes().into()
    }
}

/// Compares in a time that does not depend on the bytes.
pub(crate) fn equal(left: &Output, right: &Output) -> bool {
    use hmac::digest::CtOutput;
    CtOutput::<Sha256>::new((*left).into()) == CtOutput::new((*right).into())
}

#[inline]
pub(crate) fn hex(output: &Output) -> Hex {
    let mut text = [0; 64];
    #[expect(clippy::expect_used, reason = "the lengths are those of the types")]
    hex::encode_to_slice(output, &mut text).expect("64 digits are 32 bytes");
    text
}

#[cfg(test)]
mod tests {
    use super::{Hash, MacKey};

    fn sha256(message: &[u8]) -> String {
        let mut hash = Hash::default();
        hash.update(message);
        hex::encode(hash.finish())
    }

    /// The examples that NIST gives for SHA-256 of FIPS 180-4.
    #[test]
    fn hash_of_fips_180_examples() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha256(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
        assert_eq!(
            sha256(&vec![b'a'; 1_000_000]),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    /// RFC 4231 sections 4.2 to 4.8; 4.6 truncates the output.
    #[test]
    fn mac_of_rfc_4231_examples() {
        let cases: [(&[u8], &[u8], &str); 7] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &(1..=25).collect::<Vec<u8>>(),
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than \
                  block-size data. The key needs to be hashed before being used by the HMAC \
                  algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, message, expected) in cases {
            let mac = hex::encode(MacKey::new(key).mac(message));
            assert_eq!(mac.get(..expected.len()), Some(expected));
        }
    }
}
