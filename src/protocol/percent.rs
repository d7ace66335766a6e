//! Percent-encoding (protocol section 3; RFC 3986 section 2).

use super::sink::Sink;
use crate::frame::ByteSet;

/// RFC 3986 section 2.3: what is never encoded.
pub(crate) const UNRESERVED: ByteSet = ByteSet::alphanumeric_and(b"-._~");

/// The same, and the slash that separates the segments of a path.
pub(crate) const UNRESERVED_AND_SLASH: ByteSet = ByteSet::alphanumeric_and(b"-._~/");

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Decodes `raw` once and encodes it again, in one pass over its bytes.
///
/// Bytes of `plain` stand for themselves. So that an escaped slash stays escaped, what an escape
/// stands for is held against [`UNRESERVED`] alone.
#[inline]
pub(crate) fn recode<S: Sink>(raw: &[u8], plain: &ByteSet, sink: &mut S) -> Result<(), S::Error> {
    let mut rest = raw;
    loop {
        let (run, special) = rest.split_at(plain.run(rest));
        sink.put(run)?;
        if special.is_empty() {
            return Ok(());
        }
        rest = recode_one(special, sink)?;
    }
}

/// Recodes the escape or byte at the start of `bytes`, and returns what follows it.
#[inline]
pub(crate) fn recode_one<'a, S: Sink>(bytes: &'a [u8], sink: &mut S) -> Result<&'a [u8], S::Error> {
    let decoded = decode(bytes).or_else(|| bytes.split_first().map(|(byte, after)| (*byte, after)));
    let Some((byte, after)) = decoded else { return Ok(bytes) };
    encode(byte, sink)?;
    Ok(after)
}

#[inline]
fn encode<S: Sink>(byte: u8, sink: &mut S) -> Result<(), S::Error> {
    if UNRESERVED.contains(byte) {
        return sink.put(&[byte]);
    }
    let [high, low] = [byte >> 4, byte & 0xf].map(|digit| DIGITS[usize::from(digit)]);
    sink.put(&[b'%', high, low])
}

/// The byte that an escape at the start of `bytes` stands for, and what follows the escape.
#[inline]
fn decode(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = bytes else { return None };
    Some((digit(*high)? << 4 | digit(*low)?, after))
}

/// The value of a hexadecimal digit of either case.
#[inline]
const fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
