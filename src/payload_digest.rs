//! The hash of a payload, taken in place or on other threads.

use std::task::{Context, Poll};

use bytes::Bytes;

use crate::{
    offload::{HashPool, OffloadedHash},
    protocol::{BufferedSha256, PayloadHash},
};

/// The hash of one payload after another, as its pieces come.
///
/// The machines of the codecs, of bodies and of streams own one: what is done with a frame counts
/// its payload and is given the hash, wherever it was taken.
#[expect(clippy::large_enum_variant, reason = "inline is the usual one, and needs no allocation")]
pub(crate) enum PayloadDigest {
    Inline(BufferedSha256),
    Offloaded(OffloadedHash),
}

impl PayloadDigest {
    /// Hashes on the threads of `pool`. A payload that has begun stays where its beginning was hashed.
    pub(crate) fn hash_on(&mut self, pool: &HashPool) {
        if matches!(self, Self::Inline(hash) if hash.is_unused()) {
            *self = Self::Offloaded(OffloadedHash::new(pool));
        }
    }

    /// Hashes the next piece, which is not copied.
    pub(crate) fn update(&mut self, piece: &Bytes) {
        match self {
            Self::Inline(hash) => hash.update(piece),
            Self::Offloaded(hash) => hash.push(piece.clone()),
        }
    }

    /// Hashes the next piece, which is copied if other threads hash it.
    #[cfg(feature = "codec")]
    pub(crate) fn update_copy(&mut self, piece: &[u8]) {
        match self {
            Self::Inline(hash) => hash.update(piece),
            Self::Offloaded(hash) => hash.push_copy(piece),
        }
    }

    /// Waits until there is room for a further piece.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Inline(_) => Poll::Ready(()),
            Self::Offloaded(hash) => hash.poll_ready(cx),
        }
    }

    /// Waits until all that came is hashed, ends the payload and begins with another one.
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<PayloadHash> {
        match self {
            Self::Inline(hash) => Poll::Ready(PayloadHash::new(hash)),
            Self::Offloaded(hash) => hash.poll_finish(cx),
        }
    }
}

#[cfg(feature = "codec")]
impl PayloadDigest {
    /// Waits until all that came is hashed.
    pub(crate) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Inline(_) => Poll::Ready(()),
            Self::Offloaded(hash) => hash.poll_idle(cx),
        }
    }

    /// Ends the payload if all that came is hashed.
    pub(crate) fn try_finish(&mut self) -> Option<PayloadHash> {
        match self {
            Self::Inline(hash) => Some(PayloadHash::new(hash)),
            Self::Offloaded(hash) => hash.try_finish(),
        }
    }

    pub(crate) fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }

    /// Returns `true` if a thread hashes what came, or will at once.
    pub(crate) fn is_hashing(&self) -> bool {
        match self {
            Self::Inline(_) => false,
            Self::Offloaded(hash) => hash.is_hashing(),
        }
    }
}

impl Default for PayloadDigest {
    fn default() -> Self {
        Self::Inline(BufferedSha256::default())
    }
}
