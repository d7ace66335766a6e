//! Percent-encoding (protocol section 3), byte by byte.

use super::piece_writer::PieceWriter;
use crate::{
    explain::rule::Rule,
    frame::is_escape,
    protocol::{UNRESERVED, recode_one},
};

/// The part of the target, which decides what `+` and `/` are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Query,
}

/// The canonical form of one unit: an escape, or a byte.
pub(super) struct Unit {
    /// The number of bytes in the frame.
    pub(super) len: usize,
    pub(super) text: Vec<u8>,
    /// `None` if the bytes stay as they are.
    pub(super) rule: Option<Rule>,
}

impl Unit {
    /// The unit at the start of `raw`, which is not empty.
    pub(super) fn first(raw: &[u8], part: Part) -> Self {
        match raw {
            [b'/', ..] if part == Part::Path => Self { len: 1, text: b"/".to_vec(), rule: None },
            [b'+', ..] if part == Part::Query => {
                Self { len: 1, text: b"%20".to_vec(), rule: Some(Rule::PlusInQuery) }
            }
            _ => Self::recoded(raw),
        }
    }

    fn recoded(raw: &[u8]) -> Self {
        let mut text = Vec::new();
        let Ok(rest) = recode_one(raw, &mut text);
        let len = raw.len() - rest.len();
        let rule = match raw {
            _ if raw.starts_with(&text) => None,
            _ if is_escape(raw) && text.len() == 1 => Some(Rule::Decoded),
            _ if is_escape(raw) => Some(Rule::UpperCaseEscape),
            [b'%', ..] => Some(Rule::LiteralPercent),
            // That of a query is a space.
            [b'+', ..] => Some(Rule::PlusInPath),
            _ => Some(Rule::Encoded),
        };
        Self { len, text, rule }
    }
}

/// Traces `raw`, which lies at `start` in the frame. What stays as it is becomes one piece with the rule
/// `kept`, each other unit one of its own.
pub(super) fn trace(
    raw: &[u8],
    start: usize,
    part: Part,
    kept: Option<Rule>,
    writer: &mut PieceWriter,
) {
    let mut at = 0;
    loop {
        let run = kept_len(raw.get(at..).unwrap_or_default(), part);
        writer.put(
            raw.get(at..at + run).unwrap_or_default(),
            Some(start + at..start + at + run),
            kept,
        );
        at += run;
        let rest = raw.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        let unit = Unit::first(rest, part);
        writer.put(&unit.text, Some(start + at..start + at + unit.len), unit.rule);
        at += unit.len;
    }
}

/// The number of bytes at the start of `raw` that stay as they are.
fn kept_len(raw: &[u8], part: Part) -> usize {
    let mut len = 0;
    while let Some(rest) = raw.get(len..).filter(|rest| !rest.is_empty()) {
        if rest.first().is_some_and(|byte| UNRESERVED.contains(*byte)) {
            len += 1;
            continue;
        }
        let unit = Unit::first(rest, part);
        if unit.rule.is_some() {
            break;
        }
        len += unit.len;
    }
    len
}

/// The canonical form of `raw`.
pub(super) fn canonical(raw: &[u8], part: Part) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let unit = Unit::first(rest, part);
        text.extend_from_slice(&unit.text);
        rest = rest.get(unit.len..).unwrap_or_default();
    }
    text
}
