//! Two and four lanes interleaved with the SHA extensions of x86.
//!
//! `sha256rnds2` does two rounds of one lane, and the next two wait for it. The instructions of
//! the other lanes fill the wait. Intel's description of the extensions says how the operands are
//! laid out: the working variables are two vectors, `abef` with a in the highest word, and `cdgh`.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_ror_epi32, _mm_set_epi8,
    _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
    _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_srli_epi32, _mm_storeu_si128, _mm_ternarylogic_epi32,
    _mm_unpackhi_epi64, _mm_unpacklo_epi64,
};

use super::Lane;
use crate::constants::ROUNDS;

/// Defines `compress` for `LANES` lanes with `$features`, in a module of its own.
macro_rules! sha_ni_compress {
    ($module:ident, $features:literal, $far:path, $doc:literal) => {
        #[doc = $doc]
        pub(crate) mod $module {
            use super::{
                __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_setzero_si128, _mm_sha256msg2_epu32,
                _mm_sha256rnds2_epu32, _mm_shuffle_epi32, Lane, ROUNDS, load_block, load_hash,
                load_words, store_hash,
            };

            /// Compresses `rows` blocks of every lane.
            ///
            /// # Panics
            ///
            /// If the number of lanes is not `LANES`, or a lane has fewer blocks.
            #[target_feature(enable = $features)]
            pub(crate) fn compress<const LANES: usize>(lanes: &mut [Lane<'_>], rows: usize) {
                assert_eq!(lanes.len(), LANES, "as many lanes as the engine has");
                let blocks: [&[[u8; 64]]; LANES] =
                    core::array::from_fn(|i| &lanes[i].blocks[..rows]);
                let mut hash = [[_mm_setzero_si128(); 2]; LANES];
                for (hash, lane) in hash.iter_mut().zip(&*lanes) {
                    *hash = load_hash(&lane.words);
                }
                for row in 0..rows {
                    let mut working = hash;
                    rounds(&mut working, &blocks, row);
                    for (hash, working) in hash.iter_mut().zip(working) {
                        hash[0] = _mm_add_epi32(hash[0], working[0]);
                        hash[1] = _mm_add_epi32(hash[1], working[1]);
                    }
                }
                for (hash, lane) in hash.into_iter().zip(lanes) {
                    store_hash(hash, &mut lane.words);
                }
            }

            /// The 64 rounds of a row, four at a time of every lane.
            #[inline]
            #[target_feature(enable = $features)]
            fn rounds<const LANES: usize>(
                working: &mut [[__m128i; 2]; LANES],
                blocks: &[&[[u8; 64]]; LANES],
                row: usize,
            ) {
                let mut w = [[_mm_setzero_si128(); 4]; LANES];
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
                            rounds4(working, _mm_add_epi32(w[i], k));
                        }
                    }
                }
            }

            /// Four rounds of a lane; `wk` holds the words of the schedule and the constants, added.
            #[inline]
            #[target_feature(enable = $features)]
            fn rounds4([abef, cdgh]: &mut [__m128i; 2], wk: __m128i) {
                // After two rounds c, d, g, h are what a, b, e, f were, so that the vectors swap.
                *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, wk);
                *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0b1110>(wk));
            }

            /// The four words 16 rounds on, which take the place of the four they start from.
            #[inline]
            #[target_feature(enable = $features)]
            fn expand(w: &mut [__m128i; 4], i: usize) {
                let [w16, w12, w8, w4] = [w[i], w[(i + 1) % 4], w[(i + 2) % 4], w[(i + 3) % 4]];
                let w7 = _mm_alignr_epi8::<4>(w4, w8);
                w[i] = _mm_sha256msg2_epu32(_mm_add_epi32($far(w16, w12), w7), w4);
            }
        }
    };
}

sha_ni_compress!(
    plain,
    "sha,sse2,ssse3,sse4.1",
    super::far_plain,
    "With the SHA extensions alone."
);
sha_ni_compress!(
    with_vl,
    "sha,sse2,ssse3,sse4.1,avx512f,avx512vl",
    super::far_with_vl,
    "With σ0 by AVX-512VL: on Sapphire Rapids a `sha256msg1` can start every 4 cycles only, and delays `sha256rnds2`."
);

/// Four times `w[t - 16] + σ0(w[t - 15])`.
#[inline]
#[target_feature(enable = "sha,sse2")]
fn far_plain(w16: __m128i, w12: __m128i) -> __m128i {
    _mm_sha256msg1_epu32(w16, w12)
}

/// The same from its definition (4.6): one rotation, shift or truth table each.
#[inline]
#[target_feature(enable = "sse2,ssse3,avx512f,avx512vl")]
fn far_with_vl(w16: __m128i, w12: __m128i) -> __m128i {
    // The truth table of vpternlogd that is x ^ y ^ z.
    const XOR: i32 = 0x96;
    let w15 = _mm_alignr_epi8::<4>(w12, w16);
    let sigma0 = _mm_ternarylogic_epi32::<XOR>(
        _mm_ror_epi32::<7>(w15),
        _mm_ror_epi32::<18>(w15),
        _mm_srli_epi32::<3>(w15),
    );
    _mm_add_epi32(w16, sigma0)
}

/// The sixteen words of a block, four in a vector, the first in the lowest.
#[inline]
#[target_feature(enable = "sse2,ssse3")]
fn load_block(block: &[u8; 64]) -> [__m128i; 4] {
    // The bytes of each word from the other end: the message is big-endian.
    let swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    let mut words = [_mm_setzero_si128(); 4];
    for (vector, quarter) in words.iter_mut().zip(block.as_chunks().0) {
        *vector = _mm_shuffle_epi8(load(quarter), swap);
    }
    words
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(quarter_block: &[u8; 16]) -> __m128i {
    // SAFETY: the 16 bytes that are read are those of the array; no alignment is asked for.
    unsafe { _mm_loadu_si128(quarter_block.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn load_words(words: &[u32; 4]) -> __m128i {
    // SAFETY: the 16 bytes that are read are those of the four words; no alignment is asked for.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn store_words(vector: __m128i, words: &mut [u32; 4]) {
    // SAFETY: the 16 bytes that are written are those of the four words; no alignment is asked for.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
}

/// Turns the order of four words round.
const REVERSE: i32 = 0b00_01_10_11;

/// The eight words as `[abef, cdgh]`.
#[inline]
#[target_feature(enable = "sse2")]
fn load_hash(&[a, b, c, d, e, f, g, h]: &[u32; 8]) -> [__m128i; 2] {
    let abcd = _mm_shuffle_epi32::<REVERSE>(load_words(&[a, b, c, d]));
    let efgh = _mm_shuffle_epi32::<REVERSE>(load_words(&[e, f, g, h]));
    [_mm_unpackhi_epi64(efgh, abcd), _mm_unpacklo_epi64(efgh, abcd)]
}

#[inline]
#[target_feature(enable = "sse2")]
fn store_hash([abef, cdgh]: [__m128i; 2], words: &mut [u32; 8]) {
    let abcd = _mm_shuffle_epi32::<REVERSE>(_mm_unpackhi_epi64(cdgh, abef));
    let efgh = _mm_shuffle_epi32::<REVERSE>(_mm_unpacklo_epi64(cdgh, abef));
    let [mut low, mut high] = [[0; 4]; 2];
    store_words(abcd, &mut low);
    store_words(efgh, &mut high);
    words[..4].copy_from_slice(&low);
    words[4..].copy_from_slice(&high);
}
