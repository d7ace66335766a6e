//! The order of names, decided by their first bytes wherever that is enough.

use std::cmp::Ordering;

use super::lowercase;

/// The number of bytes of a name that a [`SortKey`] holds.
const HELD: usize = size_of::<u64>();

/// The number of keys that are made of a name, one after the other, before names are compared. It
/// bounds the depth of recursion.
const DEPTH: usize = 8;

/// The place of a name in ascending byte order, and then that of its bearer, so that bearers of one
/// name keep their order.
///
/// It is a packed sort key: two integers in the order of the text, so that sorting compares
/// numbers and follows no pointer.
///
/// Names hold no NUL, so that names of up to eight bytes sort and compare by their keys alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SortKey {
    /// The first bytes, the first one highest, and zeros.
    prefix: u64,
    /// Holds in the highest byte the length of the name, no more of it than shows that the key does not
    /// hold it whole; in the others the number of the bearer. In one, since half of sorting is
    /// comparing and moving keys.
    rank: u64,
}

impl SortKey {
    /// The key of the bearer `number` of `name`.
    #[inline]
    pub(crate) fn new(name: &[u8], number: usize) -> Self {
        let len = name.len().min(HELD + 1) as u64;
        Self { prefix: prefix(name), rank: len << 56 | number as u64 }
    }

    /// The key of the bearer `number` of `name` in lower case.
    #[inline]
    pub(crate) fn lower(name: &[u8], number: usize) -> Self {
        let key = Self::new(name, number);
        Self { prefix: lowercase::word(key.prefix), ..key }
    }

    /// The number of the bearer.
    #[inline]
    pub(crate) fn number(self) -> usize {
        (self.rank & (u64::MAX >> 8)) as usize
    }

    /// The key of the bearer `number` of a name that looks like this one.
    #[inline]
    fn of_bearer(self, number: usize) -> Self {
        Self { rank: self.rank >> 56 << 56 | number as u64, ..self }
    }

    /// Returns `true` if both are of one name; `names` is asked if the keys cannot tell.
    #[inline]
    pub(crate) fn is_same(self, other: Self, names: impl FnOnce() -> bool) -> bool {
        self.looks_like(other) && (self.is_whole() || names())
    }

    #[inline]
    fn looks_like(self, other: Self) -> bool {
        self.prefix == other.prefix && (self.rank ^ other.rank) >> 56 == 0
    }

    fn is_whole(self) -> bool {
        self.rank >> 56 <= HELD as u64
    }
}

/// The names that keys were made of, by the numbers of their bearers.
pub(crate) trait Names {
    /// The name of bearer `number` without its first `start` bytes, which it has.
    fn rest(&self, number: usize, start: usize) -> &[u8];

    /// The key of `rest`, the end of the name of bearer `number`.
    fn key(rest: &[u8], number: usize) -> SortKey;

    /// The number of bytes at the start that are alike in both ends of names, by whole words.
    fn alike(left: &[u8], right: &[u8]) -> usize;

    /// Returns `true` if both ends of names are the same.
    fn is_same(left: &[u8], right: &[u8]) -> bool;

    /// Compares two ends of names.
    fn cmp(left: &[u8], right: &[u8]) -> Ordering;
}

/// Sorts by name.
#[inline]
pub(crate) fn sort(keys: &mut [SortKey], names: &impl Names) {
    keys.sort_unstable();
    let is_settled = |pair: &[SortKey]| match pair {
        [left, right] => left.is_whole() || !left.looks_like(*right),
        _ => true,
    };
    if !keys.windows(2).all(is_settled) {
        settle(keys, names, HELD, DEPTH);
    }
}

/// So few names are compared: to make further keys of them takes longer.
const FEW: usize = 4;

/// Sorts names that begin alike, up to `start`, and are longer: by keys of what follows where they
/// cease to be alike, as a radix sort from the first byte does (MSD). With comparisons of names instead,
/// a head of 40 fields that begin alike takes 43 % longer to sign (Intel Xeon with SHA extensions, in
/// turns, 2026-11).
fn settle<N: Names>(keys: &mut [SortKey], names: &N, start: usize, depth: usize) {
    for run in keys.chunk_by_mut(|left, right| left.looks_like(*right)) {
        let &mut [first, ref others @ ..] = run else { continue };
        if first.is_whole() || others.is_empty() {
            continue;
        }
        let rest = |key: SortKey| names.rest(key.number(), start);
        // As Content-Length and Content-Type: by the general way a small frame with both takes 2 % longer
        // to sign (Intel Xeon, five layouts, 2026-11). Bearers of one name are in their order already.
        if let &mut [left, right] = run {
            if N::cmp(rest(left), rest(right)).is_gt() {
                run.swap(0, 1);
            }
            continue;
        }
        if others.iter().all(|&other| N::is_same(rest(first), rest(other))) {
            continue;
        }
        if depth == 0 || run.len() <= FEW {
            run.sort_unstable_by(|&left, &right| {
                N::cmp(rest(left), rest(right)).then_with(|| left.cmp(&right))
            });
            continue;
        }
        let alike = others.iter().fold(usize::MAX, |alike, &other| {
            let (first, other) = (rest(first), rest(other));
            N::alike(first.get(..alike).unwrap_or(first), other)
        });
        let start = start + alike;
        for key in &mut *run {
            *key = N::key(names.rest(key.number(), start), key.number());
        }
        run.sort_unstable();
        settle(run, names, start + HELD, depth - 1);
        for key in run {
            *key = first.of_bearer(key.number());
        }
    }
}

/// The bytes of `name` from `start` on, which it has.
#[inline]
pub(crate) fn rest(name: &[u8], start: usize) -> &[u8] {
    debug_assert!(start <= name.len(), "a key told that the name is longer");
    name.get(start..).unwrap_or_default()
}

/// The number of bytes at the start that are alike in both, by whole words.
pub(crate) fn alike(left: &[u8], right: &[u8]) -> usize {
    let words = left.as_chunks::<HELD>().0.iter().zip(right.as_chunks::<HELD>().0);
    HELD * words.take_while(|(left, right)| left == right).count()
}

#[inline]
fn prefix(name: &[u8]) -> u64 {
    name.first_chunk().map_or_else(|| short(name), |first| u64::from_be_bytes(*first))
}

/// The bytes of a name shorter than a key, and zeros. From one or two loads: with a loop over the
/// bytes a query of 200 short parameters takes 8 % longer to sign, and a small head 1 to 3 % (Intel
/// Xeon with SHA extensions, in turns, 2026-11).
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

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{Names, SortKey, alike, rest, sort};

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

    impl Names for &[&[u8]] {
        fn rest(&self, number: usize, start: usize) -> &[u8] {
            rest(self[number], start)
        }

        fn key(rest: &[u8], number: usize) -> SortKey {
            SortKey::new(rest, number)
        }

        fn alike(left: &[u8], right: &[u8]) -> usize {
            alike(left, right)
        }

        fn is_same(left: &[u8], right: &[u8]) -> bool {
            left == right
        }

        fn cmp(left: &[u8], right: &[u8]) -> Ordering {
            left.cmp(right)
        }
    }

    fn assert_sorts(names: &[&[u8]]) {
        let mut keys: Vec<_> =
            names.iter().enumerate().map(|(number, name)| SortKey::new(name, number)).collect();
        sort(&mut keys, &names);
        let mut expected: Vec<_> = (0..names.len()).collect();
        expected.sort_by_key(|number| names[*number]);
        let expected: Vec<_> =
            expected.iter().map(|&number| SortKey::new(names[number], number)).collect();
        assert!(keys == expected, "keys in the order of {names:?}, each as it was");
    }

    #[test]
    fn names_sort_in_byte_order_and_bearers_of_one_in_their_own() {
        let names: Vec<&[u8]> = SORTED.iter().rev().chain(&SORTED).copied().collect();
        assert_sorts(&names);
    }

    /// Alike up to each length around the ends of keys, and beyond the last one that is made.
    #[test]
    fn names_that_begin_alike_sort_by_what_follows() {
        for alike in (0..100).filter(|alike| (alike + 1) % 8 < 3) {
            let long = vec![b'n'; alike];
            let names: Vec<Vec<u8>> =
                SORTED.iter().rev().chain(&SORTED).map(|end| [&long, *end].concat()).collect();
            let mut names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            names.extend([&b"n"[..], b"nnnnnnnnm", b"o"]);
            assert_sorts(&names);
        }
    }

    /// Whole words that are not alike follow the words that are.
    #[test]
    fn names_that_go_on_differently_sort_by_all_that_follows() {
        for alike in 8..40 {
            let name = |number: u32| format!("{}{:020}", "n".repeat(alike), number * 7919 % 100);
            let names: Vec<_> = (1..20).map(name).collect();
            let names: Vec<_> = names.iter().map(String::as_bytes).collect();
            assert_sorts(&names);
            let ends: Vec<_> = (1..20).map(|number| name(number).chars().rev().collect()).collect();
            let ends: Vec<_> = ends.iter().map(String::as_bytes).collect();
            assert_sorts(&ends);
        }
    }

    #[test]
    fn names_are_looked_at_only_beyond_what_a_key_holds() {
        let key = |name: &[u8]| SortKey::new(name, 7);
        let asked = || panic!("the names were asked for");
        assert!(key(b"choice").is_same(SortKey::lower(b"Choice", 8), asked));
        assert!(!key(b"abcdefgh").is_same(key(b"abcdefghi"), asked));
        assert!(!key(b"content-length").is_same(key(b"cookie"), asked));
        assert!(key(b"content-length").is_same(key(b"content-length"), || true));
        assert!(!key(b"content-length").is_same(key(b"content-type"), || false));
    }
}
