//! Messages that arrive in pieces, hashed side by side.

use std::iter;

use sha256_multi::{Digest, Engine, State};

pub(crate) const KIB: usize = 1024;

/// Messages, and how many bytes of each arrive at a time.
pub(crate) struct Workload {
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) piece: usize,
}

impl Workload {
    /// Messages of these lengths, each with bytes of its own.
    pub(crate) fn new(lengths: impl IntoIterator<Item = usize>, piece: usize) -> Self {
        let messages = lengths.into_iter().enumerate().map(|(i, length)| {
            (0..length).map(|byte| (byte * 31 + i * 7 + (byte >> 8)) as u8).collect()
        });
        Self { messages: messages.collect(), piece }
    }

    /// The pieces of all messages that arrive at the same time, one turn after the other.
    pub(crate) fn turns(&self) -> impl Iterator<Item = impl Iterator<Item = &[u8]>> {
        let longest = self.messages.iter().map(Vec::len).max().unwrap_or(0);
        (0..longest).step_by(self.piece).map(move |start| {
            self.messages.iter().map(move |message| {
                &message[start.min(message.len())..(start + self.piece).min(message.len())]
            })
        })
    }

    /// Side by side.
    pub(crate) fn multi(&self, engine: Engine) -> Vec<Digest> {
        let mut states = vec![State::new(); self.messages.len()];
        for pieces in self.turns() {
            engine.update_many(&mut iter::zip(&mut states, pieces).collect::<Vec<_>>());
        }
        let mut digests = vec![[0; 32]; states.len()];
        engine.finalize_many(&mut iter::zip(&states, &mut digests).collect::<Vec<_>>());
        digests
    }
}
