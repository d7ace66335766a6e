//! Sorting by name, in place.

use std::cmp::Ordering;

/// The first eight bytes of a name as a number that sorts as they do.
///
/// Most comparisons end here, without a look at the name itself. Names hold no NUL, so that a
/// shorter name sorts before the longer ones that begin with it.
#[inline]
pub(crate) fn prefix(name: &[u8]) -> u64 {
    match name.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => name.iter().fold(0, |key, &byte| key << 8 | u64::from(byte)) << short(name.len()),
    }
}

/// How far a number of `len < 8` bytes has to move so that its first byte is the highest.
#[inline]
fn short(len: usize) -> usize {
    (64 - 8 * len) % 64
}

/// Compares names as if they were in lower case.
#[inline]
pub(crate) fn cmp_lower(left: &[u8], right: &[u8]) -> Ordering {
    let lower = |byte: &u8| byte.to_ascii_lowercase();
    left.iter().map(lower).cmp(right.iter().map(lower))
}

#[cfg(test)]
mod tests {
    use super::{cmp_lower, prefix};

    const NAMES: [&[u8]; 9] =
        [b"", b"A", b"a", b"a-", b"aa", b"abcdefg", b"abcdefgh", b"abcdefgi", b"b"];

    #[test]
    fn prefix_sorts_as_the_bytes_do() {
        for pair in NAMES.windows(2) {
            assert!(prefix(pair[0]) < prefix(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn comparison_ignores_case_and_puts_the_shorter_first() {
        assert!(cmp_lower(b"Host", b"hOST").is_eq());
        assert!(cmp_lower(b"A", b"ab").is_lt());
        assert!(cmp_lower(b"b", b"Ab").is_gt());
    }
}
