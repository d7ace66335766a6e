//! Eight lanes in the vectors of 256 bits of AVX2.

use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_loadu_si256,
    _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setr_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srli_epi32,
    _mm256_storeu_si256, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32,
    _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::{Lane, vector::vector_compress};
use crate::constants::ROUNDS;

vector_compress!("avx2", 8, __m256i);

#[inline]
#[target_feature(enable = "avx2")]
fn add(x: __m256i, y: __m256i) -> __m256i {
    _mm256_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(word: u32) -> __m256i {
    _mm256_set1_epi32(word.cast_signed())
}

/// Ch (4.2): `y` where `x` has a one, `z` where it has a zero.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_and_si256(x, y), _mm256_andnot_si256(x, z))
}

/// Maj (4.3), with one operation less: where `x` and `y` differ, `z` decides.
#[inline]
#[target_feature(enable = "avx2")]
fn majority(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_xor_si256(x, _mm256_xor_si256(y, z))
}

/// ROTR of section 3.2; `LEFT` is what 32 leaves over `RIGHT`.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const RIGHT: i32, const LEFT: i32>(x: __m256i) -> __m256i {
    const { assert!(RIGHT + LEFT == 32) };
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(x), _mm256_slli_epi32::<LEFT>(x))
}

/// Σ0 (4.4).
#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma0(x: __m256i) -> __m256i {
    xor(rotate::<2, 30>(x), rotate::<13, 19>(x), rotate::<22, 10>(x))
}

/// Σ1 (4.5).
#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma1(x: __m256i) -> __m256i {
    xor(rotate::<6, 26>(x), rotate::<11, 21>(x), rotate::<25, 7>(x))
}

/// σ0 (4.6).
#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma0(x: __m256i) -> __m256i {
    xor(rotate::<7, 25>(x), rotate::<18, 14>(x), _mm256_srli_epi32::<3>(x))
}

/// σ1 (4.7).
#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma1(x: __m256i) -> __m256i {
    xor(rotate::<17, 15>(x), rotate::<19, 13>(x), _mm256_srli_epi32::<10>(x))
}

/// The words of a row of blocks: vector `t` holds word `t` of every lane.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_blocks(blocks: &[&[[u8; 64]]; 8], row: usize) -> [__m256i; 16] {
    // The bytes of each word from the other end: the message is big-endian.
    #[rustfmt::skip]
    let swap = _mm256_setr_epi8(
        3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
        3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
    );
    let mut halves = [[_mm256_setzero_si256(); 8]; 2];
    for (i, blocks) in blocks.iter().enumerate() {
        let (parts, _) = blocks[row].as_chunks();
        for (half, part) in halves.iter_mut().zip(parts) {
            half[i] = _mm256_shuffle_epi8(load(part), swap);
        }
    }
    let mut words = [_mm256_setzero_si256(); 16];
    words[..8].copy_from_slice(&transpose(halves[0]));
    words[8..].copy_from_slice(&transpose(halves[1]));
    words
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(half_block: &[u8; 32]) -> __m256i {
    // SAFETY: the 32 bytes that are read are those of the array; no alignment is asked for.
    unsafe { _mm256_loadu_si256(half_block.as_ptr().cast()) }
}

/// The hash values of all lanes: vector `i` holds word `i` of every lane.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_hash(lanes: &[Lane<'_>]) -> [__m256i; 8] {
    let mut rows = [_mm256_setzero_si256(); 8];
    for (vector, lane) in rows.iter_mut().zip(lanes) {
        // SAFETY: the 32 bytes that are read are the eight words; no alignment is asked for.
        *vector = unsafe { _mm256_loadu_si256(lane.words.as_ptr().cast()) };
    }
    transpose(rows)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_hash(hash: [__m256i; 8], lanes: &mut [Lane<'_>]) {
    for (vector, lane) in transpose(hash).into_iter().zip(lanes) {
        // SAFETY: the 32 bytes that are written are the eight words; no alignment is asked for.
        unsafe { _mm256_storeu_si256(lane.words.as_mut_ptr().cast(), vector) };
    }
}

/// Transposes eight rows of eight words.
///
/// Pairs of rows, then of pairs, within each half of the vectors; then the halves.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(mut rows: [__m256i; 8]) -> [__m256i; 8] {
    for [x, y] in rows.as_chunks_mut().0 {
        (*x, *y) = (_mm256_unpacklo_epi32(*x, *y), _mm256_unpackhi_epi32(*x, *y));
    }
    for [x0, x1, y0, y1] in rows.as_chunks_mut().0 {
        let four = [
            _mm256_unpacklo_epi64(*x0, *y0),
            _mm256_unpackhi_epi64(*x0, *y0),
            _mm256_unpacklo_epi64(*x1, *y1),
            _mm256_unpackhi_epi64(*x1, *y1),
        ];
        [*x0, *x1, *y0, *y1] = four;
    }
    let mut out = [_mm256_setzero_si256(); 8];
    for i in 0..4 {
        out[i] = _mm256_permute2x128_si256::<0x20>(rows[i], rows[i + 4]);
        out[i + 4] = _mm256_permute2x128_si256::<0x31>(rows[i], rows[i + 4]);
    }
    out
}
