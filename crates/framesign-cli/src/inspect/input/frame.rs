//! A frame as it stands.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::inspect::input::error::InputError;

/// The bytes of a frame, and what was assumed to make them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PastedFrame {
    pub(crate) bytes: Vec<u8>,
    /// Sentences for the one who pasted: what was added, or could not be known.
    pub(crate) notes: Vec<String>,
}

/// What becomes of the line ends in the head of a frame that was pasted as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LineEnds {
    /// They stay.
    #[default]
    AsGiven,
    /// An LF without CR becomes CRLF: text fields of browsers know no CR.
    Crlf,
}

/// Takes text as a frame. The payload stays as it is in any case.
pub(crate) fn raw(text: &str, line_ends: LineEnds) -> PastedFrame {
    let bytes = match line_ends {
        LineEnds::AsGiven => text.as_bytes().to_vec(),
        LineEnds::Crlf => with_crlf(text.as_bytes()),
    };
    PastedFrame { bytes, notes: Vec::new() }
}

/// Decodes base64, with padding; blanks and line ends in it do not count.
pub(crate) fn decoded(text: &str) -> Result<PastedFrame, InputError> {
    let places: Vec<_> =
        text.bytes().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace()).collect();
    let digits: Vec<_> = places.iter().map(|(_, digit)| *digit).collect();
    match STANDARD.decode(digits) {
        Ok(bytes) => Ok(PastedFrame { bytes, notes: Vec::new() }),
        Err(error) => {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol(at, _) => places.get(at),
                _ => None,
            };
            let offset = at.map_or(text.len(), |(offset, _)| *offset);
            Err(InputError::at_byte(offset, "base64 with padding", error.to_string()))
        }
    }
}

/// Ends the lines of the head in CRLF: all up to the first empty line after the request line.
fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 64);
    let (mut rest, mut has_begun) = (text, false);
    while let Some(end) = memchr_lf(rest) {
        let (line, after) = rest.split_at(end);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
        rest = &after[1..];
        if line.is_empty() && has_begun {
            break;
        }
        has_begun |= !line.is_empty();
    }
    bytes.extend_from_slice(rest);
    bytes
}

fn memchr_lf(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::{LineEnds, decoded, raw};

    #[test]
    fn text_is_taken_as_it_is_unless_told_otherwise() {
        for (text, with_crlf) in [
            ("", ""),
            ("GET / HTTP/1.1", "GET / HTTP/1.1"),
            ("GET / HTTP/1.1\nA: b\n\n", "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
            // The payload stays, also where it looks like a head.
            ("P / HTTP/1.1\nA: b\n\nx\ny\n\nz\n", "P / HTTP/1.1\r\nA: b\r\n\r\nx\ny\n\nz\n"),
            // Empty lines before the request line do not end the head.
            ("\n\nG\nA: b\n\n\n", "\r\n\r\nG\r\nA: b\r\n\r\n\n"),
            // What ends in CRLF already, and a CR that ends no line.
            ("G\r\nA: b\nB: c\rd\r\n\r\nx\n", "G\r\nA: b\r\nB: c\rd\r\n\r\nx\n"),
            ("G\nA: b\n  folded\n", "G\r\nA: b\r\n  folded\r\n"),
        ] {
            assert_eq!(raw(text, LineEnds::AsGiven).bytes, text.as_bytes());
            let frame = raw(text, LineEnds::Crlf);
            assert_eq!(
                frame.bytes.escape_ascii().to_string(),
                with_crlf.escape_default().to_string()
            );
        }
    }

    #[test]
    fn base64_gives_exact_bytes() {
        assert_eq!(decoded("R0VU\nIP8NCg==\n").unwrap().bytes, b"GET \xFF\r\n");
        assert_eq!(decoded("").unwrap().bytes, b"");
        for (text, offset) in [("R0V*", 3), ("R0\nV*", 4), ("R0VUI", 5), ("R0V", 3)] {
            let error = decoded(text).unwrap_err();
            assert_eq!(error.offset(), Some(offset), "{error}");
            assert!(error.to_string().starts_with("expected base64 with padding, found "));
        }
    }
}
