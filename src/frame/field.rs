//! Field lines (RFC 9112 section 5; protocol rules 7.10 to 7.14).

use std::borrow::Cow;

use super::{
    ascii::{TOKEN, trim},
    rules::Rules,
    span::Span,
};
use crate::error::{ErrorKind, Expected, Found, FrameError};

/// A field's meaning to framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Host,
    ContentLength,
    TransferEncoding,
    Other,
}

impl Known {
    /// The meaning of the field `name`, whose common spelling is tried before all others.
    #[inline]
    fn of(name: &[u8]) -> Self {
        let is = |common: &[u8]| name == common || name.eq_ignore_ascii_case(common);
        match name.len() {
            4 if is(b"Host") => Self::Host,
            14 if is(b"Content-Length") => Self::ContentLength,
            17 if is(b"Transfer-Encoding") => Self::TransferEncoding,
            _ => Self::Other,
        }
    }
}

/// The ranges of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldSpan {
    pub(crate) name: Span,
    /// Without the whitespace around it; of a folded value its lines and what is between them.
    pub(crate) value: Span,
    pub(crate) folded: bool,
    pub(crate) known: Known,
}

impl FieldSpan {
    /// Reads the field line that lies at `line` in `head`.
    pub(crate) fn parse(head: &[u8], line: Span, rules: &Rules) -> Result<Self, FrameError> {
        let bytes = line.of(head);
        let (name, rest) = bytes.split_at(TOKEN.run(bytes));
        let [b':', value @ ..] = rest else { return Err(bad_name(line.start, name, rest)) };
        if name.is_empty() {
            return Err(bad_name(line.start, name, rest));
        }
        let colon = line.start + name.len();
        if rules.is_strict() {
            check_value(value, colon + 1)?;
        }
        Ok(Self {
            name: Span::new(line.start, colon),
            value: Span::trimmed(value, colon + 1),
            folded: false,
            known: Known::of(name),
        })
    }

    /// The field with its offsets in `head`.
    pub(crate) fn placed<'a>(&self, head: &'a [u8]) -> PlacedField<'a> {
        let (name_at, value_at) = (self.name.start, self.value.start);
        PlacedField { name_at, value_at, value: self.value(head) }
    }

    pub(crate) fn value<'a>(&self, head: &'a [u8]) -> Value<'a> {
        Value { raw: self.value.of(head), folded: self.folded }
    }
}

/// Adds the continuation line at `line` to the last of `fields` (RFC 9112 section 5.2), or refuses it
/// (protocol rule 7.14).
// Apart from the loop over lines, which is 3 % slower on a head that comes byte by byte with it.
#[inline(never)]
pub(crate) fn fold(
    fields: &mut [FieldSpan],
    line: Span,
    is_strict: bool,
) -> Result<(), FrameError> {
    match fields.last_mut() {
        _ if is_strict => Err(refuse_fold(line.start, "a field line")),
        None => Err(refuse_fold(line.start, "a field before its continuation")),
        Some(field) => {
            field.value.end = line.end;
            field.folded = true;
            Ok(())
        }
    }
}

#[cold]
fn refuse_fold(at: usize, expected: &'static str) -> FrameError {
    let found = Found::Text("a line that starts with whitespace");
    FrameError::new(ErrorKind::ObsFold, at, Expected::Text(expected), found)
}

/// The value of a field, and the offsets at which errors of it stand.
#[derive(Clone, Copy)]
pub(crate) struct PlacedField<'a> {
    pub(crate) name_at: usize,
    pub(crate) value_at: usize,
    pub(crate) value: Value<'a>,
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

    /// The bytes of the value; of a folded one also what is between its lines.
    pub(crate) fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The value if it is of one line.
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

    /// Compares the value with `text`, without a copy of the pieces.
    pub(crate) fn eq_ignore_ascii_case(self, text: &[u8]) -> bool {
        let Some(line) = self.as_line() else {
            let mut rest = Some(text);
            for (number, piece) in self.pieces().enumerate() {
                let text = if number == 0 { rest } else { rest.and_then(|t| t.strip_prefix(b" ")) };
                rest = text.and_then(|text| strip(text, piece));
            }
            return rest.is_some_and(<[u8]>::is_empty);
        };
        line.eq_ignore_ascii_case(text)
    }

    pub(crate) fn to_bytes(self) -> Cow<'a, [u8]> {
        self.as_line().map_or_else(
            || Cow::Owned(self.pieces().collect::<Vec<_>>().join(&b' ')),
            Cow::Borrowed,
        )
    }
}

/// The rest that follows `prefix` in `text`, ASCII case ignored.
fn strip<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Refuses control bytes but tab (RFC 9110 section 5.5). Bytes from 0x80 are kept.
#[inline(never)]
fn check_value(value: &[u8], start: usize) -> Result<(), FrameError> {
    let is_control = |byte| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    refuse_bytes(value, start, is_control, "no control byte but tab in a field value")
}

/// The check of a value that another HTTP implementation has read (protocol rule 7.11, and what
/// stands below the table of section 7): NUL, CR and LF would make one canonical line two.
///
/// The types of other implementations promise this as well, but some can be made without a check.
/// The error stands at byte 0, since there are no bytes of a head.
#[cfg(feature = "http")]
pub(crate) fn check_structured_value(value: &[u8]) -> Result<(), FrameError> {
    let ends_line = |byte| matches!(byte, 0 | b'\r' | b'\n');
    refuse_bytes(value, 0, ends_line, "no NUL, CR or LF in a field value")
        .map_err(|error| error.at(0))
}

/// Refuses a value with a byte that `is_refused` is true for; `start` is its place in the head.
#[inline]
fn refuse_bytes(
    value: &[u8],
    start: usize,
    is_refused: impl Fn(u8) -> bool,
    expected: &'static str,
) -> Result<(), FrameError> {
    // No early exit: so the compiler can test many bytes at a time.
    if !value.iter().fold(false, |refused, &byte| refused | is_refused(byte)) {
        return Ok(());
    }
    match value.iter().position(|&byte| is_refused(byte)) {
        Some(at) => Err(refuse_value(start + at, expected, Found::at(value, at))),
        None => Ok(()),
    }
}

/// Refuses the NUL that is at `at` in a value of a lenient head (protocol rule 7.11).
pub(crate) fn nul_in_value(at: usize) -> FrameError {
    refuse_value(at, "no NUL in a field value", Found::Byte(0))
}

#[cold]
fn refuse_value(at: usize, expected: &'static str, found: Found) -> FrameError {
    FrameError::new(ErrorKind::HeaderValue, at, Expected::Text(expected), found)
}

#[cold]
fn bad_name(start: usize, name: &[u8], rest: &[u8]) -> FrameError {
    let expected = if name.is_empty() { "a field name" } else { "a colon after the field name" };
    let (kind, at) = (ErrorKind::HeaderName, start + name.len());
    FrameError::new(kind, at, Expected::Text(expected), Found::at(rest, 0))
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::check_structured_value;
    use crate::ErrorKind;

    #[test]
    fn a_structured_value_cannot_make_two_canonical_lines() {
        for value in [&b"a\0"[..], b"\rb", b"a\nb"] {
            assert_eq!(check_structured_value(value).unwrap_err().kind(), ErrorKind::HeaderValue);
        }
        check_structured_value(b"a\tb \x80\xff\x01").unwrap();
    }
}
