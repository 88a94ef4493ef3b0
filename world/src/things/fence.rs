//! Fences of pickets, boards and rails, built panel by panel along a line.

use crate::class::Class;
use crate::parts::Parts;
use crate::random::Dice;
use crate::solid::Solid;
use parry3d::glamx::Vec2;

/// Length of a panel from post to post.
pub(crate) const PANEL_M: f32 = 1.8;

/// How a fence is built.
#[derive(Clone, Copy)]
pub(crate) enum FenceStyle {
    /// Upright slats with gaps.
    Pickets,
    /// Boards side by side.
    Boards,
    /// Two or three rails.
    Rails,
}

impl FenceStyle {
    pub(crate) fn any(dice: &mut Dice) -> Self {
        dice.pick(&[Self::Pickets, Self::Boards, Self::Rails])
    }

    fn height(self) -> f32 {
        match self {
            Self::Pickets => 1.0,
            Self::Boards => 1.55,
            Self::Rails => 1.1,
        }
    }
}

/// A panel from `start` to `end`, with the post at its start.
pub(crate) fn panel(solids: &mut Vec<Solid>, start: Vec2, end: Vec2, style: FenceStyle, wood: usize) {
    let along = end - start;
    let (length, yaw) = (along.length(), along.y.atan2(along.x));
    let height = style.height();
    let mut fence = Parts::of(solids, Class::Fence, start, yaw);
    fence.block([0.0, 0.0, height * 0.53], [0.055, 0.055, height * 0.53], [0.9, 0.9], wood);
    let rails: &[f32] = match style {
        FenceStyle::Rails => &[0.35, 0.68, 1.0],
        FenceStyle::Pickets => &[0.25, 0.8],
        FenceStyle::Boards => &[0.3, 1.3],
    };
    for &rail in rails {
        let thick = if matches!(style, FenceStyle::Rails) { 0.07 } else { 0.045 };
        fence.block([length * 0.5, 0.03, rail], [length * 0.5, 0.025, thick], [1.0, 1.0], wood);
    }
    let (slats, share) = match style {
        FenceStyle::Rails => return,
        FenceStyle::Pickets => (10.0, 0.58),
        FenceStyle::Boards => (10.0, 0.93),
    };
    let pitch = length / slats;
    for slat in 0..slats as u8 {
        let middle = [(f32::from(slat) + 0.5) * pitch, -0.02, height * 0.5 + 0.03];
        fence.block(middle, [pitch * share * 0.5, 0.015, height * 0.5 - 0.03], [1.0, 1.0], wood);
    }
}
