//! The state of one message.

use core::{fmt, slice};

use sha2::block_api::compress256;

use crate::constants::INITIAL;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// The state of one message between its pieces: eight words, the bytes of a block that is not full,
/// and the number of bytes so far.
///
/// It is plain data: it can be moved, cloned, and saved at any byte with [`to_bytes`](Self::to_bytes).
/// A message has at most 2^61 - 1 bytes (FIPS 180-4, section 1: its length in bits has 64 digits).
///
/// Many states advance at once by [`update_many`](crate::update_many); one alone by
/// [`update`](Self::update).
///
/// # Example
///
/// ```
/// use sha256_multi::State;
///
/// let mut state = State::new();
/// state.update(b"a");
/// state.update(b"bc");
/// assert_eq!(state.finalize()[..4], [0xba, 0x78, 0x16, 0xbf]);
/// ```
#[derive(Clone)]
pub struct State {
    pub(crate) words: [u32; 8],
    /// Only the first `length % 64` bytes count.
    pub(crate) block: [u8; BLOCK],
    pub(crate) length: u64,
}

impl State {
    /// Bytes of a saved state.
    pub const SAVED: usize = 104;

    /// The state of a message of which nothing has come yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { words: INITIAL, block: [0; BLOCK], length: 0 }
    }

    /// Restores what [`to_bytes`](Self::to_bytes) saved.
    ///
    /// # Errors
    ///
    /// If the bytes cannot be a saved state: the length is that of no message, or there are bytes
    /// behind those of the block. Words that were changed are not seen.
    pub fn from_bytes(bytes: &[u8; Self::SAVED]) -> Result<Self, InvalidState> {
        let mut state = Self::new();
        for (word, bytes) in state.words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        let mut length = [0; 8];
        length.copy_from_slice(&bytes[32..40]);
        state.length = u64::from_be_bytes(length);
        state.block.copy_from_slice(&bytes[40..]);
        if state.length >= 1 << 61 {
            return Err(InvalidState::Length);
        }
        let used = 40 + state.buffered();
        match bytes[used..].iter().position(|&byte| byte != 0) {
            Some(place) => Err(InvalidState::Block(used + place)),
            None => Ok(state),
        }
    }

    /// Hashes the next piece, alone.
    pub fn update(&mut self, piece: &[u8]) {
        let parts = self.split(piece);
        if let Some((words, block)) = self.fill_block(&parts) {
            compress256(words, slice::from_ref(block));
        }
        compress256(&mut self.words, parts.body);
        self.keep_tail(&parts);
    }

    /// The digest of the message, which ends here.
    #[must_use]
    pub fn finalize(self) -> Digest {
        self.digest()
    }

    /// The digest of the message, as if it ended here.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut padding = Padding::NONE;
        self.pad(&mut padding);
        let mut words = self.words;
        compress256(&mut words, padding.blocks());
        digest(&words)
    }

    /// The number of bytes hashed so far.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "not a collection")]
    pub const fn len(&self) -> u64 {
        self.length
    }

    /// Saves the state: the eight words, the number of bytes as eight bytes, and the block that is
    /// not full with zeros behind it; all numbers are big-endian.
    ///
    /// What is saved is as secret as the message: whoever knows the state of a prefix can go on
    /// from it.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::SAVED] {
        let mut bytes = [0; Self::SAVED];
        bytes[..32].copy_from_slice(&digest(&self.words));
        bytes[32..40].copy_from_slice(&self.length.to_be_bytes());
        let buffered = self.buffered();
        bytes[40..40 + buffered].copy_from_slice(&self.block[..buffered]);
        bytes
    }

    /// How many bytes of a block wait for its rest.
    #[expect(clippy::cast_possible_truncation, reason = "less than a block")]
    pub(crate) const fn buffered(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }

    /// Tells what of the next piece belongs to which block.
    pub(crate) fn split<'a>(&self, piece: &'a [u8]) -> Parts<'a> {
        let missing = (BLOCK - self.buffered()) % BLOCK;
        let (head, rest) = piece.split_at_checked(missing).unwrap_or((&[], &[]));
        let (body, tail) = rest.as_chunks();
        // A piece that does not fill the block is all tail.
        let tail = if piece.len() < missing { piece } else { tail };
        Parts { head, body, tail }
    }

    /// Fills the block with the head of a piece, if there is one; the block is then to be hashed.
    pub(crate) fn fill_block(
        &mut self,
        parts: &Parts<'_>,
    ) -> Option<(&mut [u32; 8], &[u8; BLOCK])> {
        if parts.head.is_empty() {
            return None;
        }
        let buffered = self.buffered();
        self.block[buffered..].copy_from_slice(parts.head);
        Some((&mut self.words, &self.block))
    }

    /// Counts the bytes of a piece whose blocks are hashed, and keeps its tail.
    pub(crate) fn keep_tail(&mut self, parts: &Parts<'_>) {
        self.length += (parts.head.len() + parts.body.len() * BLOCK) as u64;
        let buffered = self.buffered();
        self.block[buffered..buffered + parts.tail.len()].copy_from_slice(parts.tail);
        self.length += parts.tail.len() as u64;
    }

    /// Writes the blocks that end the message into zeros (FIPS 180-4, section 5.1.1).
    pub(crate) fn pad(&self, padding: &mut Padding) {
        let buffered = self.buffered();
        padding.count = if buffered < BLOCK - 8 { 1 } else { 2 };
        let bytes = padding.blocks[..padding.count].as_flattened_mut();
        bytes[..buffered].copy_from_slice(&self.block[..buffered]);
        bytes[buffered] = 0x80;
        // Of a message of at most 2^61 - 1 bytes no bit is shifted out.
        let bits = self.length << 3;
        let end = bytes.len();
        bytes[end - 8..].copy_from_slice(&bits.to_be_bytes());
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the length alone: the words of a keyed hash are a secret.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(feature = "zeroize")]
impl Drop for State {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.words.zeroize();
        self.block.zeroize();
        self.length.zeroize();
    }
}

#[cfg(feature = "zeroize")]
impl zeroize::ZeroizeOnDrop for State {}

/// A piece, cut at the blocks of its message.
pub(crate) struct Parts<'a> {
    /// What fills the block that has begun; empty if none has, or the piece does not fill it.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [[u8; BLOCK]],
    /// What begins a block, or goes on with one without filling it.
    pub(crate) tail: &'a [u8],
}

/// The one or two blocks that end a message.
pub(crate) struct Padding {
    blocks: [[u8; BLOCK]; 2],
    count: usize,
}

impl Padding {
    pub(crate) const NONE: Self = Self { blocks: [[0; BLOCK]; 2], count: 0 };

    pub(crate) fn blocks(&self) -> &[[u8; BLOCK]] {
        &self.blocks[..self.count]
    }
}

#[cfg(feature = "zeroize")]
impl Drop for Padding {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.blocks);
    }
}

/// The words as bytes: the digest, once the padding is hashed.
pub(crate) fn digest(words: &[u32; 8]) -> Digest {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

/// Bytes that are no saved [`State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidState {
    /// The length is that of no message: 2^61 bytes or more.
    Length,
    /// A byte behind those of the block that is not full is not zero; holds its place.
    Block(usize),
}

impl fmt::Display for InvalidState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("expected a length below 2^61, found more at byte 32"),
            Self::Block(place) => {
                write!(
                    f,
                    "expected zeros behind the bytes of the block, found another at byte {place}"
                )
            }
        }
    }
}

impl core::error::Error for InvalidState {}
