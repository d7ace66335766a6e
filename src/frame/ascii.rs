//! Character classes of the grammars, as tables that are built at compile time.

/// A set of bytes.
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// The letters and digits, and the bytes of `others`.
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte: u8 = 0;
        while byte < 128 {
            set[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut index = 0;
        while index < others.len() {
            set[others[index] as usize] = true;
            index += 1;
        }
        Self(set)
    }

    pub(crate) const fn contains(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// How many bytes at the start of `bytes` are of this set.
    pub(crate) fn run(&self, bytes: &[u8]) -> usize {
        bytes.iter().position(|&byte| !self.contains(byte)).unwrap_or(bytes.len())
    }
}

/// RFC 9110 section 5.6.2: `tchar`.
pub(crate) const TOKEN: ByteSet = ByteSet::alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// RFC 9110 section 5.6.2: `token = 1*tchar`.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && TOKEN.run(bytes) == bytes.len()
}

/// RFC 9110 section 5.6.3: the blanks of `OWS`.
pub(crate) const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The part of `bytes` between the whitespace at its ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| !is_whitespace(byte)).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| !is_whitespace(byte)).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// Whether a `%` at the start of `bytes` begins an escape, `% HEXDIG HEXDIG`.
pub(crate) const fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}
