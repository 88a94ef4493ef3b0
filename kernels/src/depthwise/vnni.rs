//! A strip of a depthwise convolution, with AVX-512 VNNI.
//!
//! `vpdpbusd` adds four products of neighbouring bytes. Neighbours here are channels, so four taps of 64 channels are
//! interleaved first, byte by byte, then pair by pair, within each 128-bit lane:
//!
//! ```text
//! taps 0 1 2 3 of 64 channels ─ vpunpck[lh]bw, vpunpck[lh]wd ─▶ quarter q: in lane l channels 16 l + 4 q …, four taps each
//! ```
//!
//! Weights, biases and multipliers are packed in that order, and the packing of sums to bytes undoes it.

#[allow(clippy::wildcard_imports, reason = "the names of instructions say where they are from")]
use std::arch::x86_64::*;

use super::Depthwise;
use crate::Isa;
use crate::isa::Kind;
use crate::requantization::avx512::requantize;

/// Channels computed together.
const LANES: usize = 64;

/// Taps that one instruction multiplies.
const STEP: usize = 4;

/// What is computed with 64 channels, in the order of the interleaved taps.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// `[chunks of channels][steps][quarters][lane][4 channels][4 taps]`
    weights: Vec<i8>,
    /// `[chunks of channels][quarters][lane][4 channels]`
    bias: Vec<i32>,
    multipliers: Vec<f32>,
    /// Where the taps begin, in whole steps; those that do not exist begin where the first one does and weigh nothing.
    taps: Vec<[usize; STEP]>,
}

impl Packed {
    /// Packs weights `[channels, taps]`; a window's taps begin at `begins`.
    pub(super) fn new(weights: &[i8], bias: &[i32], multipliers: &[f32], begins: &[usize]) -> Self {
        let (channels, taps) = (bias.len(), begins.len());
        let (chunks, steps) = (channels.div_ceil(LANES), taps.div_ceil(STEP));
        let channel_at = |place: usize| {
            let (chunk, quarter, lane, one) = (place / LANES, place % LANES / 16, place % 16 / 4, place % 4);
            chunk * LANES + 16 * lane + 4 * quarter + one
        };
        let mut packed = Vec::with_capacity(chunks * steps * LANES * STEP);
        for (chunk, step) in (0..chunks).flat_map(|chunk| (0..steps).map(move |step| (chunk, step))) {
            for place in 0..LANES {
                let channel = channel_at(chunk * LANES + place);
                for tap in step * STEP..(step + 1) * STEP {
                    let exists = channel < channels && tap < taps;
                    packed.push(if exists { weights[channel * taps + tap] } else { 0 });
                }
            }
        }
        let places = || (0..chunks * LANES).map(channel_at);
        Self {
            weights: packed,
            bias: places().map(|channel| bias.get(channel).copied().unwrap_or(0)).collect(),
            multipliers: places().map(|channel| multipliers.get(channel).copied().unwrap_or(1.0)).collect(),
            taps: (0..steps)
                .map(|step| [0, 1, 2, 3].map(|tap| begins.get(step * STEP + tap).copied().unwrap_or(begins[0])))
                .collect(),
        }
    }
}

/// What the inner loop needs.
struct Job<'a> {
    strip: *const u8,
    pixels: &'a [u32],
    packed: &'a Packed,
    limits: (f32, f32),
    zero_point: i32,
    channels: usize,
}

pub(super) fn run(isa: Isa, depthwise: &Depthwise, packed: &Packed, strip: &[u8], output: &mut [u8]) {
    assert_eq!(isa.0, Kind::Avx512Vnni);
    let channels = depthwise.output.channels;
    let pixels = &depthwise.strips.pixels()[..output.len() / channels];
    let farthest_tap = depthwise.taps.iter().max().copied().unwrap_or_default();
    let reach = pixels.last().map_or(0, |pixel| *pixel as usize) + farthest_tap + channels;
    assert!(reach <= strip.len(), "the windows reach {reach} of {} numbers", strip.len());
    assert_eq!(output.len(), pixels.len() * channels, "numbers in the output");
    let requantization = &depthwise.config.requantization;
    let job = Job {
        strip: strip.as_ptr(),
        pixels,
        packed,
        limits: requantization.limits(),
        zero_point: i32::from(requantization.zero_point),
        channels,
    };
    for first in (0..channels).step_by(LANES) {
        // SAFETY: the processor has the instructions, because an `Isa` of that kind comes from detection only; every window
        // lies within the strip and every pixel within the output, as asserted above.
        unsafe { run_chunk(&job, first, output) }
    }
}

/// The 64 channels from `first` of all pixels.
///
/// # Safety
/// The processor has the instructions; windows lie within the strip and pixels within the output.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn run_chunk(job: &Job<'_>, first: usize, output: &mut [u8]) {
    let count = LANES.min(job.channels - first);
    let mask = if count == LANES { u64::MAX } else { (1 << count) - 1 };
    let steps = job.packed.taps.len();
    let weights = job.packed.weights[first * steps * STEP..][..LANES * steps * STEP].as_ptr();
    let bias = job.packed.bias[first..first + LANES].as_ptr();
    let multipliers = job.packed.multipliers[first..first + LANES].as_ptr();
    let mut biases = [_mm512_setzero_si512(); 4];
    let mut factors = [_mm512_setzero_ps(); 4];
    for quarter in 0..4 {
        // SAFETY: four times sixteen biases and multipliers of 64.
        unsafe {
            biases[quarter] = _mm512_loadu_si512(bias.add(16 * quarter).cast());
            factors[quarter] = _mm512_loadu_ps(multipliers.add(16 * quarter));
        }
    }
    for (index, pixel) in job.pixels.iter().enumerate() {
        let mut sums = biases;
        for (step, taps) in job.packed.taps.iter().enumerate() {
            // SAFETY: the mask leaves the channels that exist, which lie within the strip for every tap; the packed weights
            // hold 256 bytes for every step of a chunk.
            unsafe {
                let begin = job.strip.add(*pixel as usize + first);
                let [a, b, c, d] = [
                    _mm512_maskz_loadu_epi8(mask, begin.add(taps[0]).cast()),
                    _mm512_maskz_loadu_epi8(mask, begin.add(taps[1]).cast()),
                    _mm512_maskz_loadu_epi8(mask, begin.add(taps[2]).cast()),
                    _mm512_maskz_loadu_epi8(mask, begin.add(taps[3]).cast()),
                ];
                let (low_ab, high_ab) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
                let (low_cd, high_cd) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
                let weights = weights.add(step * LANES * STEP);
                let quarters = [
                    _mm512_unpacklo_epi16(low_ab, low_cd),
                    _mm512_unpackhi_epi16(low_ab, low_cd),
                    _mm512_unpacklo_epi16(high_ab, high_cd),
                    _mm512_unpackhi_epi16(high_ab, high_cd),
                ];
                for quarter in 0..4 {
                    let weights = _mm512_loadu_si512(weights.add(64 * quarter).cast());
                    sums[quarter] = _mm512_dpbusd_epi32(sums[quarter], quarters[quarter], weights);
                }
            }
        }
        let mut words = [_mm512_setzero_si512(); 4];
        for quarter in 0..4 {
            words[quarter] = requantize(sums[quarter], factors[quarter], job.limits, job.zero_point);
        }
        let bytes = _mm512_packus_epi16(_mm512_packs_epi32(words[0], words[1]), _mm512_packs_epi32(words[2], words[3]));
        let output = output[index * job.channels + first..].as_mut_ptr();
        // SAFETY: the mask leaves the channels that exist, and the output holds all channels of all pixels.
        unsafe { _mm512_mask_storeu_epi8(output.cast(), mask, bytes) }
    }
}
