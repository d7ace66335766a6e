//! Eight lanes in vectors of 256 bits, with the rotations and truth tables of AVX-512VL.
//!
//! Beside sixteen lanes of 512 bits: a processor that has three ports for vectors of 256 bits and
//! two for 512 spends less on a row that is not full.

use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_ror_epi32, _mm256_set1_epi32, _mm256_srli_epi32,
    _mm256_ternarylogic_epi32,
};

use super::{
    Lane,
    avx2::{load_blocks, load_hash, store_hash},
    vector::vector_compress,
};
use crate::constants::ROUNDS;

vector_compress!("avx2,avx512f,avx512vl", 8, __m256i);

// Truth tables of vpternlogd: the bit that stands for the operands x, y and z is 4x + 2y + z.
const XOR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

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
#[target_feature(enable = "avx512f,avx512vl")]
fn choose(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<CHOOSE>(x, y, z)
}

/// Maj (4.3).
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn majority(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<MAJORITY>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn xor(x: __m256i, y: __m256i, z: __m256i) -> __m256i {
    _mm256_ternarylogic_epi32::<XOR>(x, y, z)
}

/// Σ0 (4.4).
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn big_sigma0(x: __m256i) -> __m256i {
    xor(_mm256_ror_epi32::<2>(x), _mm256_ror_epi32::<13>(x), _mm256_ror_epi32::<22>(x))
}

/// Σ1 (4.5).
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn big_sigma1(x: __m256i) -> __m256i {
    xor(_mm256_ror_epi32::<6>(x), _mm256_ror_epi32::<11>(x), _mm256_ror_epi32::<25>(x))
}

/// σ0 (4.6).
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn small_sigma0(x: __m256i) -> __m256i {
    xor(_mm256_ror_epi32::<7>(x), _mm256_ror_epi32::<18>(x), _mm256_srli_epi32::<3>(x))
}

/// σ1 (4.7).
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn small_sigma1(x: __m256i) -> __m256i {
    xor(_mm256_ror_epi32::<17>(x), _mm256_ror_epi32::<19>(x), _mm256_srli_epi32::<10>(x))
}
