//! One square of texture that repeats without a seam, kept at every resolution so that it never flickers.
//!
//! A tile is a picture on a torus with mean 0 and standard deviation 1/3, and its pyramid of 2×2 means. A pixel sees
//! an elongated patch of a surface; the tile is averaged over that patch: the pyramid level takes the patch's short side,
//! up to [`MAX_TAPS`] samples its long side. Detail finer than a pixel thereby fades to the mean, as in a real camera.
//!
//! Texels are stored in 8 bits (steps of 1/127, finer than the sensor's noise), so that all tiles stay in the processor's cache.
//!
//! Coordinates are in repeats: the tile covers `[0, 1) × [0, 1)`.

use parry3d::glamx::Vec2;

/// Samples along the long side of a patch; past this, the level gets coarser instead. Four keeps ground seen at 14° sharp.
const MAX_TAPS: f32 = 4.0;

/// The part of a surface that one pixel sees, in the units of the surface's coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// Extent of the short side.
    pub(crate) across: f32,
    /// Direction and extent of the long side.
    pub(crate) along: Vec2,
}

impl Footprint {
    /// The same patch when a repeat is `metres` wide and high.
    fn in_repeats(self, metres: Vec2) -> Self {
        // The short side has no direction here; the smaller period keeps the filter wide enough.
        Self { across: self.across / metres.x.min(metres.y), along: self.along / metres }
    }
}

/// A seamless square of texture with its pyramid.
pub(crate) struct Tile {
    levels: Vec<Vec<i8>>,
    size: usize,
}

impl Tile {
    /// From `size * size` texels (a power of two) of any range.
    pub(crate) fn new(mut texels: Vec<f32>, size: usize) -> Self {
        let count = texels.len() as f32;
        let mean = texels.iter().sum::<f32>() / count;
        let deviation = (texels.iter().map(|t| (t - mean) * (t - mean)).sum::<f32>() / count).sqrt().max(1e-6);
        for texel in &mut texels {
            *texel = ((*texel - mean) / (3.0 * deviation)).clamp(-1.0, 1.0);
        }
        let mut levels = vec![in_bytes(&texels)];
        let mut side = size;
        while side > 1 {
            texels = halved(&texels, side);
            levels.push(in_bytes(&texels));
            side /= 2;
        }
        Self { levels, size }
    }

    /// Mean over a patch around `at` (in metres, as `footprint`) of the tile repeated every `metres`.
    pub(crate) fn mean_over(&self, at: Vec2, footprint: Footprint, metres: Vec2) -> f32 {
        let (at, footprint) = (at / metres, footprint.in_repeats(metres));
        let long = footprint.along.length().max(footprint.across);
        // A patch smaller than a texel needs no second sample.
        let texel = 1.0 / self.size as f32;
        let taps = (long / footprint.across.max(texel)).ceil().clamp(1.0, MAX_TAPS);
        let width = footprint.across.max(long / taps);
        if width >= 0.5 {
            return 0.0; // the patch covers the tile: its mean
        }
        let level = if width <= texel { 0.0 } else { (width * self.size as f32).log2() };
        let lower = level as usize;
        // Between two levels only in the middle third; elsewhere the nearer one alone is close enough and costs half.
        let part = ((level - lower as f32) * 3.0 - 1.0).clamp(0.0, 1.0);
        let step = footprint.along / taps;
        let first = at - footprint.along * 0.5 + step * 0.5;
        let mut sum = 0.0;
        for tap in 0..taps as usize {
            let at = first + step * tap as f32;
            sum += if part == 0.0 {
                self.bilinear(at, lower)
            } else if part == 1.0 {
                self.bilinear(at, lower + 1)
            } else {
                let fine = self.bilinear(at, lower);
                fine + (self.bilinear(at, lower + 1) - fine) * part
            };
        }
        sum / (taps * 127.0)
    }

    #[inline]
    fn bilinear(&self, at: Vec2, level: usize) -> f32 {
        let level = level.min(self.levels.len() - 1);
        let texels = &self.levels[level][..];
        let shift = self.size.trailing_zeros() as usize - level;
        let side = 1_i32 << shift;
        let (x, y) = (at.x * side as f32 - 0.5, at.y * side as f32 - 0.5);
        let (x_floor, y_floor) = (floor(x), floor(y));
        let (fx, fy) = (x - x_floor as f32, y - y_floor as f32);
        let mask = side - 1;
        let (x0, x1) = ((x_floor & mask) as usize, ((x_floor + 1) & mask) as usize);
        let (y0, y1) = (((y_floor & mask) as usize) << shift, (((y_floor + 1) & mask) as usize) << shift);
        let [a, b, c, d] = [y0 + x0, y0 + x1, y1 + x0, y1 + x1].map(|at| f32::from(texels[at]));
        let (top, bottom) = (a + (b - a) * fx, c + (d - c) * fx);
        top + (bottom - top) * fy
    }
}

/// Without SSE 4.1, which the build does not ask for, `f32::floor` is a function call; this is two instructions.
#[inline]
fn floor(x: f32) -> i32 {
    let toward_zero = x as i32;
    toward_zero - i32::from(x < toward_zero as f32)
}

fn in_bytes(texels: &[f32]) -> Vec<i8> {
    texels.iter().map(|texel| (texel * 127.0).round() as i8).collect()
}

fn halved(texels: &[f32], side: usize) -> Vec<f32> {
    let half = side / 2;
    let mut coarse = Vec::with_capacity(half * half);
    for y in 0..half {
        for x in 0..half {
            let at = 2 * y * side + 2 * x;
            coarse.push(0.25 * (texels[at] + texels[at + 1] + texels[at + side] + texels[at + side + 1]));
        }
    }
    coarse
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkers() -> Tile {
        Tile::new((0..64 * 64).map(|i| f32::from((i / 64 + i % 64) % 2 == 0)).collect(), 64)
    }

    #[test]
    fn detail_finer_than_the_patch_fades_to_the_mean() {
        let wide = Footprint { across: 0.1, along: Vec2::new(0.1, 0.0) };
        assert!(checkers().mean_over(Vec2::new(0.3, 0.4), wide, Vec2::ONE).abs() < 1e-3);
        let narrow = Footprint { across: 0.001, along: Vec2::new(0.001, 0.0) };
        assert!(checkers().mean_over(Vec2::splat(0.5 / 64.0), narrow, Vec2::ONE).abs() > 0.3);
    }

    #[test]
    fn a_tile_repeats_without_a_seam() {
        let tile = checkers();
        let patch = Footprint { across: 0.01, along: Vec2::new(0.03, 0.01) };
        for at in [Vec2::new(0.1, 0.9), Vec2::new(0.99, 0.01)] {
            let (here, there) =
                (tile.mean_over(at, patch, Vec2::ONE), tile.mean_over(at + Vec2::new(3.0, -2.0), patch, Vec2::ONE));
            assert!((here - there).abs() < 1e-4);
        }
    }
}
