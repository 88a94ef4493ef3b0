//! What a surface looks like: two colours mixed by layers of texture, and regular work on top (bricks, boards, windows).
//!
//! albedo = mix(dark, light, ½ + ½ Σ amountᵢ · tileᵢ), drawn towards `tint` by a slow layer
//!
//! Every part is averaged over the patch that a pixel sees. Colours are linear reflectances.
//!
//! *Invariant:* no class owns a colour. Greys, browns and greens are shared out over paths, walls, fences, cars, clothes and
//! plants by the place's seed; what differs between classes is texture and shape.

use crate::random::cell_value;
use crate::tile::Footprint;
use crate::tiles::{Kind, tile};
use parry3d::glamx::{Vec2, Vec3};

/// A layer of texture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub(crate) kind: Kind,
    /// Size of one repeat along u and v.
    pub(crate) metres: Vec2,
    /// Weight; the tile has standard deviation 1/3.
    pub(crate) amount: f32,
}

/// Rows of equal pieces with joints: bricks, slabs, boards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Courses {
    /// Size of a piece with its joint, metres.
    pub(crate) piece: Vec2,
    /// Width of the joint, metres; zero along an axis means none.
    pub(crate) joint: Vec2,
    /// Shift of every second row, as a part of a piece.
    pub(crate) stagger: f32,
    /// Colour of the joint.
    pub(crate) joint_color: Vec3,
    /// How much pieces differ in brightness.
    pub(crate) variation: f32,
}

/// Windows in rows and columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    /// Distance from window to window, metres.
    pub(crate) pitch: Vec2,
    /// Size of a window with its frame, metres.
    pub(crate) size: Vec2,
    pub(crate) glass: Vec3,
    pub(crate) frame: Vec3,
}

/// How a surface answers light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Finish {
    /// Lambert.
    Matte,
    /// Leaves and grass let light through: softer terminator.
    Soft,
    /// Lambert plus a highlight of this strength.
    Glossy(f32),
}

/// What a surface looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Material {
    pub(crate) dark: Vec3,
    pub(crate) light: Vec3,
    pub(crate) tint: Vec3,
    pub(crate) layers: [Layer; 3],
    /// How far the slow layer (the last) draws towards `tint`.
    pub(crate) tint_amount: f32,
    pub(crate) courses: Option<Courses>,
    pub(crate) windows: Option<Windows>,
    pub(crate) finish: Finish,
}

impl Material {
    /// A surface around `color` with contrast `range` (0.5: half as dark to half as bright again).
    pub(crate) fn around(color: Vec3, range: f32, layers: [Layer; 3]) -> Self {
        Self {
            dark: color * (1.0 - range),
            light: color * (1.0 + range),
            tint: color,
            layers,
            tint_amount: 0.0,
            courses: None,
            windows: None,
            finish: Finish::Matte,
        }
    }

    /// Reflectance averaged over the patch around `at` (metres).
    pub(crate) fn albedo(&self, at: Vec2, patch: Footprint) -> Vec3 {
        let layer = |layer: Layer| tile(layer.kind).mean_over(at, patch, layer.metres);
        let slow = layer(self.layers[2]);
        let mut value = slow * self.layers[2].amount;
        for one in &self.layers[..2] {
            if one.amount != 0.0 {
                value += one.amount * layer(*one);
            }
        }
        let mut color = self.dark.lerp(self.light, (0.5 + 0.5 * value).clamp(0.0, 1.3));
        color = color.lerp(self.tint, ((0.3 + slow) * self.tint_amount).clamp(0.0, 1.0));
        if let Some(courses) = &self.courses {
            color = courses.over(color, at, patch);
        }
        if let Some(windows) = &self.windows {
            color = windows.over(color, at, patch);
        }
        color
    }
}

impl Courses {
    fn over(&self, color: Vec3, at: Vec2, patch: Footprint) -> Vec3 {
        let row = (at.y / self.piece.y).floor();
        let shifted = Vec2::new(at.x + (row as i32 & 1) as f32 * self.stagger * self.piece.x, at.y);
        let column = (shifted.x / self.piece.x).floor();
        let width = extent(patch);
        // Pieces smaller than the patch blend into their mean.
        let seen = (1.3 - (width / self.piece).max_element()).clamp(0.0, 1.0);
        let color = color * (1.0 + self.variation * seen * cell_value(column as i32, row as i32));
        let across = stripe(shifted.x, self.piece.x, self.joint.x, width.x);
        let along = stripe(at.y, self.piece.y, self.joint.y, width.y);
        color.lerp(self.joint_color, 1.0 - (1.0 - across) * (1.0 - along))
    }
}

impl Windows {
    fn over(&self, color: Vec3, at: Vec2, patch: Footprint) -> Vec3 {
        const FRAME_M: f32 = 0.09;
        let width = extent(patch);
        let covered = |size: Vec2| {
            let start = (self.pitch - size) * 0.5;
            stripe(at.x - start.x, self.pitch.x, size.x, width.x)
                * stripe(at.y - start.y, self.pitch.y, size.y, width.y)
        };
        let (whole, pane) = (covered(self.size), covered(self.size - Vec2::splat(2.0 * FRAME_M)));
        let cell = (at / self.pitch).floor();
        let drawn = cell_value(cell.x as i32, cell.y as i32); // curtains and lit rooms
        let middle = stripe(at.x - self.pitch.x * 0.5 + 0.03, self.pitch.x, 0.06, width.x);
        let glass = (self.glass * (1.0 + 0.7 * drawn)).lerp(self.frame, middle);
        color.lerp(self.frame, whole).lerp(glass, pane)
    }
}

/// Extent of a patch along u and v.
fn extent(patch: Footprint) -> Vec2 {
    patch.along.abs().max(Vec2::splat(patch.across))
}

/// How much of `[at - width/2, at + width/2]` lies in stripes `[0, stripe)` repeated every `period`; exact, so it cannot flicker.
pub(crate) fn stripe(at: f32, period: f32, stripe: f32, width: f32) -> f32 {
    if stripe <= 0.0 {
        return 0.0;
    }
    let up_to = |x: f32| {
        let whole = (x / period).floor();
        whole * stripe + (x - whole * period).min(stripe)
    };
    (up_to(at + 0.5 * width) - up_to(at - 0.5 * width)) / width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stripe_seen_from_far_is_its_share_of_the_period() {
        assert!((stripe(0.37, 1.0, 0.25, 50.0) - 0.25).abs() < 0.01);
        assert!((stripe(0.1, 1.0, 0.25, 0.01) - 1.0).abs() < 1e-3);
        assert!(stripe(0.5, 1.0, 0.25, 0.01).abs() < 1e-3);
        assert!((stripe(-0.9, 1.0, 0.25, 0.01) - 1.0).abs() < 1e-3);
    }
}
