//! The CanonicalQuery (protocol section 5).

use super::{
    percent::{self, Part},
    piece_writer::PieceWriter,
};
use crate::explain::rule::Rule;

/// A parameter, as ranges of the frame.
struct Parameter<'a> {
    /// The canonical name, by which it is sorted.
    canonical_name: Vec<u8>,
    /// Its place among the parameters of the frame.
    number: usize,
    name: &'a [u8],
    name_at: usize,
    value: Option<&'a [u8]>,
}

impl Parameter<'_> {
    fn value_at(&self) -> usize {
        self.name_at + self.name.len() + 1
    }
}

/// Traces the query `raw`, which lies at `start` in the frame.
pub(super) fn trace(raw: &[u8], start: usize, writer: &mut PieceWriter) {
    let mut parameters = parameters(raw, start);
    parameters.sort_by(|left, right| left.canonical_name.cmp(&right.canonical_name));
    let mut before: Option<&[u8]> = None;
    for (place, parameter) in parameters.iter().enumerate() {
        let kept = (parameter.number != place).then_some(Rule::ParametersSorted);
        if before == Some(&parameter.canonical_name) {
            writer.add(b"%2C", Rule::ParametersJoined);
        } else {
            if before.is_some() {
                writer.add(b"&", Rule::ParameterEnd);
            }
            percent::trace(parameter.name, parameter.name_at, Part::Query, kept, writer);
            equals(parameter, kept, writer);
        }
        let value = parameter.value.unwrap_or_default();
        percent::trace(value, parameter.value_at(), Part::Query, kept, writer);
        before = Some(&parameter.canonical_name);
    }
}

fn equals(parameter: &Parameter<'_>, kept: Option<Rule>, writer: &mut PieceWriter) {
    match parameter.value {
        Some(_) => writer.put(b"=", Some(parameter.value_at() - 1..parameter.value_at()), kept),
        None => writer.add(b"=", Rule::EqualsAdded),
    }
}

fn parameters(raw: &[u8], start: usize) -> Vec<Parameter<'_>> {
    let mut found = Vec::new();
    let mut at = start;
    for piece in raw.split(|&byte| byte == b'&') {
        if !piece.is_empty() {
            let equals = piece.iter().position(|&byte| byte == b'=');
            let (name, value) = piece.split_at(equals.unwrap_or(piece.len()));
            found.push(Parameter {
                canonical_name: percent::canonical(name, Part::Query),
                number: found.len(),
                name,
                name_at: at,
                value: value.split_first().map(|(_, value)| value),
            });
        }
        at += piece.len() + 1;
    }
    found
}
