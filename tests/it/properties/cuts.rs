//! The result of a frame, also the error in every word, does not depend on how it was cut.

use super::{rules, split_settings};
use crate::{naive::Settings, stages::string_to_sign};

/// Holds a frame in chunks of these lengths to the same frame in one.
pub(crate) fn check(settings: &Settings, frame: &[u8], lengths: &[usize]) {
    let rules = rules(settings);
    let whole = string_to_sign(&rules, [frame]);
    let cut = string_to_sign(&rules, chunks(frame, lengths));
    assert_eq!(cut, whole, "{settings:?}, in chunks of {lengths:?}: {}", frame.escape_ascii());
}

/// Cuts a frame into chunks of these lengths, which are used again from the first one until the
/// frame is used up.
pub(crate) fn chunks<'a>(frame: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let mut rest = frame;
    while !rest.is_empty() && lengths.iter().any(|&length| length > 0) {
        for &length in lengths {
            let (chunk, after) = rest.split_at(length.min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
    }
    chunks.push(rest);
    chunks
}

/// An input is the settings, a byte whose low four bits count the lengths, a byte for each length,
/// and a frame.
pub(crate) fn fuzz(input: &[u8]) {
    let Some((settings, rest)) = split_settings(input) else { return };
    let Some((count, rest)) = rest.split_first() else { return };
    let Some((lengths, frame)) = rest.split_at_checked(usize::from(count & 0xf)) else { return };
    let lengths: Vec<usize> = lengths.iter().copied().map(usize::from).collect();
    check(&settings, frame, &lengths);
}
