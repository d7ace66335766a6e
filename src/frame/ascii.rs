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

    /// The number of bytes at the start of `bytes` that are of this set.
    #[inline]
    pub(crate) fn run(&self, bytes: &[u8]) -> usize {
        // By eights, since counting the bytes takes as long as looking them up.
        let outside = |byte: &u8| !self.contains(*byte);
        let mut rest = bytes;
        while let Some((eight, after)) = rest.split_first_chunk::<8>() {
            if let Some(run) = eight.iter().position(outside) {
                return bytes.len() - rest.len() + run;
            }
            rest = after;
        }
        let run = rest.iter().position(outside).unwrap_or(rest.len());
        bytes.len() - rest.len() + run
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
#[inline]
pub(crate) const fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

#[inline]
pub(crate) const fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

#[inline]
pub(crate) const fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Returns `true` if a `%` at the start of `bytes` begins an escape, `% HEXDIG HEXDIG`.
pub(crate) const fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}
