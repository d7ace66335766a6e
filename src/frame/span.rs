//! A range of the head that outlives the chunk it was found in.

use super::ascii::{trim_end, trim_start};

/// Bytes `start..end` of the head. Ranges survive a move of the buffer, slices do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub(crate) const fn len(self) -> usize {
        self.end - self.start
    }

    /// These bytes of `head`, which is the head the range was made for.
    #[inline]
    pub(crate) fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start..self.end).unwrap_or_else(nothing)
    }

    /// The range of `bytes`, which lie at `start`, without the whitespace at their ends.
    #[inline]
    pub(crate) fn trimmed(bytes: &[u8], start: usize) -> Self {
        let bytes = trim_end(bytes);
        let end = start + bytes.len();
        Self { start: end - trim_start(bytes).len(), end }
    }
}

/// Stands for the bytes of a range outside of the head. There is none; `cold` makes that a branch
/// which is never taken.
#[cold]
const fn nothing<'a>() -> &'a [u8] {
    debug_assert!(false, "a range lies in the head that it was found in");
    &[]
}
