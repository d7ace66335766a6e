//! A payload that is kept in memory until it is verified.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// The pieces of a payload in their order, in about as much memory as they have bytes.
///
/// A piece of one byte can hold on to the read buffer of a connection that it was split off, of
/// 8 KiB or far more. So the first pieces are kept as they are, and with a further one all of them
/// are copied into memory of their own.
#[derive(Default)]
pub(super) struct Buffer {
    pieces: VecDeque<Bytes>,
    copied: BytesMut,
}

impl Buffer {
    /// Enough for a payload of 64 KiB that a server reads in its usual portions.
    const MAX_PIECES: usize = 8;

    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        if self.copied.is_empty() && self.pieces.len() < Self::MAX_PIECES {
            self.pieces.push_back(piece);
            return;
        }
        for piece in self.pieces.drain(..).chain([piece]) {
            self.copied.extend_from_slice(&piece);
        }
    }

    /// The next piece, which is not empty.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let copied = || Some(self.copied.split().freeze()).filter(|copied| !copied.is_empty());
        self.pieces.pop_front().or_else(copied)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The number of bytes.
    pub(super) fn len(&self) -> usize {
        self.copied.len() + self.pieces.iter().map(Bytes::len).sum::<usize>()
    }
}
