//! Writes a canonical request, and notes where each piece came from.

use std::ops::Range;

use crate::{
    explain::{piece::Piece, rule::Rule},
    protocol::PayloadHash,
};

/// The text so far, and its pieces.
#[derive(Default)]
pub(in super::super) struct PieceWriter {
    text: Vec<u8>,
    pieces: Vec<Piece>,
}

impl PieceWriter {
    pub(in super::super) fn into_parts(self) -> (Vec<u8>, Vec<Piece>) {
        (self.text, self.pieces)
    }

    /// Adds a piece that came from the ranges `frame`; a piece without text is none.
    pub(super) fn put(
        &mut self,
        text: &[u8],
        frame: impl IntoIterator<Item = Range<usize>>,
        rule: Option<Rule>,
    ) {
        if text.is_empty() {
            return;
        }
        let (start, frame) = (self.text.len(), frame.into_iter().collect());
        self.text.extend_from_slice(text);
        self.pieces.push(Piece { canonical: start..self.text.len(), frame, rule });
    }

    /// Adds what the protocol adds.
    pub(super) fn add(&mut self, text: &[u8], rule: Rule) {
        self.put(text, None, Some(rule));
    }

    /// Adds the last line, the hash of the payload that lies at `payload` in the frame.
    pub(in super::super) fn payload_hash(&mut self, hash: PayloadHash, payload: Range<usize>) {
        let frame = (!payload.is_empty()).then_some(payload);
        self.put(hash.to_string().as_bytes(), frame, Some(Rule::PayloadHash));
    }
}
