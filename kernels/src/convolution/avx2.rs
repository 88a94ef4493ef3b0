//! A strip times the packed weights, with AVX2.
//!
//! `vpmaddwd` multiplies eight pairs of 16-bit numbers and adds each pair: `a₀·b₀ + a₁·b₁` in 32 bits, exact. The strip
//! is held in 16 bits already; weights are widened as they are read, which is shared by the tile's pixels.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::x86_64::*;

use super::packing::{Group, LANES};
use super::{Isa, Job};
use crate::isa::Kind;
use crate::requantization::avx2::requantize;

/// Pixels computed together: 6 · 2 sums, 2 vectors of weights and one pair of values fill the 16 registers.
pub(super) const PIXELS: usize = 6;

pub(super) fn run(isa: Isa, job: Job<'_, i16>) {
    assert_eq!(isa.0, Kind::Avx2);
    let mut job = job;
    for group in job.packed.groups() {
        for first in (0..job.pixels.len()).step_by(PIXELS) {
            // SAFETY: the processor has AVX2, because an `Isa` of that kind comes from detection only; `Job::check` has
            // found every window within the strip and every pixel within the output.
            unsafe { tile(&mut job, group, first) }
        }
    }
}

/// The 16 channels of `group` for the pixels from `first`.
///
/// # Safety
/// The processor has AVX2, and `Job::check` has passed.
#[target_feature(enable = "avx2")]
unsafe fn tile(job: &mut Job<'_, i16>, group: &Group, first: usize) {
    let count = PIXELS.min(job.pixels.len() - first);
    let mut begins = [job.strip.as_ptr(); PIXELS];
    for index in 0..PIXELS {
        // Pixels that do not exist are computed like the last one, and not stored.
        let pixel = job.pixels[first + index.min(count - 1)] as usize;
        // SAFETY: within the strip.
        begins[index] = unsafe { begins[index].add(pixel) };
    }
    let bias = job.packed.bias(group, 0).as_ptr();
    // SAFETY: two times eight biases of sixteen.
    let bias = unsafe { [_mm256_loadu_si256(bias.cast()), _mm256_loadu_si256(bias.add(8).cast())] };
    let mut sums = [bias; PIXELS];
    let mut weights = job.packed.weights(group).as_ptr();
    for run in job.runs {
        let mut at = *run as usize;
        for _step in 0..job.packed.steps() {
            // SAFETY: the packed weights hold 32 bytes for every step of every run; the strip holds every step of every
            // run of every window.
            unsafe {
                let low = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.cast()));
                let high = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.add(16).cast()));
                weights = weights.add(32);
                for index in 0..PIXELS {
                    let pair = _mm256_set1_epi32(begins[index].add(at).cast::<i32>().read_unaligned());
                    sums[index][0] = _mm256_add_epi32(sums[index][0], _mm256_madd_epi16(pair, low));
                    sums[index][1] = _mm256_add_epi32(sums[index][1], _mm256_madd_epi16(pair, high));
                }
            }
            at += 2;
        }
    }
    store(job, group, first, sums);
}

/// Requantizes and stores the sums of the pixels that exist: 16 channels in two vectors of eight.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(clippy::large_types_passed_by_value, reason = "inlined: the sums are in registers")]
pub(super) fn store<Element>(job: &mut Job<'_, Element>, group: &Group, first: usize, sums: [[__m256i; 2]; PIXELS]) {
    let count = PIXELS.min(job.pixels.len() - first);
    let used = LANES.min(job.channels - group.first);
    let multipliers = job.packed.multipliers(group, 0).as_ptr();
    // SAFETY: two times eight multipliers of sixteen.
    let multipliers = unsafe { [_mm256_loadu_ps(multipliers), _mm256_loadu_ps(multipliers.add(8))] };
    // Counted to a constant: sums indexed by a variable would live in memory.
    for index in 0..PIXELS {
        if index >= count {
            break;
        }
        let low = requantize(sums[index][0], multipliers[0], job.limits, job.zero_point);
        let high = requantize(sums[index][1], multipliers[1], job.limits, job.zero_point);
        // Both packings work on halves: channels 0–3, 8–11, 4–7, 12–15 come out, and are put in order between them.
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
        let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
        let begin = (first + index) * job.channels + group.first;
        let output = &mut job.output[begin..begin + used];
        if let Ok(output) = <&mut [u8; LANES]>::try_from(&mut *output) {
            // SAFETY: sixteen bytes.
            unsafe { _mm_storeu_si128(output.as_mut_ptr().cast(), bytes) }
        } else {
            let mut all = [0; LANES];
            // SAFETY: sixteen bytes.
            unsafe { _mm_storeu_si128(all.as_mut_ptr().cast(), bytes) }
            output.copy_from_slice(&all[..used]);
        }
    }
}
