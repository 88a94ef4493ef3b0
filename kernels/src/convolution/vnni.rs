//! A strip times the packed weights, with AVX-512 VNNI.
//!
//! `vpdpbusd` multiplies 16 · 4 pairs u8·s8 and adds each four products to a 32-bit sum, without saturating. Four bytes
//! of a pixel are broadcast to all 16 channels. A tile is pixels × vectors of 16 channels; with 24 to 28 sums in
//! registers a loaded number is used often enough for the multiplier, not the loads, to set the pace.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::x86_64::*;

use super::packing::{Group, LANES};
use super::{Isa, Job};
use crate::isa::Kind;
use crate::requantization::avx512::requantize;

pub(super) fn run(isa: Isa, job: Job<'_, u8>) {
    assert_eq!(isa.0, Kind::Avx512Vnni);
    let mut job = job;
    for group in job.packed.groups() {
        // SAFETY: the processor has the instructions, because an `Isa` of that kind comes from detection only;
        // `Job::check` has found every window within the strip and every pixel within the output.
        unsafe {
            match group.vectors {
                1 => tiles::<12, 1>(&mut job, group),
                2 => tiles::<12, 2>(&mut job, group),
                3 => tiles::<8, 3>(&mut job, group),
                _ => tiles::<6, 4>(&mut job, group),
            }
        }
    }
}

/// All pixels, `PIXELS` at a time.
///
/// # Safety
/// As for [`tile`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tiles<const PIXELS: usize, const VECTORS: usize>(job: &mut Job<'_, u8>, group: &Group) {
    for first in (0..job.pixels.len()).step_by(PIXELS) {
        // SAFETY: as for this function.
        unsafe { tile::<PIXELS, VECTORS>(job, group, first) }
    }
}

/// The `16 · VECTORS` channels of `group` for `PIXELS` pixels from `first`.
///
/// # Safety
/// The processor has the instructions, `Job::check` has passed, and the group has `VECTORS` vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const PIXELS: usize, const VECTORS: usize>(job: &mut Job<'_, u8>, group: &Group, first: usize) {
    let count = PIXELS.min(job.pixels.len() - first);
    let mut begins = [job.strip.as_ptr(); PIXELS];
    for index in 0..PIXELS {
        // Pixels that do not exist are computed like the last one, and not stored.
        let pixel = job.pixels[first + index.min(count - 1)] as usize;
        // SAFETY: within the strip.
        begins[index] = unsafe { begins[index].add(pixel) };
    }
    let mut sums = [[_mm512_setzero_si512(); VECTORS]; PIXELS];
    for vector in 0..VECTORS {
        // SAFETY: sixteen biases.
        let bias = unsafe { _mm512_loadu_si512(job.packed.bias(group, vector).as_ptr().cast()) };
        for index in 0..PIXELS {
            sums[index][vector] = bias;
        }
    }
    let mut weights = job.packed.weights(group).as_ptr();
    for run in job.runs {
        let mut at = *run as usize;
        for _step in 0..job.packed.steps() {
            let mut loaded = [_mm512_setzero_si512(); VECTORS];
            // SAFETY: the packed weights hold 64 bytes for every vector and step of every run; the strip holds every step
            // of every run of every window.
            unsafe {
                for vector in 0..VECTORS {
                    loaded[vector] = _mm512_loadu_si512(weights.add(64 * vector).cast());
                }
                weights = weights.add(64 * VECTORS);
                for index in 0..PIXELS {
                    let four = _mm512_set1_epi32(begins[index].add(at).cast::<i32>().read_unaligned());
                    for vector in 0..VECTORS {
                        sums[index][vector] = _mm512_dpbusd_epi32(sums[index][vector], four, loaded[vector]);
                    }
                }
            }
            at += 4;
        }
    }
    // Through memory, and counted to constants: sums that a variable indexes would live in memory all the time.
    let mut finished = [[[0_i32; LANES]; VECTORS]; PIXELS];
    for index in 0..PIXELS {
        for vector in 0..VECTORS {
            // SAFETY: sixteen numbers.
            unsafe { _mm512_storeu_si512(finished[index][vector].as_mut_ptr().cast(), sums[index][vector]) }
        }
    }
    for vector in 0..VECTORS {
        let channel = group.first + vector * LANES;
        let mask = mask_of(job.channels - channel);
        // SAFETY: sixteen multipliers.
        let multipliers = unsafe { _mm512_loadu_ps(job.packed.multipliers(group, vector).as_ptr()) };
        for (index, finished) in finished.iter().take(count).enumerate() {
            // SAFETY: sixteen numbers.
            let sums = unsafe { _mm512_loadu_si512(finished[vector].as_ptr().cast()) };
            let words = requantize(sums, multipliers, job.limits, job.zero_point);
            // Results are not negative, so that the unsigned saturation of the conversion changes nothing.
            let bytes = _mm512_cvtusepi32_epi8(words);
            let output = job.output[(first + index) * job.channels + channel..].as_mut_ptr();
            // SAFETY: the mask leaves the channels that exist, and the output holds all channels of all pixels.
            unsafe { _mm_mask_storeu_epi8(output.cast(), mask, bytes) }
        }
    }
}

/// One bit for each of the first `channels` of sixteen.
fn mask_of(channels: usize) -> u16 {
    if channels >= LANES { u16::MAX } else { (1 << channels) - 1 }
}
