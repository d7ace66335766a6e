//! What is special about bytes of a frame.

use std::{fmt, ops::Range};

use super::case::Case;
use crate::frame::{Head, Span, is_escape};
use crate::protocol::UNRESERVED;

/// Bytes of a frame that are more than they seem. A mark may lie within another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mark {
    /// The bytes of the frame, counted from 0.
    pub range: Range<usize>,
    /// What they are.
    pub kind: MarkKind,
}

/// The meaning of a [`Mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MarkKind {
    /// CR LF at the end of a line of the head.
    CrLf,
    /// LF without CR at the end of a line of the head (rule 7.1).
    Lf,
    /// Whitespace that is not signed: around a value, or around the parts of the request line.
    DroppedSpace,
    /// A continuation line, without its line end (rule 7.14).
    FoldedLine,
    /// `%` and two hexadecimal digits in a path or query.
    Escape,
    /// `+` in a query, which stands for a space (protocol section 5).
    Plus,
    /// A byte of a path or query that is escaped in the canonical request.
    EncodedByte,
    /// The lines of a field that is not signed (protocol section 9).
    LeftOutField,
    /// The payload.
    Payload,
}

impl MarkKind {
    /// The name in lower case, with a hyphen between words, such as `folded-line`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CrLf => "cr-lf",
            Self::Lf => "lf",
            Self::DroppedSpace => "dropped-space",
            Self::FoldedLine => "folded-line",
            Self::Escape => "escape",
            Self::Plus => "plus",
            Self::EncodedByte => "encoded-byte",
            Self::LeftOutField => "left-out-field",
            Self::Payload => "payload",
        }
    }
}

impl fmt::Display for MarkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The marks of the frame of `case`, in the order of their first bytes.
pub(super) fn marks(head: &Head<'_>, case: &Case<'_>) -> Vec<Mark> {
    let mut marks = Marks(Vec::new());
    marks.target(head);
    marks.lines(head);
    marks.left_out(head, case);
    marks.put(MarkKind::Payload, head.as_bytes().len()..case.frame.len());
    // Outer marks come before those that lie within them.
    marks.0.sort_by_key(|mark| (mark.range.start, std::cmp::Reverse(mark.range.end)));
    marks.0
}

struct Marks(Vec<Mark>);

impl Marks {
    /// Adds a mark; an empty one is none.
    fn put(&mut self, kind: MarkKind, range: Range<usize>) {
        if !range.is_empty() {
            self.0.push(Mark { range, kind });
        }
    }

    fn target(&mut self, head: &Head<'_>) {
        let target = &head.parts().request_line.target;
        let [path, query] =
            [target.path, target.query].map(|part| part.unwrap_or_else(|| Span::new(0, 0)));
        self.coded(path, head.as_bytes(), |byte| byte == b'/');
        self.coded(query, head.as_bytes(), |byte| matches!(byte, b'&' | b'='));
        for at in query.start..query.end {
            if head.as_bytes().get(at) == Some(&b'+') {
                self.put(MarkKind::Plus, at..at + 1);
            }
        }
    }

    /// Marks the escapes in `part`, and its bytes that are escaped but for those that separate.
    fn coded(&mut self, part: Span, bytes: &[u8], separates: fn(u8) -> bool) {
        let is_query = separates(b'&');
        let mut rest = part.of(bytes);
        while let Some((&byte, after)) = rest.split_first() {
            let at = part.end - rest.len();
            if is_escape(rest) {
                self.put(MarkKind::Escape, at..at + 3);
                rest = rest.get(3..).unwrap_or_default();
                continue;
            }
            let is_plus = is_query && byte == b'+';
            if !UNRESERVED.contains(byte) && !separates(byte) && !is_plus {
                self.put(MarkKind::EncodedByte, at..at + 1);
            }
            rest = after;
        }
    }

    fn lines(&mut self, head: &Head<'_>) {
        let target = &head.parts().request_line.target.raw;
        let mut start = 0;
        for line in head.as_bytes().split_inclusive(|&byte| byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let (text, kind) = match text.strip_suffix(b"\r") {
                Some(text) => (text, MarkKind::CrLf),
                None => (text, MarkKind::Lf),
            };
            let end = start + text.len();
            self.put(kind, end..start + line.len());
            if (start..end).contains(&target.start) {
                self.request_line(head, start, end);
            } else if start > target.end {
                self.field_line(text, start);
            }
            start += line.len();
        }
    }

    /// Marks the whitespace around the target and at the end of the line (rule 7.4).
    fn request_line(&mut self, head: &Head<'_>, start: usize, end: usize) {
        let line = &head.parts().request_line;
        let after = Span::new(line.target.raw.end, end);
        let version = Span::trimmed(after.of(head.as_bytes()), after.start);
        debug_assert!(start <= line.method.start, "the method lies in the line");
        self.put(MarkKind::DroppedSpace, line.method.end + 1..line.target.raw.start);
        self.put(MarkKind::DroppedSpace, after.start..version.start.saturating_sub(1));
        self.put(MarkKind::DroppedSpace, version.end..end);
    }

    fn field_line(&mut self, text: &[u8], start: usize) {
        let is_folded = matches!(text, [b' ' | b'\t', ..]);
        if is_folded {
            self.put(MarkKind::FoldedLine, start..start + text.len());
        }
        let colon = text.iter().position(|&byte| byte == b':').map_or(0, |colon| colon + 1);
        let from = if is_folded { 0 } else { colon };
        let value = Span::trimmed(text.get(from..).unwrap_or_default(), start + from);
        self.put(MarkKind::DroppedSpace, start + from..value.start);
        self.put(MarkKind::DroppedSpace, value.end..start + text.len());
    }

    /// Marks the lines of the fields that are not signed, each up to the next field.
    fn left_out(&mut self, head: &Head<'_>, case: &Case<'_>) {
        let (bytes, fields) = (head.as_bytes(), &head.parts().fields);
        for field in fields {
            if case.is_left_out(field.name.of(bytes)) {
                let rest = Span::new(field.value.end, bytes.len()).of(bytes);
                let end = rest.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
                self.put(MarkKind::LeftOutField, field.name.start..field.value.end + end);
            }
        }
    }
}
