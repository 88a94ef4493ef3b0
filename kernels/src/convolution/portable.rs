//! A strip times the packed weights, in plain Rust: what every other variant must equal.

use super::Job;
use super::packing::LANES;
use crate::requantization::requantize;

/// Pixels computed together: each weight that is read is used for all of them.
const PIXELS: usize = 4;

pub(super) fn run(job: Job<'_, u8>) {
    let Job { strip, pixels, runs, packed, limits, zero_point, channels, output } = job;
    for group in packed.groups() {
        let (weights, bias) = (packed.weights(group), packed.bias(group, 0));
        let multipliers = packed.multipliers(group, 0);
        let used = LANES.min(channels - group.first);
        for (tile, pixels) in pixels.chunks(PIXELS).enumerate() {
            let mut sums = [*bias; PIXELS];
            for (run, weights) in runs.iter().zip(weights.chunks_exact(packed.run_len() * LANES)) {
                for (sums, pixel) in sums.iter_mut().zip(pixels) {
                    let begin = *pixel as usize + *run as usize;
                    add_run(sums, &strip[begin..begin + packed.run_len()], weights);
                }
            }
            for (index, sums) in sums.iter().take(pixels.len()).enumerate() {
                let begin = (tile * PIXELS + index) * channels + group.first;
                for (lane, output) in output[begin..begin + used].iter_mut().enumerate() {
                    *output = requantize(sums[lane], multipliers[lane], limits, zero_point);
                }
            }
        }
    }
}

fn add_run(sums: &mut [i32; LANES], run: &[u8], weights: &[i8]) {
    for (value, weights) in run.iter().zip(weights.as_chunks::<LANES>().0) {
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += i32::from(*value) * i32::from(*weight);
        }
    }
}
