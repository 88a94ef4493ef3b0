//! Chance that is the same on every run: hashes for "what does brick (i, j) look like", streams for "what stands where".

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// SplitMix64 finaliser over a seed and a key. Reference: Steele, Lea, Flood, *Fast Splittable Pseudorandom Number
/// Generators*, OOPSLA 2014.
pub(crate) fn hash(seed: u64, key: u64) -> u64 {
    let mut z = seed ^ key.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in `[-1, 1)` that belongs to cell `(column, row)`.
pub(crate) fn cell_value(column: i32, row: i32) -> f32 {
    let key = (u64::from(column as u32) << 32) | u64::from(row as u32);
    (hash(0x7061_7261, key) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// A stream of choices for one purpose; streams for different purposes do not disturb each other.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of `seed` for `purpose`.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let key = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |key, byte| hash(key, u64::from(byte)));
        Self(ChaCha8Rng::seed_from_u64(hash(seed, key)))
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.random::<f32>()
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.0.random::<f32>() < probability
    }

    /// An index below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// One of `choices`.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// An angle in `[0, 2π)`.
    pub(crate) fn angle(&mut self) -> f32 {
        self.between(0.0, std::f32::consts::TAU)
    }
}

/// Standard normal numbers from a hash, four uniforms summed: tails end at ±3.5, which a sensor's noise may.
pub(crate) fn gaussian_from_hash(hash: u64) -> f32 {
    let part = |shift: u32| ((hash >> shift) & 0xffff) as f32 / 65536.0;
    // The sum of four uniforms has mean 2 and variance 4/12; 1.732 scales it to variance 1.
    (part(0) + part(16) + part(32) + part(48) - 2.0) * 1.732
}
