//! A command line, split into words as a POSIX shell and bash do.

use crate::inspect::input::error::InputError;

/// A word of a command line, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) bytes: Vec<u8>,
    /// The byte of the command line at which it begins.
    pub(crate) at: usize,
}

/// Splits a command line into its words: quotes, `$'…'`, backslashes, and lines that go on behind a
/// backslash. What a shell would replace or do is refused, since its result is not known here.
pub(crate) fn words(line: &str) -> Result<Vec<Word>, InputError> {
    let mut scanner = Scanner { line: line.as_bytes(), at: 0 };
    let mut words = Vec::new();
    loop {
        scanner.skip_blanks();
        if scanner.at == scanner.line.len() {
            return Ok(words);
        }
        words.push(scanner.word()?);
    }
}

struct Scanner<'a> {
    line: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn rest(&self) -> &[u8] {
        &self.line[self.at..]
    }

    /// Steps over blanks, line ends, and lines that go on.
    fn skip_blanks(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => self.at += 1,
                [b'\\', b'\n', ..] => self.at += 2,
                [b'\\', b'\r', b'\n', ..] => self.at += 3,
                _ => return,
            }
        }
    }

    fn word(&mut self) -> Result<Word, InputError> {
        let mut word = Word { bytes: Vec::new(), at: self.at };
        while let Some(&byte) = self.rest().first() {
            match (byte, self.rest().get(1)) {
                (b' ' | b'\t' | b'\r' | b'\n', _) => break,
                (b'\\', Some(b'\n')) => self.at += 2,
                (b'\\', Some(b'\r')) if self.rest().get(2) == Some(&b'\n') => self.at += 3,
                (b'\\', Some(&escaped)) => {
                    word.bytes.push(escaped);
                    self.at += 2;
                }
                (b'\\', None) => return Err(self.unexpected("a byte behind the backslash")),
                (b'\'', _) => self.single_quoted(&mut word.bytes)?,
                (b'"', _) => self.double_quoted(&mut word.bytes)?,
                (b'$', Some(b'\'')) => self.ansi_c_quoted(&mut word.bytes)?,
                (b'$', Some(b'"')) => self.at += 1,
                (b'`', _) => return Err(self.replaced()),
                (b'$', Some(&next)) if is_expansion(next) => return Err(self.replaced()),
                (b'^', Some(b'"')) => {
                    return Err(
                        self.unexpected("a line for bash, as \"Copy as cURL (bash)\" makes it")
                    );
                }
                (b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')', _) => {
                    return Err(self.unexpected(
                        "one command without what acts on a shell; quote it in a URL",
                    ));
                }
                _ => {
                    word.bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        Ok(word)
    }

    fn single_quoted(&mut self, into: &mut Vec<u8>) -> Result<(), InputError> {
        let start = self.at + 1;
        let len = self.line[start..].iter().position(|&byte| byte == b'\'');
        let end = start + len.ok_or_else(|| self.unclosed("'"))?;
        into.extend_from_slice(&self.line[start..end]);
        self.at = end + 1;
        Ok(())
    }

    fn double_quoted(&mut self, into: &mut Vec<u8>) -> Result<(), InputError> {
        let start = self.at;
        self.at += 1;
        loop {
            match *self.rest() {
                [b'"', ..] => break,
                [b'\\', b'\n', ..] => self.at += 2,
                [b'\\', escaped @ (b'"' | b'\\' | b'$' | b'`'), ..] => {
                    into.push(escaped);
                    self.at += 2;
                }
                [b'`', ..] => return Err(self.replaced()),
                [b'$', next, ..] if is_expansion(next) => return Err(self.replaced()),
                [byte, ..] => {
                    into.push(byte);
                    self.at += 1;
                }
                [] => {
                    self.at = start;
                    return Err(self.unclosed("\""));
                }
            }
        }
        self.at += 1;
        Ok(())
    }

    /// `$'…'`, with the escapes of C.
    fn ansi_c_quoted(&mut self, into: &mut Vec<u8>) -> Result<(), InputError> {
        let start = self.at;
        self.at += 2;
        loop {
            match *self.rest() {
                [b'\'', ..] => break,
                [b'\\', escape, ..] => self.c_escape(escape, into)?,
                [b'\\'] | [] => {
                    self.at = start;
                    return Err(self.unclosed("'"));
                }
                [byte, ..] => {
                    into.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Ok(())
    }

    fn c_escape(&mut self, escape: u8, into: &mut Vec<u8>) -> Result<(), InputError> {
        let simple = match escape {
            b'a' => 0x07,
            b'b' => 0x08,
            b'e' | b'E' => 0x1B,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0B,
            b'\\' | b'\'' | b'"' | b'?' => escape,
            b'x' => return self.number(2, 16, 2, into),
            b'u' => return self.number(2, 16, 4, into),
            b'U' => return self.number(2, 16, 8, into),
            b'0'..=b'7' => return self.number(1, 8, 3, into),
            _ => return Err(self.unexpected("an escape of $'…' such as \\n, \\xHH or \\uHHHH")),
        };
        into.push(simple);
        self.at += 2;
        Ok(())
    }

    /// A byte (octal, or `\x`) or a character (`\u`) by its number, which begins `start` bytes from
    /// here and has at most `max` digits.
    fn number(
        &mut self,
        start: usize,
        radix: u32,
        max: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), InputError> {
        let digits = self.rest()[start..].iter().take(max);
        let digits: Vec<_> = digits.map_while(|&digit| char::from(digit).to_digit(radix)).collect();
        let number = digits.iter().fold(0_u32, |number, digit| number * radix + digit);
        let character = match max {
            _ if digits.is_empty() => None,
            // Bash keeps the low byte of an octal number.
            2 | 3 => {
                into.push(number.to_le_bytes()[0]);
                self.at += start + digits.len();
                return Ok(());
            }
            _ => char::from_u32(number),
        };
        let character = character.ok_or_else(|| self.unexpected("the number of a character"))?;
        into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += start + digits.len();
        Ok(())
    }

    fn replaced(&self) -> InputError {
        self.unexpected("text in single quotes where a shell would replace something")
    }

    fn unclosed(&self, quote: &str) -> InputError {
        InputError::at_byte(
            self.at,
            format!("{quote} that closes the quotes"),
            "the end of the line",
        )
    }

    fn unexpected(&self, expected: &'static str) -> InputError {
        let shown: Vec<_> = self.rest().iter().take(2).copied().collect();
        InputError::at_byte(self.at, expected, format!("{}", shown.escape_ascii()))
    }
}

/// Asks if a shell replaces `$` before this byte.
fn is_expansion(next: u8) -> bool {
    next.is_ascii_alphanumeric() || b"_{(*@#?$!-".contains(&next)
}

#[cfg(test)]
mod tests {
    use super::words;

    fn split(line: &str) -> Vec<String> {
        let words = words(line).unwrap();
        words.into_iter().map(|word| word.bytes.escape_ascii().to_string()).collect()
    }

    #[test]
    fn words_are_split_as_by_a_shell() {
        for (line, expected) in [
            ("", &[][..]),
            ("curl  -X\tPOST\nhttp://h", &["curl", "-X", "POST", "http://h"]),
            ("curl \\\n  http://h \\\r\n -s", &["curl", "http://h", "-s"]),
            ("a\\\nb", &["ab"]),
            ("'a b'\"c d\"e", &["a bc de"]),
            ("''", &[""]),
            ("'a\\nb'", &["a\\\\nb"]),
            ("\"a\\\"b\\\\c\\$d\\`e\\f\"", &["a\\\"b\\\\c$d`e\\\\f"]),
            ("\"a\\\nb\"", &["ab"]),
            ("\"5$\" \"$ a\"", &["5$", "$ a"]),
            ("a\\ b\\'c", &["a b\\'c"]),
            (
                "$'a\\n\\t\\r\\'\\\\\\x41\\x9\\101\\u00e9\\U1F600'",
                &["a\\n\\t\\r\\'\\\\A\\tA\\xc3\\xa9\\xf0\\x9f\\x98\\x80"],
            ),
            ("$'\\xff\\377'", &["\\xff\\xff"]),
            ("$\"a\"", &["a"]),
            ("http://h/p?x=1", &["http://h/p?x=1"]),
            ("$ curl", &["$", "curl"]),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
    }

    #[test]
    fn words_know_where_they_begin() {
        let at: Vec<_> = words(" curl \\\n 'a' b").unwrap().iter().map(|word| word.at).collect();
        assert_eq!(at, [1, 9, 13]);
    }

    #[test]
    fn what_a_shell_would_do_is_refused() {
        for (line, at) in [
            ("curl 'a", 5),
            ("curl \"a", 5),
            ("curl $'a", 5),
            ("curl $'a\\", 5),
            ("curl \\", 5),
            ("curl $HOME", 5),
            ("curl \"a$HOME\"", 7),
            ("curl \"a${X}\"", 7),
            ("curl \"`x`\"", 6),
            ("curl `x`", 5),
            ("curl http://h/?a=1&b=2", 18),
            ("curl http://h | jq", 14),
            ("curl http://h; ls", 13),
            ("curl http://h > f", 14),
            ("curl ^\"http://h^\"", 5),
            ("curl $'\\q'", 7),
            ("curl $'\\xg'", 7),
            ("curl $'\\ud800'", 7),
        ] {
            let error = words(line).unwrap_err();
            assert_eq!(error.offset(), Some(at), "{line}: {error}");
        }
    }
}
