//! Field lines (RFC 9112 section 5; protocol rows 7.10 to 7.14).

use std::borrow::Cow;

use super::{
    ascii::{TOKEN, trim},
    rules::Rules,
    span::Span,
};
use crate::error::{ErrorKind, Expected, Found, FrameError};

/// Where a field lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldSpan {
    pub(crate) name: Span,
    /// Without the whitespace around it; of a folded value its lines and what is between them.
    pub(crate) value: Span,
    pub(crate) folded: bool,
}

impl FieldSpan {
    /// Reads the field line that lies at `line` in `head`.
    pub(crate) fn parse(head: &[u8], line: Span, rules: &Rules) -> Result<Self, FrameError> {
        let bytes = line.of(head);
        let name = TOKEN.run(bytes);
        if name == 0 || bytes.get(name) != Some(&b':') {
            return Err(bad_name(line.start + name, bytes, name));
        }
        let colon = line.start + name;
        let value = Span::new(colon + 1, line.end);
        check_value(head, value, rules)?;
        let name = Span::new(line.start, colon);
        Ok(Self { name, value: value.trimmed(head), folded: false })
    }

    /// Takes the continuation line at `line` into the value (RFC 9112 section 5.2).
    pub(crate) fn fold(
        &mut self,
        head: &[u8],
        line: Span,
        rules: &Rules,
    ) -> Result<(), FrameError> {
        check_value(head, line, rules)?;
        self.value.end = line.end;
        self.folded = true;
        Ok(())
    }

    pub(crate) fn is_named(&self, head: &[u8], name: &str) -> bool {
        self.name.len() == name.len() && self.name.of(head).eq_ignore_ascii_case(name.as_bytes())
    }

    pub(crate) fn value<'a>(&self, head: &'a [u8]) -> Value<'a> {
        Value { raw: self.value.of(head), folded: self.folded }
    }
}

/// Refuses a continuation line where none is accepted (protocol row 7.14).
pub(crate) fn refuse_fold(at: usize, expected: &'static str) -> FrameError {
    let found = Found::Text("a line that starts with whitespace");
    FrameError::new(ErrorKind::ObsFold, at, Expected::Text(expected), found)
}

/// A field's value: one slice, or the lines of a folded one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    raw: &'a [u8],
    folded: bool,
}

impl<'a> Value<'a> {
    /// A value of one line.
    pub(crate) fn line(raw: &'a [u8]) -> Self {
        Self { raw, folded: false }
    }

    /// The value where it is of one line.
    pub(crate) fn as_line(self) -> Option<&'a [u8]> {
        (!self.folded).then_some(self.raw)
    }

    /// The trimmed lines of a folded value that are not empty; a space between each makes the
    /// value, so that a blank line adds nothing.
    pub(crate) fn pieces(self) -> impl Iterator<Item = &'a [u8]> {
        self.raw
            .split(|&byte| byte == b'\n')
            .map(|line| trim(line.strip_suffix(b"\r").unwrap_or(line)))
            .filter(|line| !line.is_empty())
    }

    pub(crate) fn to_bytes(self) -> Cow<'a, [u8]> {
        self.as_line().map_or_else(
            || Cow::Owned(self.pieces().collect::<Vec<_>>().join(&b' ')),
            Cow::Borrowed,
        )
    }
}

/// RFC 9110 section 5.5. Bytes from 0x80 are kept as they are, in both ways of reading.
fn check_value(head: &[u8], value: Span, rules: &Rules) -> Result<(), FrameError> {
    let bytes = value.of(head);
    // No early exit: so the compiler can test many bytes at a time.
    let refused = if rules.is_strict() {
        bytes.iter().fold(false, |refused, &byte| refused | is_control(byte))
    } else {
        bytes.contains(&0)
    };
    if refused { Err(bad_value(bytes, value.start, rules)) } else { Ok(()) }
}

const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

#[cold]
fn bad_value(bytes: &[u8], start: usize, rules: &Rules) -> FrameError {
    let strict = rules.is_strict();
    let at = bytes.iter().position(|&byte| if strict { is_control(byte) } else { byte == 0 });
    let at = at.unwrap_or_default();
    let expected =
        if strict { "no control byte but tab in a field value" } else { "no NUL in a field value" };
    let kind = ErrorKind::HeaderValue;
    FrameError::new(kind, start + at, Expected::Text(expected), Found::at(bytes, at))
}

#[cold]
fn bad_name(at: usize, line: &[u8], name: usize) -> FrameError {
    let expected = match (name, line.get(name)) {
        (0, _) => "a field name",
        _ => "a colon after the field name",
    };
    let kind = ErrorKind::HeaderName;
    FrameError::new(kind, at, Expected::Text(expected), Found::at(line, name))
}
