//! The arguments of curl: what the options ask for.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::inspect::input::{
    curl::{
        options::{self, Flag, Meaning, Value},
        shell::Word,
    },
    error::InputError,
};

/// What a command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) url: Option<Word>,
    pub(crate) method: Option<Word>,
    pub(crate) headers: Vec<Word>,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) authorization: Option<Vec<u8>>,
    pub(crate) cookies: Vec<Vec<u8>>,
    pub(crate) range: Option<Vec<u8>>,
    pub(crate) referer: Option<Vec<u8>>,
    pub(crate) request_target: Option<Word>,
    pub(crate) user_agent: Option<Vec<u8>>,
    flags: Vec<Flag>,
    /// The byte behind the line.
    pub(crate) end: usize,
}

impl Arguments {
    /// Reads the words of a line of `end` bytes.
    pub(crate) fn parse(words: &[Word], end: usize) -> Result<Self, InputError> {
        let mut words = words.iter();
        let mut program = words.next();
        if program.is_some_and(|word| word.bytes == b"$") {
            program = words.next();
        }
        match program {
            Some(word) if is_curl(&word.bytes) => {}
            other => return Err(unexpected(other, end, "a line that begins with curl")),
        }
        let mut arguments = Self { end, ..Self::default() };
        while let Some(word) = words.next() {
            arguments.argument(word, &mut words)?;
        }
        if arguments.url.is_none() {
            return Err(unexpected(None, end, "a URL"));
        }
        Ok(arguments)
    }

    /// Asks if one of the options has this meaning.
    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    fn argument<'a>(
        &mut self,
        word: &Word,
        rest: &mut impl Iterator<Item = &'a Word>,
    ) -> Result<(), InputError> {
        match word.bytes.as_slice() {
            [b'-', b'-', name @ ..] if !name.is_empty() => {
                let meaning = options::long(name).ok_or_else(|| unknown(word))?;
                let value = if meaning.has_value() { Some(self.value(word, rest)?) } else { None };
                self.apply(meaning, word, value)
            }
            [b'-', letters @ ..] if !letters.is_empty() && letters != b"-" => {
                self.letters(letters, word, rest)
            }
            _ => self.apply(Meaning::Value(Value::Url), word, Some(word.clone())),
        }
    }

    /// Options of one letter in one word; the rest of the word is the value of the first that has one.
    fn letters<'a>(
        &mut self,
        mut letters: &[u8],
        word: &Word,
        rest: &mut impl Iterator<Item = &'a Word>,
    ) -> Result<(), InputError> {
        while let [letter, after @ ..] = letters {
            let meaning = options::short(*letter).ok_or_else(|| unknown(word))?;
            if !meaning.has_value() {
                self.apply(meaning, word, None)?;
                letters = after;
                continue;
            }
            let value = match after {
                [] => self.value(word, rest)?,
                _ => Word { bytes: after.to_vec(), at: word.at },
            };
            return self.apply(meaning, word, Some(value));
        }
        Ok(())
    }

    fn value<'a>(
        &self,
        option: &Word,
        rest: &mut impl Iterator<Item = &'a Word>,
    ) -> Result<Word, InputError> {
        rest.next().cloned().ok_or_else(|| {
            unexpected(None, self.end, format!("a value behind {}", option.bytes.escape_ascii()))
        })
    }

    fn apply(
        &mut self,
        meaning: Meaning,
        option: &Word,
        value: Option<Word>,
    ) -> Result<(), InputError> {
        match (meaning, value) {
            (Meaning::Flag(flag), _) => self.flags.push(flag),
            (Meaning::Value(kind), Some(value)) => self.set(kind, value)?,
            (Meaning::Refused(expected), _) => {
                return Err(unexpected(Some(option), self.end, expected));
            }
            (Meaning::Nothing | Meaning::NothingWithValue | Meaning::Value(_), _) => {}
        }
        Ok(())
    }

    fn set(&mut self, kind: Value, value: Word) -> Result<(), InputError> {
        match kind {
            Value::Bearer => self.authorization = Some([b"Bearer ", &value.bytes[..]].concat()),
            Value::Cookie => {
                if !value.bytes.contains(&b'=') {
                    return Err(unexpected(
                        Some(&value),
                        self.end,
                        "cookies as NAME=VALUE, no file",
                    ));
                }
                self.cookies.push(value.bytes);
            }
            Value::Data => self.add_data(&without_file(&value)?.bytes),
            Value::DataRaw => self.add_data(&value.bytes),
            Value::DataUrlEncode => {
                let encoded = url_encoded(&value)?;
                self.add_data(&encoded);
            }
            Value::Json => {
                self.flags.push(Flag::Json);
                let data = &without_file(&value)?.bytes;
                self.data.get_or_insert_default().extend_from_slice(data);
            }
            Value::Header => self.headers.push(without_file(&value)?.clone()),
            Value::Method => self.method = Some(value),
            Value::Range => self.range = Some([b"bytes=", &value.bytes[..]].concat()),
            Value::Referer => self.referer = Some(value.bytes),
            Value::RequestTarget => self.request_target = Some(value),
            Value::Url => {
                if self.url.is_some() {
                    return Err(unexpected(Some(&value), self.end, "one URL"));
                }
                self.url = Some(value);
            }
            Value::User => self.authorization = Some(basic(&value)?),
            Value::UserAgent => self.user_agent = Some(value.bytes),
        }
        Ok(())
    }

    /// Several pieces are joined with `&`.
    fn add_data(&mut self, piece: &[u8]) {
        let data = self.data.get_or_insert_default();
        if !data.is_empty() {
            data.push(b'&');
        }
        data.extend_from_slice(piece);
    }
}

fn is_curl(program: &[u8]) -> bool {
    matches!(program.rsplit(|byte| *byte == b'/').next(), Some(b"curl" | b"curl.exe"))
}

/// The value, unless it names a file, which is not opened here.
fn without_file(value: &Word) -> Result<&Word, InputError> {
    if value.bytes.starts_with(b"@") {
        let expected = "the bytes in the line itself, such as --data-raw 'text'";
        return Err(InputError::at_byte(value.at, expected, "the name of a file (@)"));
    }
    Ok(value)
}

/// `content`, `=content` or `name=content`; the content is encoded.
fn url_encoded(value: &Word) -> Result<Vec<u8>, InputError> {
    let end = value.bytes.iter().position(|byte| matches!(byte, b'=' | b'@'));
    let (name, content) = match end {
        Some(end) if value.bytes[end] == b'@' => {
            let expected = "the bytes in the line itself, as NAME=CONTENT";
            return Err(InputError::at_byte(value.at, expected, "the name of a file (@)"));
        }
        Some(end) => (&value.bytes[..end], &value.bytes[end + 1..]),
        None => (&b""[..], &value.bytes[..]),
    };
    let mut encoded = name.to_vec();
    if !name.is_empty() {
        encoded.push(b'=');
    }
    for byte in content {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(*byte);
            }
            b' ' => encoded.push(b'+'),
            _ => encoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    Ok(encoded)
}

fn basic(user: &Word) -> Result<Vec<u8>, InputError> {
    if !user.bytes.contains(&b':') {
        let expected = "user and password as USER:PASSWORD";
        return Err(InputError::at_byte(user.at, expected, "a user alone"));
    }
    Ok(format!("Basic {}", STANDARD.encode(&user.bytes)).into_bytes())
}

fn unknown(option: &Word) -> InputError {
    unexpected(Some(option), 0, "an option of curl that is known here")
}

fn unexpected(
    found: Option<&Word>,
    end: usize,
    expected: impl Into<std::borrow::Cow<'static, str>>,
) -> InputError {
    match found {
        Some(word) => InputError::at_byte(word.at, expected, shown(&word.bytes)),
        None => InputError::at_byte(end, expected, "the end of the line"),
    }
}

/// The begin of a word. What stands behind it may be a secret.
fn shown(bytes: &[u8]) -> String {
    let begin = &bytes[..bytes.len().min(24)];
    format!("{}{}", begin.escape_ascii(), if begin.len() < bytes.len() { "…" } else { "" })
}
