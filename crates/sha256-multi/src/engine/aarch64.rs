//! Two and four lanes interleaved with the SHA-256 instructions of Armv8.
//!
//! `sha256h` and `sha256h2` do four rounds of one lane together, and the next four wait for them.
//! The instructions of the other lanes fill the wait.

use core::arch::aarch64::{
    uint32x4_t, vaddq_u32, vdupq_n_u32, vld1q_u8, vld1q_u32, vreinterpretq_u32_u8, vrev32q_u8,
    vsha256h2q_u32, vsha256hq_u32, vsha256su0q_u32, vsha256su1q_u32, vst1q_u32,
};

use super::Lane;
use crate::constants::ROUNDS;

/// Compresses `rows` blocks of every lane.
///
/// # Panics
///
/// If the number of lanes is not `LANES`, or a lane has fewer blocks.
#[target_feature(enable = "neon,sha2")]
pub(super) fn compress<const LANES: usize>(lanes: &mut [Lane<'_>], rows: usize) {
    assert_eq!(lanes.len(), LANES, "as many lanes as the engine has");
    let blocks: [&[[u8; 64]]; LANES] = core::array::from_fn(|i| &lanes[i].blocks[..rows]);
    let mut hash = [[vdupq_n_u32(0); 2]; LANES];
    for (hash, lane) in hash.iter_mut().zip(&*lanes) {
        *hash = load_hash(&lane.words);
    }
    for row in 0..rows {
        let mut working = hash;
        rounds(&mut working, &blocks, row);
        for (hash, working) in hash.iter_mut().zip(working) {
            hash[0] = vaddq_u32(hash[0], working[0]);
            hash[1] = vaddq_u32(hash[1], working[1]);
        }
    }
    for (hash, lane) in hash.into_iter().zip(lanes) {
        store_hash(hash, &mut lane.words);
    }
}

/// The 64 rounds of a row, four at a time of every lane.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn rounds<const LANES: usize>(
    working: &mut [[uint32x4_t; 2]; LANES],
    blocks: &[&[[u8; 64]]; LANES],
    row: usize,
) {
    let mut w = [[vdupq_n_u32(0); 4]; LANES];
    for (w, blocks) in w.iter_mut().zip(blocks) {
        *w = load_block(&blocks[row]);
    }
    for (turn, k) in ROUNDS.iter().enumerate() {
        for (i, k) in k.as_chunks().0.iter().enumerate() {
            let k = load_words(k);
            for (w, working) in w.iter_mut().zip(working.iter_mut()) {
                if turn > 0 {
                    expand(w, i);
                }
                rounds4(working, vaddq_u32(w[i], k));
            }
        }
    }
}

/// Four rounds of a lane; `wk` holds the words of the schedule and the constants, added.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn rounds4([abcd, efgh]: &mut [uint32x4_t; 2], wk: uint32x4_t) {
    let before = *abcd;
    *abcd = vsha256hq_u32(before, *efgh, wk);
    *efgh = vsha256h2q_u32(*efgh, before, wk);
}

/// The four words 16 rounds on, which take the place of the four they start from.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn expand(w: &mut [uint32x4_t; 4], i: usize) {
    let [w16, w12, w8, w4] = [w[i], w[(i + 1) % 4], w[(i + 2) % 4], w[(i + 3) % 4]];
    w[i] = vsha256su1q_u32(vsha256su0q_u32(w16, w12), w8, w4);
}

/// The sixteen words of a block, four in a vector.
#[inline]
#[target_feature(enable = "neon")]
fn load_block(block: &[u8; 64]) -> [uint32x4_t; 4] {
    let mut words = [vdupq_n_u32(0); 4];
    for (vector, quarter) in words.iter_mut().zip(block.as_chunks::<16>().0) {
        // SAFETY: the 16 bytes that are read are those of the array; no alignment is asked for.
        let bytes = unsafe { vld1q_u8(quarter.as_ptr()) };
        // The bytes of each word from the other end: the message is big-endian.
        *vector = vreinterpretq_u32_u8(vrev32q_u8(bytes));
    }
    words
}

#[inline]
#[target_feature(enable = "neon")]
fn load_words(words: &[u32; 4]) -> uint32x4_t {
    // SAFETY: the four words that are read are those of the array.
    unsafe { vld1q_u32(words.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store_words(vector: uint32x4_t, words: &mut [u32; 4]) {
    // SAFETY: the four words that are written are those of the array.
    unsafe { vst1q_u32(words.as_mut_ptr(), vector) };
}

/// The eight words as `[abcd, efgh]`.
#[inline]
#[target_feature(enable = "neon")]
fn load_hash(&[a, b, c, d, e, f, g, h]: &[u32; 8]) -> [uint32x4_t; 2] {
    [load_words(&[a, b, c, d]), load_words(&[e, f, g, h])]
}

#[inline]
#[target_feature(enable = "neon")]
fn store_hash([abcd, efgh]: [uint32x4_t; 2], words: &mut [u32; 8]) {
    let [mut low, mut high] = [[0; 4]; 2];
    store_words(abcd, &mut low);
    store_words(efgh, &mut high);
    words[..4].copy_from_slice(&low);
    words[4..].copy_from_slice(&high);
}
