//! The order of names, decided by their first bytes wherever that is enough.

use std::cmp::Ordering;

/// How many bytes of a name a [`Key`] holds.
const HELD: usize = size_of::<u64>();

/// The place of a name in ascending byte order, and then that of its bearer, so that bearers of one
/// name keep their order.
///
/// Names hold no NUL, so that names of up to eight bytes sort and compare by their keys alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The first bytes, the first one highest, and zeros.
    prefix: u64,
    /// No more than shows that the key does not hold the whole name.
    len: usize,
    number: usize,
}

impl Key {
    /// The key of the bearer `number` of `name`.
    #[inline]
    pub(crate) fn new(name: &[u8], number: usize) -> Self {
        Self { prefix: prefix(name), len: name.len().min(HELD + 1), number }
    }

    /// The key of the bearer `number` of `name` in lower case.
    #[inline]
    pub(crate) fn lower(name: &[u8], number: usize) -> Self {
        let key = Self::new(name, number);
        Self { prefix: to_lower(key.prefix), ..key }
    }

    /// The number of the bearer.
    #[inline]
    pub(crate) fn number(self) -> usize {
        self.number
    }

    /// Whether both are of one name; `names` is asked where the keys cannot tell.
    #[inline]
    pub(crate) fn is_same(self, other: Self, names: impl FnOnce() -> bool) -> bool {
        self.looks_like(other) && (self.is_whole() || names())
    }

    #[inline]
    fn looks_like(self, other: Self) -> bool {
        (self.prefix, self.len) == (other.prefix, other.len)
    }

    fn is_whole(self) -> bool {
        self.len <= HELD
    }
}

/// Sorts by name; `names` compares two names by the numbers of their bearers.
#[inline]
pub(crate) fn sort(keys: &mut [Key], names: impl Fn(usize, usize) -> Ordering) {
    keys.sort_unstable();
    for run in keys.chunk_by_mut(|left, right| left.looks_like(*right)) {
        if run.len() > 1 && !run.iter().all(|key| key.is_whole()) {
            run.sort_unstable_by(|left, right| {
                names(left.number(), right.number()).then_with(|| left.cmp(right))
            });
        }
    }
}

#[inline]
fn prefix(name: &[u8]) -> u64 {
    name.first_chunk().map_or_else(|| short(name), |first| u64::from_be_bytes(*first))
}

/// The bytes of a name shorter than a key, and zeros. From one or two loads: a loop over the bytes
/// took as long as all the rest of sorting.
#[inline]
fn short(name: &[u8]) -> u64 {
    let unused = 8 * (HELD - name.len());
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            let [first, last] = [first, last].map(|half| u64::from(u32::from_be_bytes(*half)));
            first << 32 | last << unused
        }
        _ => match *name {
            [] => 0,
            [a] => u64::from(a) << unused,
            [a, b] => u64::from(u16::from_be_bytes([a, b])) << unused,
            [a, b, c, ..] => u64::from(u32::from_be_bytes([0, a, b, c])) << unused,
        },
    }
}

/// Eight ASCII bytes at once in lower case.
#[inline]
const fn to_lower(bytes: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The highest bit of each byte says: at least `A`, and more than `Z`. None carries over.
    let from_a = bytes + (0x80 - b'A' as u64) * EACH;
    let after_z = bytes + (0x7f - b'Z' as u64) * EACH;
    bytes | ((from_a & !after_z & (0x80 * EACH)) >> 2)
}

/// Compares names as if they were in lower case.
#[inline]
pub(crate) fn cmp_lower(left: &[u8], right: &[u8]) -> Ordering {
    let lower = |byte: &u8| byte.to_ascii_lowercase();
    left.iter().map(lower).cmp(right.iter().map(lower))
}

#[cfg(test)]
mod tests {
    use super::{HELD, Key, cmp_lower, sort, to_lower};

    const SORTED: [&[u8]; 11] = [
        b"",
        b"A",
        b"a",
        b"a-",
        b"aa",
        b"abcdefg",
        b"abcdefgh",
        b"abcdefgh\x01",
        b"abcdefghi",
        b"abcdefgi",
        b"b",
    ];

    #[test]
    fn names_sort_in_byte_order_and_bearers_of_one_in_their_own() {
        let names: Vec<&[u8]> = SORTED.iter().rev().chain(&SORTED).copied().collect();
        let mut keys: Vec<_> =
            names.iter().enumerate().map(|(number, name)| Key::new(name, number)).collect();
        sort(&mut keys, |left, right| names[left].cmp(names[right]));
        let mut expected: Vec<_> = (0..names.len()).collect();
        expected.sort_by_key(|number| names[*number]);
        assert_eq!(keys.iter().map(|key| key.number()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_are_looked_at_only_beyond_what_a_key_holds() {
        let key = |name: &[u8]| Key::new(name, 7);
        let asked = || panic!("the names were asked for");
        assert!(key(b"choice").is_same(Key::lower(b"Choice", 8), asked));
        assert!(!key(b"abcdefgh").is_same(key(b"abcdefghi"), asked));
        assert!(!key(b"content-length").is_same(key(b"cookie"), asked));
        assert!(key(b"content-length").is_same(key(b"content-length"), || true));
        assert!(!key(b"content-length").is_same(key(b"content-type"), || false));
    }

    #[test]
    fn every_ascii_byte_is_lowered_at_every_place() {
        for byte in 0..128_u8 {
            for place in 0..HELD {
                let mut bytes = [b'@'; HELD];
                bytes[place] = byte;
                let lower = u64::from_be_bytes(bytes.map(|byte| byte.to_ascii_lowercase()));
                assert_eq!(to_lower(u64::from_be_bytes(bytes)), lower, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn comparison_ignores_case_and_puts_the_shorter_first() {
        assert!(cmp_lower(b"Host", b"hOST").is_eq());
        assert!(cmp_lower(b"A", b"ab").is_lt());
        assert!(cmp_lower(b"b", b"Ab").is_gt());
    }
}
