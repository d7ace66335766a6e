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
    pub(crate) fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start..self.end).unwrap_or_default()
    }

    /// The range without the whitespace at its ends.
    pub(crate) fn trimmed(self, head: &[u8]) -> Self {
        let bytes = trim_end(self.of(head));
        let end = self.start + bytes.len();
        Self { start: end - trim_start(bytes).len(), end }
    }
}
