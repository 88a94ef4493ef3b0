//! A strip of a depthwise convolution, with AVX2.
//!
//! `vpmaddwd` multiplies neighbouring 16-bit numbers and adds each pair, exactly. Neighbours here are channels, so two taps of
//! 16 channels are widened and interleaved word by word first, within each 128-bit lane:
//!
//! ```text
//! taps 0 1 of 16 channels ─ vpmovzxbw, vpunpck[lh]wd ─▶ half h: in lane l channels 8 l + 4 h …, two taps each
//! ```
//!
//! Weights, biases and multipliers are packed in that order, and the packing of sums to bytes undoes it. Channels beyond the
//! last sixteen are left to plain Rust.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::x86_64::*;

use super::{Depthwise, run_lanes};
use crate::Isa;
use crate::isa::Kind;
use crate::requantization::avx2::requantize;

/// Channels computed together.
const LANES: usize = 16;

/// Taps that one instruction multiplies.
const STEP: usize = 2;

/// What is computed with 16 channels, in the order of the interleaved taps.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// `[chunks of channels][steps][halves][lane][4 channels][2 taps]`
    weights: Vec<i16>,
    /// `[chunks of channels][halves][lane][4 channels]`
    bias: Vec<i32>,
    multipliers: Vec<f32>,
    /// Where the taps begin, in whole steps; one that does not exist begins where the first one does and weighs nothing.
    taps: Vec<[usize; STEP]>,
}

impl Packed {
    /// Packs weights `[channels, taps]`; a window's taps begin at `begins`.
    pub(super) fn new(weights: &[i8], bias: &[i32], multipliers: &[f32], begins: &[usize]) -> Self {
        let (chunks, taps) = (bias.len() / LANES, begins.len());
        let steps = taps.div_ceil(STEP);
        let channel_at = |place: usize| {
            let (chunk, half, lane, one) = (place / LANES, place % LANES / 8, place % 8 / 4, place % 4);
            chunk * LANES + 8 * lane + 4 * half + one
        };
        let mut packed = Vec::with_capacity(chunks * steps * LANES * STEP);
        for (chunk, step) in (0..chunks).flat_map(|chunk| (0..steps).map(move |step| (chunk, step))) {
            for place in 0..LANES {
                let channel = channel_at(chunk * LANES + place);
                for tap in step * STEP..(step + 1) * STEP {
                    packed.push(if tap < taps { i16::from(weights[channel * taps + tap]) } else { 0 });
                }
            }
        }
        let places = || (0..chunks * LANES).map(channel_at);
        let begin = |tap: usize| begins.get(tap).copied().unwrap_or(begins[0]);
        Self {
            weights: packed,
            bias: places().map(|channel| bias[channel]).collect(),
            multipliers: places().map(|channel| multipliers[channel]).collect(),
            taps: (0..steps).map(|step| [begin(step * STEP), begin(step * STEP + 1)]).collect(),
        }
    }
}

pub(super) fn run(isa: Isa, depthwise: &Depthwise, packed: &Packed, strip: &[u8], output: &mut [u8]) {
    assert!(matches!(isa.0, Kind::Avx2 | Kind::AvxVnni | Kind::Avx512VlVnni));
    let channels = depthwise.output.channels;
    let pixels = &depthwise.strips.pixels()[..output.len() / channels];
    let farthest_tap = depthwise.taps.iter().max().copied().unwrap_or_default();
    let reach = pixels.last().map_or(0, |pixel| *pixel as usize) + farthest_tap + channels;
    assert!(reach <= strip.len(), "the windows reach {reach} of {} numbers", strip.len());
    assert_eq!(output.len(), pixels.len() * channels, "numbers in the output");
    // SAFETY: the processor has AVX2, because an `Isa` of these kinds comes from detection only; every window lies within the
    // strip and every pixel within the output, as asserted above.
    unsafe {
        for first in (0..channels / LANES * LANES).step_by(LANES) {
            run_chunk(depthwise, packed, pixels, strip, first, output);
        }
        run_rest(depthwise, pixels, strip, output);
    }
}

/// The 16 channels from `first` of all pixels.
///
/// # Safety
/// The processor has AVX2; windows lie within the strip and pixels within the output.
#[target_feature(enable = "avx2")]
unsafe fn run_chunk(
    depthwise: &Depthwise,
    packed: &Packed,
    pixels: &[u32],
    strip: &[u8],
    first: usize,
    output: &mut [u8],
) {
    let channels = depthwise.output.channels;
    let requantization = &depthwise.config.requantization;
    let (limits, zero_point) = (requantization.limits(), i32::from(requantization.zero_point));
    let chunk_len = packed.taps.len() * LANES * STEP;
    let weights = packed.weights[first / LANES * chunk_len..][..chunk_len].as_ptr();
    let bias = packed.bias[first..first + LANES].as_ptr();
    let multipliers = packed.multipliers[first..first + LANES].as_ptr();
    // SAFETY: two times eight biases and multipliers of sixteen.
    let (bias, multipliers) = unsafe {
        (
            [_mm256_loadu_si256(bias.cast()), _mm256_loadu_si256(bias.add(8).cast())],
            [_mm256_loadu_ps(multipliers), _mm256_loadu_ps(multipliers.add(8))],
        )
    };
    for (index, pixel) in pixels.iter().enumerate() {
        let mut sums = bias;
        for (step, taps) in packed.taps.iter().enumerate() {
            // SAFETY: sixteen channels of every tap lie within the strip; the packed weights hold 64 bytes for every step of
            // a chunk.
            unsafe {
                let begin = strip.as_ptr().add(*pixel as usize + first);
                let a = _mm256_cvtepu8_epi16(_mm_loadu_si128(begin.add(taps[0]).cast()));
                let b = _mm256_cvtepu8_epi16(_mm_loadu_si128(begin.add(taps[1]).cast()));
                let weights = weights.add(step * LANES * STEP);
                let (low, high) = (_mm256_loadu_si256(weights.cast()), _mm256_loadu_si256(weights.add(LANES).cast()));
                sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), low));
                sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), high));
            }
        }
        let low = requantize(sums[0], multipliers[0], limits, zero_point);
        let high = requantize(sums[1], multipliers[1], limits, zero_point);
        let words = _mm256_packs_epi32(low, high);
        let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
        let output = output[index * channels + first..][..LANES].as_mut_ptr();
        // SAFETY: sixteen bytes.
        unsafe { _mm_storeu_si128(output.cast(), bytes) }
    }
}

/// The channels beyond the last sixteen, in plain Rust.
#[target_feature(enable = "avx2")]
fn run_rest(depthwise: &Depthwise, pixels: &[u32], strip: &[u8], output: &mut [u8]) {
    let channels = depthwise.output.channels;
    let done = channels / LANES * LANES;
    if done == channels {
        return;
    }
    for (output, pixel) in output.chunks_exact_mut(channels).zip(pixels) {
        let (eight, rest) = output[done..].as_chunks_mut::<8>();
        let mut first = done;
        for output in eight {
            run_lanes(depthwise, strip, *pixel as usize, first, output);
            first += output.len();
        }
        for output in rest {
            run_lanes(depthwise, strip, *pixel as usize, first, std::array::from_mut(output));
            first += 1;
        }
    }
}
