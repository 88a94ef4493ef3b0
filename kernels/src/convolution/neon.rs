//! A strip times the packed weights, with NEON.
//!
//! NEON multiplies s8 by s8, so the strip holds the input less 128 (its highest bit turned over), and 128 · Σ weight is
//! in the bias. Two inner steps, both 4 taps × 4 channels:
//!
//! ```text
//! sdot       sum[c] += Σ₄ value · weight[c]                          one instruction, from ARMv8.2's dotprod on
//! otherwise  pair  = value₀₁ · weight[c]₀₁      (smull, 16 bits)
//!            pair += value₂₃ · weight[c]₂₃      (smlal, 16 bits: two products fit, as no weight is −128)
//!            sum[c] += pair₀ + pair₁            (sadalp, 32 bits)
//! ```
//!
//! `sdot` is inline assembly: its intrinsic is not stable in Rust 1.95.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::aarch64::*;
use std::arch::asm;

use super::packing::{Group, LANES};
use super::{Isa, Job};
use crate::isa::Kind;

/// Vectors of four channels in a group.
pub(super) const QUADS: usize = LANES / 4;

/// Pixels computed together with `sdot`: 6 · 4 sums, 4 vectors of weights and one of values, of 32 registers.
const DOT_PIXELS: usize = 6;

/// Pixels computed together without: 4 · 4 sums, 4 vectors of weights, two of values and the products on their way.
const PAIR_PIXELS: usize = 4;

/// Sums of 16 channels for some pixels.
pub(super) type Sums<const PIXELS: usize> = [[int32x4_t; QUADS]; PIXELS];

pub(super) fn run(isa: Isa, mut job: Job<'_, u8>) {
    for group in job.packed.groups() {
        // SAFETY: the processor has the instructions, because an `Isa` of these kinds comes from detection only;
        // `Job::check` has found every window within the strip and every pixel within the output.
        unsafe {
            match isa.0 {
                Kind::NeonDotprod => {
                    for first in (0..job.pixels.len()).step_by(DOT_PIXELS) {
                        dot_tile(&mut job, group, first);
                    }
                }
                Kind::Neon => {
                    for first in (0..job.pixels.len()).step_by(PAIR_PIXELS) {
                        pair_tile(&mut job, group, first);
                    }
                }
                Kind::Portable | Kind::NeonI8mm => unreachable!("not a variant of this module"),
            }
        }
    }
}

/// Where the windows of the pixels from `first` begin; those that do not exist begin where the last one does.
///
/// # Safety
/// `Job::check` has passed.
#[inline]
pub(super) unsafe fn begins<const PIXELS: usize>(job: &Job<'_, u8>, first: usize) -> [*const u8; PIXELS] {
    let count = PIXELS.min(job.pixels.len() - first);
    let mut begins = [job.strip.as_ptr(); PIXELS];
    for index in 0..PIXELS {
        let pixel = job.pixels[first + index.min(count - 1)] as usize;
        // SAFETY: within the strip.
        begins[index] = unsafe { begins[index].add(pixel) };
    }
    begins
}

#[inline]
fn biases<const PIXELS: usize>(job: &Job<'_, u8>, group: &Group) -> Sums<PIXELS> {
    let bias = job.packed.bias(group, 0).as_ptr();
    // SAFETY: four times four biases of sixteen.
    let bias = unsafe { [vld1q_s32(bias), vld1q_s32(bias.add(4)), vld1q_s32(bias.add(8)), vld1q_s32(bias.add(12))] };
    [bias; PIXELS]
}

/// The 16 channels of `group` for the pixels from `first`, with `sdot`.
///
/// # Safety
/// The processor has dotprod, and `Job::check` has passed.
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot_tile(job: &mut Job<'_, u8>, group: &Group, first: usize) {
    // SAFETY: as for this function.
    let begins: [*const u8; DOT_PIXELS] = unsafe { begins(job, first) };
    let mut sums: Sums<DOT_PIXELS> = biases(job, group);
    let mut weights = job.packed.weights(group).as_ptr();
    for run in job.runs {
        let mut at = *run as usize;
        for _step in 0..job.packed.steps() {
            // SAFETY: the packed weights hold 64 bytes for every step of every run; the strip holds every step of every
            // run of every window; `sdot` works on registers alone.
            unsafe {
                let loaded = vld1q_s8_x4(weights);
                let loaded = [loaded.0, loaded.1, loaded.2, loaded.3];
                weights = weights.add(64);
                for index in 0..DOT_PIXELS {
                    let four = begins[index].add(at).cast::<i32>().read_unaligned();
                    let four = vreinterpretq_s8_s32(vdupq_n_s32(four));
                    for quad in 0..QUADS {
                        let (sum, weights) = (&mut sums[index][quad], loaded[quad]);
                        asm!(
                            "sdot {sum:v}.4s, {weights:v}.16b, {four:v}.16b",
                            sum = inout(vreg) *sum,
                            weights = in(vreg) weights,
                            four = in(vreg) four,
                            options(pure, nomem, nostack, preserves_flags),
                        );
                    }
                }
            }
            at += 4;
        }
    }
    store(job, group, first, sums);
}

/// The 16 channels of `group` for the pixels from `first`, with 16-bit pairs.
///
/// # Safety
/// `Job::check` has passed.
#[target_feature(enable = "neon")]
unsafe fn pair_tile(job: &mut Job<'_, u8>, group: &Group, first: usize) {
    // SAFETY: as for this function.
    let begins: [*const u8; PAIR_PIXELS] = unsafe { begins(job, first) };
    let mut sums: Sums<PAIR_PIXELS> = biases(job, group);
    let mut weights = job.packed.weights(group).as_ptr();
    for run in job.runs {
        let mut at = *run as usize;
        for _step in 0..job.packed.steps() {
            // SAFETY: as in `dot_tile`.
            unsafe {
                let loaded = vld1q_s8_x4(weights);
                let loaded = [loaded.0, loaded.1, loaded.2, loaded.3];
                weights = weights.add(64);
                for index in 0..PAIR_PIXELS {
                    let values = begins[index].add(at).cast::<i16>();
                    let low = vreinterpret_s8_s16(vdup_n_s16(values.read_unaligned()));
                    let high = vreinterpret_s8_s16(vdup_n_s16(values.add(1).read_unaligned()));
                    for quad in 0..QUADS {
                        let pairs = vmull_s8(vget_low_s8(loaded[quad]), low);
                        let pairs = vmlal_s8(pairs, vget_high_s8(loaded[quad]), high);
                        sums[index][quad] = vpadalq_s16(sums[index][quad], pairs);
                    }
                }
            }
            at += 4;
        }
    }
    store(job, group, first, sums);
}

/// Requantizes and stores the sums of the pixels that exist.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store<const PIXELS: usize>(job: &mut Job<'_, u8>, group: &Group, first: usize, sums: Sums<PIXELS>) {
    let used = LANES.min(job.channels - group.first);
    let multipliers = job.packed.multipliers(group, 0).as_ptr();
    let (low, high) = (vdupq_n_f32(job.limits.0), vdupq_n_f32(job.limits.1));
    let zero_point = vdupq_n_s32(job.zero_point);
    // Counted to a constant: sums indexed by a variable would live in memory.
    for index in 0..PIXELS {
        if first + index >= job.pixels.len() {
            break;
        }
        let mut words = [vdup_n_s16(0); QUADS];
        for quad in 0..QUADS {
            // SAFETY: four of sixteen multipliers.
            let multipliers = unsafe { vld1q_f32(multipliers.add(4 * quad)) };
            let scaled = vmulq_f32(vcvtq_f32_s32(sums[index][quad]), multipliers);
            let clamped = vminq_f32(vmaxq_f32(scaled, low), high);
            // To nearest, ties to even.
            words[quad] = vmovn_s32(vaddq_s32(vcvtnq_s32_f32(clamped), zero_point));
        }
        let bytes =
            vcombine_u8(vqmovun_s16(vcombine_s16(words[0], words[1])), vqmovun_s16(vcombine_s16(words[2], words[3])));
        let begin = (first + index) * job.channels + group.first;
        let output = &mut job.output[begin..begin + used];
        if let Ok(output) = <&mut [u8; LANES]>::try_from(&mut *output) {
            // SAFETY: sixteen bytes.
            unsafe { vst1q_u8(output.as_mut_ptr(), bytes) }
        } else {
            let mut all = [0; LANES];
            // SAFETY: sixteen bytes.
            unsafe { vst1q_u8(all.as_mut_ptr(), bytes) }
            output.copy_from_slice(&all[..used]);
        }
    }
}
