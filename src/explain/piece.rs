//! A piece of a canonical request, and where it came from.

use std::ops::Range;

use super::rule::Rule;

/// A piece of a canonical request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Piece {
    /// The bytes of the canonical request, counted from 0. Pieces follow each other without gaps.
    pub canonical: Range<usize>,
    /// The bytes of the frame that it came from: none if the protocol adds it, several ranges if
    /// several places became one.
    pub frame: Vec<Range<usize>>,
    /// The rule that made it so; `None` if the bytes are those of the frame, in their place.
    pub rule: Option<Rule>,
}
