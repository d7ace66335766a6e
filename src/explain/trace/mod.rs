//! Writes the canonical request a second time, piece by piece, each with where it came from.
//!
//! It is no part of the way of a frame that is signed, so it may take copies. That it writes what the
//! first one writes is held by a test over all vectors and random frames.

mod fields;
mod percent;
mod query;

use std::ops::Range;

use super::{case::Case, piece::Piece, rule::Rule};
use crate::{
    frame::{Head, Span},
    protocol::PayloadHash,
};

/// The text so far, and its pieces.
#[derive(Default)]
pub(super) struct Trace {
    text: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Trace {
    pub(super) fn into_parts(self) -> (Vec<u8>, Vec<Piece>) {
        (self.text, self.pieces)
    }

    /// Adds a piece that came from the ranges `frame`; a piece without text is none.
    fn put(
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
    fn add(&mut self, text: &[u8], rule: Rule) {
        self.put(text, None, Some(rule));
    }

    /// Adds the last line, the hash of the payload that lies at `payload` in the frame.
    pub(super) fn payload_hash(&mut self, hash: PayloadHash, payload: Range<usize>) {
        let frame = (!payload.is_empty()).then_some(payload);
        self.put(hash.to_string().as_bytes(), frame, Some(Rule::PayloadHash));
    }
}

/// Traces the canonical request of `head` up to its last line.
pub(super) fn head(head: &Head<'_>, case: &Case<'_>, trace: &mut Trace) {
    let line = &head.parts().request_line;
    trace.put(head.method_bytes(), Some(line.method.start..line.method.end), None);
    trace.add(b"\n", Rule::PartEnd);
    path(head, trace);
    trace.add(b"\n", Rule::PartEnd);
    if let Some(query) = line.target.query {
        query::trace(query.of(head.as_bytes()), query.start, trace);
    }
    trace.add(b"\n", Rule::PartEnd);
    fields::trace(head, case, trace);
    trace.add(b"\n", Rule::PartEnd);
}

fn path(head: &Head<'_>, trace: &mut Trace) {
    match head.parts().request_line.target.path {
        Some(path) if path.len() == 0 => trace.add(b"/", Rule::EmptyPath),
        Some(Span { start, end }) => {
            percent::trace(
                Span { start, end }.of(head.as_bytes()),
                start,
                percent::Part::Path,
                None,
                trace,
            );
        }
        None => {}
    }
}
