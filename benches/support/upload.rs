//! An upload: a frame whose payload is one chunk over and over.

use std::hint::black_box;

use sha2::{Digest, Sha256};

/// The size of a chunk, as a connection reads it.
pub(crate) const CHUNK: usize = 64 * 1024;

/// A frame with a large payload.
pub(crate) struct Upload {
    pub(crate) head: String,
    chunk: Vec<u8>,
    chunks: usize,
}

impl Upload {
    /// A payload of at most [`CHUNK`] bytes, or of a multiple of that.
    pub(crate) fn new(size: usize) -> Self {
        let chunk = vec![0xA5; size.min(CHUNK)];
        let head = format!("PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: {size}\r\n\r\n");
        Self { head, chunks: size / chunk.len(), chunk }
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::repeat_n(&self.chunk[..], self.chunks)
    }

    /// Plain SHA-256 of the payload, what cannot be done without.
    pub(crate) fn plain(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for chunk in self.chunks() {
            hash.update(black_box(chunk));
        }
        hash.finalize().into()
    }
}
