//! Sixteen sums at once, with AVX-512.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::x86_64::*;

/// Results as 32-bit numbers, the zero point added; `limits` are those of [`super::Requantization::limits`].
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn requantize(sums: __m512i, multipliers: __m512, (low, high): (f32, f32), zero_point: i32) -> __m512i {
    let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), multipliers);
    let clamped = _mm512_min_ps(_mm512_max_ps(scaled, _mm512_set1_ps(low)), _mm512_set1_ps(high));
    // Rounds to nearest, ties to even: the processor's mode, which Rust does not change.
    _mm512_add_epi32(_mm512_cvtps_epi32(clamped), _mm512_set1_epi32(zero_point))
}
