//! Bytes as people can see them, on one line.

use std::{
    fmt::{self, Write},
    path::Path,
};

/// Asks if a character acts on the text around it instead of being seen: a control character, a line
/// separator, or a mark that changes the direction of text (UAX #9 section 2).
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// A file name or a message: hidden characters, backslashes and what is not UTF-8 are escaped.
pub(crate) struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn of(path: &'a Path) -> Self {
        Self(path.as_os_str().as_encoded_bytes())
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    _ if is_hidden(character) => write!(f, "{}", character.escape_default())?,
                    _ => f.write_char(character)?,
                }
            }
            write_hex(chunk.invalid(), f)?;
        }
        Ok(())
    }
}

/// Bytes that are compared with others: every byte but printable ASCII is escaped, so that what
/// looks alike is alike.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            // They need no escape where nothing is quoted.
            b'"' | b'\'' => f.write_char(char::from(byte)),
            _ => write!(f, "{}", byte.escape_ascii()),
        })
    }
}

/// Text for JSON, which has escapes of its own: only what is not UTF-8 is escaped.
pub(crate) struct Text<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.utf8_chunks().try_for_each(|chunk| {
            f.write_str(chunk.valid())?;
            write_hex(chunk.invalid(), f)
        })
    }
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Name, Text};

    const SAMPLE: &[u8] = b"a\\\"\xC3\xA9\n\x1B\xE9";

    #[test]
    fn name_stays_on_one_line() {
        assert_eq!(Name::new(SAMPLE).to_string(), "a\\\\\"é\\n\\u{1b}\\xe9");
    }

    #[test]
    fn nothing_in_a_name_acts_on_the_text_around_it() {
        for character in "\u{7f}\u{85}\u{9b}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\
            \u{2066}\u{2069}"
            .chars()
        {
            let name = format!("a{character}b");
            let escaped = format!("a\\u{{{:x}}}b", u32::from(character));
            assert_eq!(Name::new(name.as_bytes()).to_string(), escaped);
        }
        // C1 as a byte of its own, and what is beside the hidden characters.
        assert_eq!(Name::new(b"a\x9bb").to_string(), "a\\x9bb");
        let seen = "\u{a0}\u{61b}\u{200d}\u{2010}\u{202f}\u{2065}\u{206a}";
        assert_eq!(Name::new(seen.as_bytes()).to_string(), seen);
    }

    #[test]
    fn compared_bytes_are_all_visible() {
        assert_eq!(Bytes(SAMPLE).to_string(), "a\\\\\"\\xc3\\xa9\\n\\x1b\\xe9");
    }

    #[test]
    fn text_is_left_as_it_is() {
        assert_eq!(Text(SAMPLE).to_string(), "a\\\"é\n\u{1b}\\xe9");
    }
}
