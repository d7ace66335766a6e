//! HMAC-SHA256 (RFC 2104) of a body, as hash states that can be hashed side by side.
//!
//! Not by the `hmac` crate: it keeps its states to itself.

use std::iter;

use sha256_multi::{Digest, Engine, State};
use zeroize::Zeroizing;

/// The bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// The MAC of one message under one key: the states of both hashes, each of which begins with a block
/// of the key. Zeroized on drop.
#[derive(Clone)]
pub(crate) struct Mac {
    inner: State,
    outer: State,
}

/// The tokens of one body: under the current secret, and under the previous one if it is live.
///
/// In boxes, since they move with each piece: into a batch and back. Each in a box of its own: an `Option` that
/// holds the MAC itself and is `None` keeps what was in its place before, a MAC most often, and nothing
/// zeroizes that.
#[derive(Clone)]
pub(crate) struct Tokens {
    current: Box<Mac>,
    previous: Option<Box<Mac>>,
}

impl Mac {
    /// Begins with a message under a key of any length (RFC 2104 section 2).
    pub(crate) fn new(key: &[u8]) -> Self {
        let block = key_block(key);
        Self { inner: state_after(&block, 0x36), outer: state_after(&block, 0x5c) }
    }

    fn finish(&mut self) -> Digest {
        self.outer.update(&self.inner.digest());
        self.outer.digest()
    }
}

/// The key in a block: as it is with zeros behind it, or its hash if it is longer than a block.
fn key_block(key: &[u8]) -> Zeroizing<[u8; BLOCK]> {
    let mut block = Zeroizing::new([0; BLOCK]);
    if let Some(start) = block.get_mut(..key.len()) {
        start.copy_from_slice(key);
    } else {
        let mut hash = State::new();
        hash.update(key);
        for (byte, hashed) in block.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
    }
    block
}

/// The state after the block of the key, each byte of which is xored with `pad`.
fn state_after(block: &[u8; BLOCK], pad: u8) -> State {
    let padded = Zeroizing::new(block.map(|byte| byte ^ pad));
    let mut state = State::new();
    state.update(&*padded);
    state
}

impl Tokens {
    pub(crate) fn new(current: Mac, previous: Option<Mac>) -> Self {
        Self { current: Box::new(current), previous: previous.map(Box::new) }
    }

    /// Hashes the next piece of the body.
    pub(super) fn update(&mut self, engine: &Engine, piece: &[u8]) {
        if let Some(previous) = &mut self.previous {
            let lanes = &mut [(&mut self.current.inner, piece), (&mut previous.inner, piece)];
            engine.update_many(lanes);
        } else {
            self.current.inner.update(piece);
        }
    }

    /// The states that hash the pieces of the body: a lane for each.
    pub(super) fn states(&mut self) -> impl Iterator<Item = &mut State> {
        iter::once(&mut self.current).chain(&mut self.previous).map(|mac| &mut mac.inner)
    }

    /// The token under the secret, and that under the previous one if it is live.
    pub(crate) fn finish(mut self) -> (String, Option<String>) {
        // Not moved out of the boxes, whose memory would keep them: there they are zeroized.
        let previous = self.previous.as_mut().map(|mac| hex::encode(mac.finish()));
        (hex::encode(self.current.finish()), previous)
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac as _};
    use sha2::Sha256;
    use sha256_multi::Engine;

    use super::{Mac, Tokens};

    fn token(key: &[u8], pieces: &[&[u8]]) -> (String, Option<String>) {
        let mut tokens = Tokens::new(Mac::new(key), None);
        for piece in pieces {
            tokens.update(&Engine::detect(), piece);
        }
        tokens.finish()
    }

    fn expected(key: &[u8], message: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message);
        hex::encode(mac.finalize().into_bytes())
    }

    /// RFC 4231 sections 4.2, 4.3 and 4.7.
    #[test]
    fn mac_of_rfc_4231_examples() {
        for (key, message, mac) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(token(key, &[message]), (mac.into(), None));
        }
    }

    #[test]
    fn mac_is_that_of_the_hmac_crate_for_keys_and_messages_of_any_length() {
        let bytes: Vec<u8> = (0..=250).cycle().take(300).collect();
        for key_len in 0..140 {
            for len in [0, 1, 55, 56, 63, 64, 65, 200] {
                let (key, message) = (&bytes[..key_len], &bytes[17..17 + len]);
                let (first, second) = message.split_at(len / 3);
                let pieces = token(key, &[first, second]);
                assert_eq!(pieces, (expected(key, message), None), "key {key_len}, {len} bytes");
            }
        }
    }

    #[test]
    fn previous_secret_has_a_token_of_its_own() {
        let mut tokens = Tokens::new(Mac::new(b"current"), Some(Mac::new(b"previous")));
        let piece = [7; 1000];
        for _ in 0..3 {
            tokens.update(&Engine::detect(), &piece);
        }
        let body = [7; 3000];
        let expected = (expected(b"current", &body), Some(expected(b"previous", &body)));
        assert_eq!(tokens.finish(), expected);
    }
}
