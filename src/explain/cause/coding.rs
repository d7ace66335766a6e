//! Percent-encoding, right and wrong.

use crate::protocol::UNRESERVED;

/// A way to decode and escape; the default is that of protocol section 3 in a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    /// How often escapes are decoded.
    pub(super) decodings: u8,
    pub(super) is_plus_space: bool,
    /// How often the text is escaped; decoded text is written if it never is.
    pub(super) escapings: u8,
    /// The text of a space.
    pub(super) space: &'static str,
    pub(super) has_lower_digits: bool,
    /// The bytes that are left as they are beside the unreserved ones.
    pub(super) kept: &'static [u8],
    /// The unreserved bytes that are escaped.
    pub(super) escaped: &'static [u8],
}

impl Coding {
    pub(super) const PATH: Self = Self {
        decodings: 1,
        is_plus_space: false,
        escapings: 1,
        space: "%20",
        has_lower_digits: false,
        kept: b"",
        escaped: b"",
    };

    pub(super) const QUERY: Self = Self { is_plus_space: true, ..Self::PATH };

    /// Decodes `raw`.
    pub(super) fn decode(&self, raw: &[u8]) -> Vec<u8> {
        let spaced = raw.iter().map(|&byte| match byte {
            b'+' if self.is_plus_space => b' ',
            byte => byte,
        });
        (0..self.decodings).fold(spaced.collect(), |text: Vec<u8>, _| decode(&text))
    }

    /// Escapes `text`, which is decoded.
    pub(super) fn escape(&self, text: &[u8]) -> Vec<u8> {
        (0..self.escapings).fold(text.to_vec(), |text, _| {
            let mut escaped = Vec::with_capacity(text.len());
            for byte in text {
                self.escape_byte(byte, &mut escaped);
            }
            escaped
        })
    }

    fn escape_byte(&self, byte: u8, to: &mut Vec<u8>) {
        let is_unreserved = UNRESERVED.contains(byte) && !self.escaped.contains(&byte);
        if is_unreserved || self.kept.contains(&byte) {
            to.push(byte);
        } else if byte == b' ' {
            to.extend_from_slice(self.space.as_bytes());
        } else if self.has_lower_digits {
            to.extend_from_slice(format!("%{byte:02x}").as_bytes());
        } else {
            to.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }

    /// Decodes and escapes `raw`.
    pub(super) fn recode(&self, raw: &[u8]) -> Vec<u8> {
        self.escape(&self.decode(raw))
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        match after {
            [high, low, after @ ..] if *byte == b'%' => {
                if let Some(value) =
                    digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low)
                {
                    decoded.push(value);
                    rest = after;
                    continue;
                }
            }
            _ => {}
        }
        decoded.push(*byte);
        rest = after;
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
