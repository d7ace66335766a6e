//! One lane, by the compression of the `sha2` crate.
//!
//! It chooses between the extensions of the processor and plain code by itself. One message alone
//! is a chain of compressions that no other engine shortens.

use sha2::block_api::compress256;

use super::Lane;

/// Compresses `rows` blocks of every lane, one lane after the other.
///
/// # Panics
///
/// If a lane has fewer blocks.
pub(super) fn compress(lanes: &mut [Lane<'_>], rows: usize) {
    for lane in lanes {
        compress256(&mut lane.words, &lane.blocks[..rows]);
    }
}
