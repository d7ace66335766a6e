//! Eight lanes in the vectors of 256 bits of AVX2.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256,
    _mm256_castsi128_si256, _mm256_inserti128_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setr_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256,
    _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
    _mm256_xor_si256,
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
///
/// The halves of a vector come from the same quarter of two blocks, inserted as they are loaded:
/// no word has to cross from one half to the other.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_blocks(blocks: &[&[[u8; 64]]; 8], row: usize) -> [__m256i; 16] {
    // The bytes of each word from the other end: the message is big-endian.
    #[rustfmt::skip]
    let swap = _mm256_setr_epi8(
        3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
        3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12,
    );
    let blocks = blocks.map(|blocks| &blocks[row]);
    let mut words = [_mm256_setzero_si256(); 16];
    for (quarter, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
        let mut rows = [_mm256_setzero_si256(); 4];
        for (i, row) in rows.iter_mut().enumerate() {
            let low = _mm256_castsi128_si256(load(blocks[i], quarter));
            let vector = _mm256_inserti128_si256::<1>(low, load(blocks[i + 4], quarter));
            *row = _mm256_shuffle_epi8(vector, swap);
        }
        *words = transpose_halves(rows);
    }
    words
}

/// A quarter of a block.
#[inline]
#[target_feature(enable = "avx2")]
fn load(block: &[u8; 64], quarter: usize) -> __m128i {
    let bytes: &[u8; 16] = &block.as_chunks().0[quarter];
    // SAFETY: the 16 bytes that are read are those of the array; no alignment is asked for.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
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
    transpose(&rows)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_hash(hash: &[__m256i; 8], lanes: &mut [Lane<'_>]) {
    for (vector, lane) in transpose(hash).into_iter().zip(lanes) {
        // SAFETY: the 32 bytes that are written are the eight words; no alignment is asked for.
        unsafe { _mm256_storeu_si256(lane.words.as_mut_ptr().cast(), vector) };
    }
}

/// Transposes eight rows of eight words.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(&[a, b, c, d, e, f, g, h]: &[__m256i; 8]) -> [__m256i; 8] {
    let [upper, lower] = [transpose_halves([a, b, c, d]), transpose_halves([e, f, g, h])];
    let mut out = [_mm256_setzero_si256(); 8];
    for i in 0..4 {
        out[i] = _mm256_permute2x128_si256::<0x20>(upper[i], lower[i]);
        out[i + 4] = _mm256_permute2x128_si256::<0x31>(upper[i], lower[i]);
    }
    out
}

/// Transposes the four words of four rows, in each half of the vectors for itself.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_halves([w, x, y, z]: [__m256i; 4]) -> [__m256i; 4] {
    let [wx_low, wx_high] = [_mm256_unpacklo_epi32(w, x), _mm256_unpackhi_epi32(w, x)];
    let [yz_low, yz_high] = [_mm256_unpacklo_epi32(y, z), _mm256_unpackhi_epi32(y, z)];
    [
        _mm256_unpacklo_epi64(wx_low, yz_low),
        _mm256_unpackhi_epi64(wx_low, yz_low),
        _mm256_unpacklo_epi64(wx_high, yz_high),
        _mm256_unpackhi_epi64(wx_high, yz_high),
    ]
}
