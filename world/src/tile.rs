//! One square of texture that repeats without a seam, kept at every resolution so that it never flickers.
//!
//! A tile is a picture on a torus with mean 0 and standard deviation 1/3, and its pyramid of 2×2 means. A pixel sees
//! an elongated patch of a surface; the tile is averaged over that patch: the pyramid level takes the patch's short side,
//! up to [`MAX_TAPS`] samples its long side. Detail finer than a pixel thereby fades to the mean, as in a real camera.
//!
//! Coordinates are in repeats: the tile covers `[0, 1) × [0, 1)`.

use parry3d::glamx::Vec2;

/// Samples along the long side of a patch; past this, the level gets coarser instead. Eight keeps ground seen at 7° sharp.
const MAX_TAPS: f32 = 8.0;

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
    levels: Vec<Vec<f32>>,
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
        let mut levels = vec![texels];
        let mut side = size;
        while side > 1 {
            let finer = levels.last().expect("a pyramid has a base");
            levels.push(halved(finer, side));
            side /= 2;
        }
        Self { levels, size }
    }

    /// Mean over a patch around `at` (in metres, as `footprint`) of the tile repeated every `metres`.
    pub(crate) fn mean_over(&self, at: Vec2, footprint: Footprint, metres: Vec2) -> f32 {
        let (at, footprint) = (at / metres, footprint.in_repeats(metres));
        let long = footprint.along.length().max(footprint.across);
        let taps = (long / footprint.across).ceil().clamp(1.0, MAX_TAPS);
        let width = footprint.across.max(long / taps);
        if width >= 0.5 {
            return 0.0; // the patch covers the tile: its mean
        }
        let level = (width * self.size as f32).log2().max(0.0);
        if taps < 1.5 {
            return self.at_level(at, level);
        }
        let step = footprint.along / taps;
        let first = at - footprint.along * 0.5 + step * 0.5;
        let sum: f32 = (0..taps as usize).map(|tap| self.at_level(first + step * tap as f32, level)).sum();
        sum / taps
    }

    /// Trilinear sample.
    fn at_level(&self, at: Vec2, level: f32) -> f32 {
        let lower = level as usize;
        let part = level - lower as f32;
        let fine = self.bilinear(at, lower);
        if part < 0.02 { fine } else { fine + (self.bilinear(at, lower + 1) - fine) * part }
    }

    fn bilinear(&self, at: Vec2, level: usize) -> f32 {
        let level = level.min(self.levels.len() - 1);
        let texels = &self.levels[level];
        let side = self.size >> level;
        let mask = side as i32 - 1;
        let (x, y) = (at.x * side as f32 - 0.5, at.y * side as f32 - 0.5);
        let (x_floor, y_floor) = (x.floor(), y.floor());
        let (fx, fy) = (x - x_floor, y - y_floor);
        let (x0, y0) = ((x_floor as i32) & mask, (y_floor as i32) & mask);
        let (x1, y1) = ((x0 + 1) & mask, (y0 + 1) & mask);
        let texel = |x: i32, y: i32| texels[y as usize * side + x as usize];
        let top = texel(x0, y0) + (texel(x1, y0) - texel(x0, y0)) * fx;
        let bottom = texel(x0, y1) + (texel(x1, y1) - texel(x0, y1)) * fx;
        top + (bottom - top) * fy
    }
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
            let (here, there) = (tile.mean_over(at, patch, Vec2::ONE), tile.mean_over(at + Vec2::new(3.0, -2.0), patch, Vec2::ONE));
            assert!((here - there).abs() < 1e-4);
        }
    }
}
