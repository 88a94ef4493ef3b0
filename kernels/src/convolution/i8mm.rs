//! A strip times the packed weights, with `usmmla`.
//!
//! `usmmla` multiplies two pixels' eight bytes with two channels' eight weights, u8·s8, and adds the 2 × 2 sums of eight
//! products each:
//!
//! ```text
//! [p₀c₀ p₀c₁ p₁c₀ p₁c₁] += [p₀: 8 taps; p₁: 8 taps] · [c₀: 8 taps; c₁: 8 taps]ᵀ
//! ```
//!
//! It is inline assembly: its intrinsic is not stable in Rust 1.95.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::aarch64::*;
use std::arch::asm;

use super::neon::{QUADS, Sums, begins, store};
use super::packing::{Group, LANES};
use super::{Isa, Job};
use crate::isa::Kind;

/// Pixels computed together: 3 · 8 sums of two pixels and two channels, 3 vectors of values, and the weights on their way,
/// of 32 registers.
const PIXELS: usize = 6;

pub(super) fn run(isa: Isa, mut job: Job<'_, u8>) {
    assert_eq!(isa.0, Kind::NeonI8mm);
    for group in job.packed.groups() {
        for first in (0..job.pixels.len()).step_by(PIXELS) {
            // SAFETY: the processor has i8mm, because an `Isa` of that kind comes from detection only; `Job::check` has
            // found every window within the strip and every pixel within the output.
            unsafe { tile(&mut job, group, first) }
        }
    }
}

/// The 16 channels of `group` for the pixels from `first`.
///
/// # Safety
/// The processor has i8mm, and `Job::check` has passed.
#[target_feature(enable = "neon,i8mm")]
unsafe fn tile(job: &mut Job<'_, u8>, group: &Group, first: usize) {
    // SAFETY: as for this function.
    let begins: [*const u8; PIXELS] = unsafe { begins(job, first) };
    let bias = job.packed.bias(group, 0).as_ptr();
    let mut sums = [[vdupq_n_s32(0); LANES / 2]; PIXELS / 2];
    for pair in 0..LANES / 2 {
        // SAFETY: two of sixteen biases.
        let bias = unsafe { vld1_s32(bias.add(2 * pair)) };
        for two in 0..PIXELS / 2 {
            sums[two][pair] = vcombine_s32(bias, bias);
        }
    }
    let mut weights = job.packed.weights(group).as_ptr();
    for run in job.runs {
        let mut at = *run as usize;
        for _step in 0..job.packed.steps() {
            // SAFETY: the packed weights hold 128 bytes for every step of every run; the strip holds every step of every
            // run of every window; `usmmla` works on registers alone.
            unsafe {
                let mut values = [vdupq_n_u8(0); PIXELS / 2];
                for two in 0..PIXELS / 2 {
                    values[two] = vcombine_u8(vld1_u8(begins[2 * two].add(at)), vld1_u8(begins[2 * two + 1].add(at)));
                }
                for pair in 0..LANES / 2 {
                    let loaded = vld1q_s8(weights.add(16 * pair));
                    for two in 0..PIXELS / 2 {
                        asm!(
                            "usmmla {sum:v}.4s, {values:v}.16b, {weights:v}.16b",
                            sum = inout(vreg) sums[two][pair],
                            values = in(vreg) values[two],
                            weights = in(vreg) loaded,
                            options(pure, nomem, nostack, preserves_flags),
                        );
                    }
                }
                weights = weights.add(8 * LANES);
            }
            at += 8;
        }
    }
    store(job, group, first, by_pixel(sums));
}

/// From two pixels and two channels in a vector to one pixel and four channels.
#[inline]
#[target_feature(enable = "neon")]
fn by_pixel(sums: [[int32x4_t; LANES / 2]; PIXELS / 2]) -> Sums<PIXELS> {
    let mut result = [[vdupq_n_s32(0); QUADS]; PIXELS];
    for two in 0..PIXELS / 2 {
        for quad in 0..QUADS {
            let low = vreinterpretq_s64_s32(sums[two][2 * quad]);
            let high = vreinterpretq_s64_s32(sums[two][2 * quad + 1]);
            result[2 * two][quad] = vreinterpretq_s32_s64(vzip1q_s64(low, high));
            result[2 * two + 1][quad] = vreinterpretq_s32_s64(vzip2q_s64(low, high));
        }
    }
    result
}
