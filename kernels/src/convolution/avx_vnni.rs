//! A strip times the packed weights, with `vpdpbusd` on 256 bits.
//!
//! As with AVX-512 (`vnni`): four bytes of a pixel are broadcast to eight channels, four products u8·s8 are added to each
//! 32-bit sum, without saturating. The instruction has two encodings: VEX on processors with AVX-VNNI, which have 16
//! registers, and EVEX on those with AVX-512 VL. Both are made of the same body.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::x86_64::*;

use super::avx2::{PIXELS, store};
use super::packing::Group;
use super::{Isa, Job};
use crate::isa::Kind;

pub(super) fn run(isa: Isa, mut job: Job<'_, u8>) {
    for group in job.packed.groups() {
        for first in (0..job.pixels.len()).step_by(PIXELS) {
            // SAFETY: the processor has the instructions, because an `Isa` of these kinds comes from detection only;
            // `Job::check` has found every window within the strip and every pixel within the output.
            unsafe {
                match isa.0 {
                    Kind::AvxVnni => vex_tile(&mut job, group, first),
                    Kind::Avx512VlVnni => evex_tile(&mut job, group, first),
                    _ => unreachable!("not a variant of this module"),
                }
            }
        }
    }
}

/// The function that computes the 16 channels of a group for the pixels from `first`.
macro_rules! tile {
    ($name:ident, $features:literal, $multiply:ident) => {
        /// # Safety
        /// The processor has the instructions, and `Job::check` has passed.
        #[target_feature(enable = $features)]
        unsafe fn $name(job: &mut Job<'_, u8>, group: &Group, first: usize) {
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
                    // SAFETY: the packed weights hold 64 bytes for every step of every run; the strip holds every step
                    // of every run of every window.
                    unsafe {
                        let low = _mm256_loadu_si256(weights.cast());
                        let high = _mm256_loadu_si256(weights.add(32).cast());
                        weights = weights.add(64);
                        for index in 0..PIXELS {
                            let four = _mm256_set1_epi32(begins[index].add(at).cast::<i32>().read_unaligned());
                            sums[index][0] = $multiply(sums[index][0], four, low);
                            sums[index][1] = $multiply(sums[index][1], four, high);
                        }
                    }
                    at += 4;
                }
            }
            store(job, group, first, sums);
        }
    };
}

tile!(vex_tile, "avx2,avxvnni", _mm256_dpbusd_avx_epi32);
tile!(evex_tile, "avx2,avx512vl,avx512vnni", _mm256_dpbusd_epi32);
