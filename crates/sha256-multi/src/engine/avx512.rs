//! Sixteen lanes in the vectors of 512 bits of AVX-512.

use core::arch::x86_64::{
    __m128i, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_add_epi32,
    _mm512_castsi128_si512, _mm512_castsi256_si512, _mm512_castsi512_si256, _mm512_inserti32x4,
    _mm512_ror_epi32, _mm512_set1_epi32, _mm512_set4_epi32, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_ternarylogic_epi32,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{Lane, vector::vector_compress};
use crate::constants::ROUNDS;

vector_compress!("avx512f,avx512bw", 16, __m512i);

// Truth tables of vpternlogd: the bit that stands for the operands x, y and z is 4x + 2y + z.
const XOR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

#[inline]
#[target_feature(enable = "avx512f")]
fn add(x: __m512i, y: __m512i) -> __m512i {
    _mm512_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(word: u32) -> __m512i {
    _mm512_set1_epi32(word.cast_signed())
}

/// Ch (4.2): `y` where `x` has a one, `z` where it has a zero.
#[inline]
#[target_feature(enable = "avx512f")]
fn choose(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<CHOOSE>(x, y, z)
}

/// Maj (4.3).
#[inline]
#[target_feature(enable = "avx512f")]
fn majority(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<MAJORITY>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<XOR>(x, y, z)
}

/// Σ0 (4.4).
#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma0(x: __m512i) -> __m512i {
    xor(_mm512_ror_epi32::<2>(x), _mm512_ror_epi32::<13>(x), _mm512_ror_epi32::<22>(x))
}

/// Σ1 (4.5).
#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma1(x: __m512i) -> __m512i {
    xor(_mm512_ror_epi32::<6>(x), _mm512_ror_epi32::<11>(x), _mm512_ror_epi32::<25>(x))
}

/// σ0 (4.6).
#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma0(x: __m512i) -> __m512i {
    xor(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x))
}

/// σ1 (4.7).
#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma1(x: __m512i) -> __m512i {
    xor(_mm512_ror_epi32::<17>(x), _mm512_ror_epi32::<19>(x), _mm512_srli_epi32::<10>(x))
}

/// The words of a row of blocks: vector `t` holds word `t` of every lane.
///
/// The quarters of a vector come from the same quarter of four blocks, inserted as they are loaded:
/// that leaves to the one port for shuffles half of what a transposition of whole blocks asks for
/// (917 cycles a row and not 983 on Sapphire Rapids).
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_blocks(blocks: &[&[[u8; 64]]; 16], row: usize) -> [__m512i; 16] {
    // The bytes of each word from the other end: the message is big-endian.
    let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let blocks = blocks.map(|blocks| &blocks[row]);
    let mut words = [_mm512_setzero_si512(); 16];
    for (quarter, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
        let mut rows = [_mm512_setzero_si512(); 4];
        for (i, row) in rows.iter_mut().enumerate() {
            let [w, x, y, z] = [i, i + 4, i + 8, i + 12].map(|lane| blocks[lane]);
            let vector = _mm512_castsi128_si512(load(w, quarter));
            let vector = _mm512_inserti32x4::<1>(vector, load(x, quarter));
            let vector = _mm512_inserti32x4::<2>(vector, load(y, quarter));
            let vector = _mm512_inserti32x4::<3>(vector, load(z, quarter));
            *row = _mm512_shuffle_epi8(vector, swap);
        }
        *words = transpose_quarters(rows);
    }
    words
}

/// A quarter of a block.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(block: &[u8; 64], quarter: usize) -> __m128i {
    let bytes: &[u8; 16] = &block.as_chunks().0[quarter];
    // SAFETY: the 16 bytes that are read are those of the array; no alignment is asked for.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// The hash values of all lanes: vector `i` holds word `i` of every lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_hash(lanes: &[Lane<'_>]) -> [__m512i; 8] {
    let mut rows = [_mm512_setzero_si512(); 16];
    for (vector, lane) in rows.iter_mut().zip(lanes) {
        // SAFETY: the 32 bytes that are read are the eight words; no alignment is asked for.
        let words = unsafe { _mm256_loadu_si256(lane.words.as_ptr().cast()) };
        *vector = _mm512_castsi256_si512(words);
    }
    let [a, b, c, d, e, f, g, h, ..] = transpose(&rows);
    [a, b, c, d, e, f, g, h]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_hash(hash: &[__m512i; 8], lanes: &mut [Lane<'_>]) {
    let mut words = [_mm512_setzero_si512(); 16];
    words[..8].copy_from_slice(hash);
    for (vector, lane) in transpose(&words).into_iter().zip(lanes) {
        let words = _mm512_castsi512_si256(vector);
        // SAFETY: the 32 bytes that are written are the eight words; no alignment is asked for.
        unsafe { _mm256_storeu_si256(lane.words.as_mut_ptr().cast(), words) };
    }
}

/// Transposes sixteen rows of sixteen words.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: &[__m512i; 16]) -> [__m512i; 16] {
    let mut out = [_mm512_setzero_si512(); 16];
    let mut fours = [[_mm512_setzero_si512(); 4]; 4];
    for (four, rows) in fours.iter_mut().zip(rows.as_chunks().0) {
        *four = transpose_quarters(*rows);
    }
    let [p, q, r, s] = fours;
    for i in 0..4 {
        // Quarters 0 and 2 of two rows, then quarters 1 and 3.
        let even =
            [_mm512_shuffle_i32x4::<0x88>(p[i], q[i]), _mm512_shuffle_i32x4::<0x88>(r[i], s[i])];
        let odd =
            [_mm512_shuffle_i32x4::<0xdd>(p[i], q[i]), _mm512_shuffle_i32x4::<0xdd>(r[i], s[i])];
        out[i] = _mm512_shuffle_i32x4::<0x88>(even[0], even[1]);
        out[i + 4] = _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]);
        out[i + 8] = _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]);
        out[i + 12] = _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]);
    }
    out
}

/// Transposes the four words of four rows, in each quarter of the vectors for itself.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_quarters([w, x, y, z]: [__m512i; 4]) -> [__m512i; 4] {
    let [wx_low, wx_high] = [_mm512_unpacklo_epi32(w, x), _mm512_unpackhi_epi32(w, x)];
    let [yz_low, yz_high] = [_mm512_unpacklo_epi32(y, z), _mm512_unpackhi_epi32(y, z)];
    [
        _mm512_unpacklo_epi64(wx_low, yz_low),
        _mm512_unpackhi_epi64(wx_low, yz_low),
        _mm512_unpacklo_epi64(wx_high, yz_high),
        _mm512_unpackhi_epi64(wx_high, yz_high),
    ]
}
