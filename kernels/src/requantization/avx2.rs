//! Eight sums at once, with AVX2.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::x86_64::*;

/// Results as 32-bit numbers, the zero point added; `limits` are those of [`super::Requantization::limits`].
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn requantize(sums: __m256i, multipliers: __m256, (low, high): (f32, f32), zero_point: i32) -> __m256i {
    let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), multipliers);
    let clamped = _mm256_min_ps(_mm256_max_ps(scaled, _mm256_set1_ps(low)), _mm256_set1_ps(high));
    // Rounds to nearest, ties to even: the processor's mode, which Rust does not change.
    _mm256_add_epi32(_mm256_cvtps_epi32(clamped), _mm256_set1_epi32(zero_point))
}
