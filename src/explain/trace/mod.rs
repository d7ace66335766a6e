//! Writes the canonical request a second time, piece by piece, each with where it came from.
//!
//! It is no part of the way of a frame that is signed, so it may take copies. That it writes what the
//! first one writes is held by a test over all vectors and random frames.

mod fields;
mod percent;
mod piece_writer;
mod query;

use self::percent::Part;
pub(super) use self::piece_writer::PieceWriter;
use super::{case::Case, rule::Rule};
use crate::frame::Head;

/// Traces the canonical request of `head` up to its last line.
pub(super) fn head(head: &Head<'_>, case: &Case<'_>, writer: &mut PieceWriter) {
    let line = &head.parts().request_line;
    writer.put(head.method_bytes(), Some(line.method.start..line.method.end), None);
    writer.add(b"\n", Rule::PartEnd);
    path(head, writer);
    writer.add(b"\n", Rule::PartEnd);
    if let Some(query) = line.target.query {
        query::trace(query.of(head.as_bytes()), query.start, writer);
    }
    writer.add(b"\n", Rule::PartEnd);
    fields::trace(head, case, writer);
    writer.add(b"\n", Rule::PartEnd);
}

fn path(head: &Head<'_>, writer: &mut PieceWriter) {
    match head.parts().request_line.target.path {
        Some(path) if path.len() == 0 => writer.add(b"/", Rule::EmptyPath),
        Some(path) => {
            let raw = path.of(head.as_bytes());
            percent::trace(raw, path.start, Part::Path, None, writer);
        }
        None => {}
    }
}
