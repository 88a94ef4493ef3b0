//! What values a tensor takes, gathered in one pass without knowing the range beforehand.
//!
//! Equal bins over `[−limit, limit)` with `limit` a power of two. A larger value doubles `limit` by merging bins in
//! pairs, so that nothing is read twice. At worst (all values positive, the largest just above a power of two) a
//! quarter of the bins is in use: 16 bins for each of the 256 levels.

/// Bins in a histogram.
const BINS: usize = 16_384;

/// Largest magnitude that is counted: beyond it a range's width or a squared error is no 32-bit number any more.
const LARGEST: f32 = 1e18;

/// A histogram over a symmetric range that grows by doubling.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    limit: f32,
    low: f32,
    high: f32,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BINS], limit: f32::exp2(-20.0), low: f32::INFINITY, high: f32::NEG_INFINITY, total: 0 }
    }
}

impl Histogram {
    /// Counts every value.
    ///
    /// # Errors
    /// The first value that is not finite, or so large (10¹⁸) that its square is not.
    pub fn add(&mut self, values: &[f32]) -> Result<(), f32> {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for &value in values {
            if value.is_nan() || value.abs() > LARGEST {
                return Err(value);
            }
            low = low.min(value);
            high = high.max(value);
        }
        while high >= self.limit || low < -self.limit {
            self.double();
        }
        let bins_per_unit = BINS as f32 / (2.0 * self.limit);
        for &value in values {
            let bin = ((value + self.limit) * bins_per_unit) as usize;
            self.counts[bin.min(BINS - 1)] += 1;
        }
        self.low = self.low.min(low);
        self.high = self.high.max(high);
        self.total += values.len() as u64;
        Ok(())
    }

    /// Smallest and largest value seen; `(0, 0)` before any.
    pub fn range(&self) -> (f32, f32) {
        if self.total == 0 { (0.0, 0.0) } else { (self.low, self.high) }
    }

    /// The value below which the share `quantile` of all values lies.
    pub fn quantile(&self, quantile: f64) -> f32 {
        let wanted = (quantile.clamp(0.0, 1.0) * self.total as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= wanted {
                return self.centre(bin).clamp(self.range().0, self.range().1);
            }
        }
        self.range().1
    }

    /// Bin centres with their counts, empty bins left out.
    pub fn filled(&self) -> Vec<(f32, u64)> {
        let bins = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        bins.map(|(bin, count)| (self.centre(bin), *count)).collect()
    }

    fn centre(&self, bin: usize) -> f32 {
        (bin as f32 + 0.5) * (2.0 * self.limit / BINS as f32) - self.limit
    }

    fn double(&mut self) {
        let mut merged = vec![0; BINS];
        let quarter = BINS / 4;
        for (pair, counts) in self.counts.chunks_exact(2).enumerate() {
            merged[quarter + pair] = counts[0] + counts[1];
        }
        self.counts = merged;
        self.limit *= 2.0;
    }
}
