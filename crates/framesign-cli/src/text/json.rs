//! Values in JSON.

use std::{fmt, io};

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use crate::text::visible::{Text, is_hidden};

/// Writes `object` as JSON on one line, without its end. Hidden characters are escaped, so that the
/// values are the same and a terminal shows all of them.
pub(crate) fn write(writer: impl io::Write, object: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(writer, Visible);
    Ok(object.serialize(&mut serializer)?)
}

/// The compact form with the hidden characters escaped that JSON itself leaves as they are.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for piece in fragment.split_inclusive(is_hidden) {
            let mut characters = piece.chars();
            match characters.next_back() {
                Some(last) if is_hidden(last) => {
                    writer.write_all(characters.as_str().as_bytes())?;
                    // All of them are below U+10000.
                    write!(writer, "\\u{:04x}", u32::from(last))?;
                }
                _ => writer.write_all(piece.as_bytes())?,
            }
        }
        Ok(())
    }
}

/// As it is shown otherwise.
pub(crate) fn display<S: Serializer>(
    value: &impl fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The same of a value that may be missing.
#[expect(clippy::ref_option, reason = "serde passes a field by reference")]
pub(crate) fn optional_display<S: Serializer>(
    value: &Option<impl fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Bytes as text; what is not UTF-8 in them as `\xe9`.
pub(crate) fn text<S: Serializer>(
    bytes: impl AsRef<[u8]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Text(bytes.as_ref()))
}

/// The same of bytes that may be missing.
#[expect(clippy::ref_option, reason = "serde passes a field by reference")]
pub(crate) fn optional_text<S: Serializer>(
    bytes: &Option<Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => text(bytes, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn hidden_characters_are_escaped_and_keep_their_value() {
        let text =
            "a\u{1}\u{7f}\u{9b}b\u{61c}\u{200e}\u{202e}\u{2066}\u{2069}\u{2028}\"\\é\u{1f600}";
        let mut json = Vec::new();
        write(&mut json, &text).unwrap();
        let json = String::from_utf8(json).unwrap();
        let expected = "\"a\\u0001\\u007f\\u009bb\\u061c\\u200e\\u202e\\u2066\\u2069\\u2028\\\"\\\\é\u{1f600}\"";
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
