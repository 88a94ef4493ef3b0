//! Weights in the order in which a variant reads them.
//!
//! ```text
//! for every group of output channels (16 · vectors)
//!   for every run, for every step of a run
//!     for every vector of 16 channels: [16 channels][taps per step] bytes
//! ```
//!
//! A step is as many contiguous taps as one instruction multiplies: 8 for i8mm, 4 for VNNI, 2 for AVX2, 1 for plain Rust. Runs are
//! filled up with zero weights to whole steps, channels to whole vectors.

use super::ConvolutionConfig;
use super::strip::{Order, Reading};

/// Output channels of one vector.
pub(super) const LANES: usize = 16;

/// Weights, biases and multipliers of a convolution.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    weights: Vec<CacheLine>,
    groups: Vec<Group>,
    bias: Vec<i32>,
    multipliers: Vec<f32>,
    runs: usize,
    steps: usize,
    step_len: usize,
}

/// Output channels that one pass over the strip computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// The first channel.
    pub(super) first: usize,
    /// Vectors of 16 channels.
    pub(super) vectors: usize,
    /// Where its weights begin.
    begin: usize,
}

/// Weights are read by whole vectors; one that straddles two cache lines is read at half the speed.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([i8; 64]);

impl Packed {
    /// Packs weights `[outputs, channels, rows, columns]` whose runs have `taps_per_run` taps.
    pub(super) fn new(
        config: &ConvolutionConfig,
        weights: &[i8],
        bias: &[i32],
        taps_per_run: usize,
        reading: Reading,
    ) -> Self {
        let Reading { step_len, vectors: most_vectors, order, .. } = reading;
        let (channels, outputs) = (config.input.channels, config.outputs);
        let [rows, columns] = config.window.kernel;
        let taps = rows * columns * channels;
        let (runs, steps) = (taps / taps_per_run, taps_per_run.div_ceil(step_len));
        let vectors = outputs.div_ceil(LANES);
        let mut packed = Vec::with_capacity(vectors * LANES * runs * steps * step_len);
        let mut groups = Vec::new();
        // The tap at `place` in NHWC order, of an output channel, in the order that ONNX stores.
        let weight = |output: usize, place: usize| {
            let (tap, channel) = (place / channels, place % channels);
            weights[(output * channels + channel) * rows * columns + tap]
        };
        let mut first_vector = 0;
        while first_vector < vectors {
            let group = Group {
                first: first_vector * LANES,
                vectors: (vectors - first_vector).min(most_vectors),
                begin: packed.len(),
            };
            for run in 0..runs {
                for step in 0..steps {
                    for place in 0..group.vectors * LANES * step_len {
                        let (lane, tap) = place_in_step(order, step_len, place);
                        let (output, tap) = (group.first + lane, step * step_len + tap);
                        let exists = output < outputs && tap < taps_per_run;
                        packed.push(if exists { weight(output, run * taps_per_run + tap) } else { 0 });
                    }
                }
            }
            first_vector += group.vectors;
            groups.push(group);
        }
        let padded = |length: usize| vectors * LANES - length;
        let multipliers = &config.requantization.multipliers;
        Self {
            weights: packed
                .chunks(64)
                .map(|chunk| {
                    let mut line = CacheLine([0; 64]);
                    line.0[..chunk.len()].copy_from_slice(chunk);
                    line
                })
                .collect(),
            groups,
            bias: [bias, &vec![0; padded(outputs)]].concat(),
            multipliers: [multipliers.as_slice(), &vec![1.0; padded(outputs)]].concat(),
            runs,
            steps,
            step_len,
        }
    }

    /// The groups, first channel first.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The weights of a group.
    pub(super) fn weights(&self, group: &Group) -> &[i8] {
        // SAFETY: a cache line is 64 bytes without gaps, and any byte is an i8.
        let all = unsafe { std::slice::from_raw_parts(self.weights.as_ptr().cast::<i8>(), self.weights.len() * 64) };
        &all[group.begin..group.begin + self.runs * self.run_len() * group.vectors * LANES]
    }

    /// The biases of a vector of a group.
    pub(super) fn bias(&self, group: &Group, vector: usize) -> &[i32; LANES] {
        lanes(&self.bias, group.first + vector * LANES)
    }

    /// The multipliers of a vector of a group.
    pub(super) fn multipliers(&self, group: &Group, vector: usize) -> &[f32; LANES] {
        lanes(&self.multipliers, group.first + vector * LANES)
    }

    /// Runs of a window.
    pub(super) fn runs(&self) -> usize {
        self.runs
    }

    /// Steps of a run.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Numbers that are read of each run: whole steps.
    pub(super) fn run_len(&self) -> usize {
        self.steps * self.step_len
    }

    /// Output channels, in whole vectors.
    pub(super) fn channels(&self) -> usize {
        self.bias.len()
    }
}

/// Which channel and tap of a step lies at `place`.
fn place_in_step(order: Order, step_len: usize, place: usize) -> (usize, usize) {
    match order {
        Order::Whole => (place / step_len, place % step_len),
        // 16 bytes: channels 0 0 1 1 2 2 3 3 with taps 0 1, then again with taps 2 3.
        Order::Pairs => (place / 16 * 4 + place % 8 / 2, place % 16 / 8 * 2 + place % 2),
    }
}

fn lanes<Number>(numbers: &[Number], begin: usize) -> &[Number; LANES] {
    numbers[begin..].first_chunk().unwrap_or_else(|| unreachable!("packed in whole vectors"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tap_of_every_channel_has_a_place_of_its_own_in_a_step() {
        for (order, step_len) in
            [(Order::Whole, 1), (Order::Whole, 2), (Order::Whole, 4), (Order::Whole, 8), (Order::Pairs, 4)]
        {
            let mut places: Vec<_> = (0..LANES * step_len).map(|place| place_in_step(order, step_len, place)).collect();
            places.sort_unstable();
            let expected: Vec<_> = (0..LANES).flat_map(|lane| (0..step_len).map(move |tap| (lane, tap))).collect();
            assert_eq!(places, expected, "{order:?}, {step_len}");
        }
        assert_eq!(
            [0, 1, 2, 8, 9, 16].map(|place| place_in_step(Order::Pairs, 4, place)),
            [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (4, 0),]
        );
    }
}
