//! The CanonicalHeaders (protocol section 6).

use std::ops::Range;

use super::piece_writer::PieceWriter;
use crate::{
    explain::{case::Case, rule::Rule},
    frame::{Head, PlacedField, Value},
};

/// A field with its place among those of the frame that are signed.
struct Placed<'a> {
    number: usize,
    lower_name: Vec<u8>,
    name: &'a [u8],
    name_at: usize,
    value: Value<'a>,
    value_at: usize,
}

/// Traces the fields of `head` that are signed.
pub(super) fn trace(head: &Head<'_>, case: &Case<'_>, writer: &mut PieceWriter) {
    let mut fields = fields(head, case);
    fields.sort_by(|left, right| left.lower_name.cmp(&right.lower_name));
    let mut place = 0;
    for same in fields.chunk_by(|left, right| left.lower_name == right.lower_name) {
        name(same, place, writer);
        writer.add(b":", Rule::FieldLine);
        for (number, field) in same.iter().enumerate() {
            if number > 0 {
                writer.add(b",", Rule::FieldsJoined);
            }
            value(field, (field.number != place + number).then_some(Rule::FieldsSorted), writer);
        }
        writer.add(b"\n", Rule::FieldLine);
        place += same.len();
    }
}

fn fields<'a>(head: &Head<'a>, case: &Case<'_>) -> Vec<Placed<'a>> {
    let bytes = head.as_bytes();
    let spans = head.parts().fields.iter();
    let signed = spans.filter(|span| !case.is_left_out(span.name.of(bytes)));
    let placed = signed.enumerate().map(|(number, span)| {
        let (name, field) = (span.name.of(bytes), span.placed(bytes));
        let PlacedField { name_at, value_at, value } = field;
        Placed { number, lower_name: name.to_ascii_lowercase(), name, name_at, value, value_at }
    });
    placed.collect()
}

/// Traces the name that the fields `same` have, the first of them at `place` in the sorted order.
fn name(same: &[Placed<'_>], place: usize, writer: &mut PieceWriter) {
    let Some(first) = same.first() else { return };
    let ranges = same.iter().map(|field| field.name_at..field.name_at + field.name.len());
    let is_lower = same.iter().all(|field| field.name == field.lower_name);
    let rule = match (is_lower, same) {
        (false, _) => Some(Rule::LowerCaseName),
        (true, [_, _, ..]) => Some(Rule::FieldsJoined),
        (true, _) => (first.number != place).then_some(Rule::FieldsSorted),
    };
    writer.put(&first.lower_name, ranges, rule);
}

fn value(field: &Placed<'_>, kept: Option<Rule>, writer: &mut PieceWriter) {
    let raw = field.value.raw();
    let at = |piece: Range<usize>| Some(field.value_at + piece.start..field.value_at + piece.end);
    if let Some(line) = field.value.as_line() {
        return writer.put(line, at(0..line.len()), kept);
    }
    let mut from = 0;
    for (number, piece) in field.value.pieces().enumerate() {
        // Pieces come in order and are not empty, and what lies between them is blank.
        let start = from + blank_len(raw.get(from..).unwrap_or_default());
        if number > 0 {
            writer.put(b" ", at(from..start), Some(Rule::Folded));
        }
        from = start + piece.len();
        writer.put(piece, at(start..from), kept);
    }
}

/// The number of blanks and line ends at the start of `bytes`.
fn blank_len(bytes: &[u8]) -> usize {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    bytes.iter().take_while(is_blank).count()
}
