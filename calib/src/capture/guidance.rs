//! The view to take next, in words that help someone with a board in the hands.
//!
//! Left and right are the picture's.

use super::placement::Placement;
use crate::uncertainty::{NextView, Side, TILT_DEGREES, place_in_words};
use serde::Serialize;

/// A view that should be taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Wish {
    /// Where the board's middle should be, as parts of the picture's width and height.
    pub place: (f64, f64),
    /// How much of the picture's width the board should take up.
    pub size: f64,
    /// Which edge should be tilted away.
    #[serde(skip)]
    pub away: Option<Side>,
}

impl From<NextView> for Wish {
    fn from(NextView { place, size, away, .. }: NextView) -> Self {
        Self { place, size, away }
    }
}

/// How far a wished tilt goes, radians.
const TILT_RAD: f64 = TILT_DEGREES.to_radians();
/// A board is as near as it should be within this factor.
const AS_NEAR: f64 = 1.2;

const fn wish(x: f64, y: f64, size: f64, away: Option<Side>) -> Wish {
    Wish { place: (x, y), size, away }
}

/// Views that any camera needs, in an order that determines it early: tilted to every side, then the corners of the picture.
const FIRST: [Wish; 10] = [
    wish(0.5, 0.5, 0.5, None),
    wish(0.5, 0.5, 0.5, Some(Side::Left)),
    wish(0.5, 0.5, 0.5, Some(Side::Right)),
    wish(0.5, 0.5, 0.5, Some(Side::Top)),
    wish(0.5, 0.5, 0.5, Some(Side::Bottom)),
    wish(0.25, 0.25, 0.4, Some(Side::Left)),
    wish(0.75, 0.25, 0.4, Some(Side::Top)),
    wish(0.75, 0.75, 0.4, Some(Side::Right)),
    wish(0.25, 0.75, 0.4, Some(Side::Bottom)),
    wish(0.5, 0.5, 0.8, None),
];

impl Wish {
    /// The first of the views that any camera needs, of which none was taken.
    pub(super) fn before_anything_is_known(kept: &[Placement]) -> Self {
        let is_open = |wish: &&Self| kept.iter().all(|kept| kept.difference(&wish.placement()) >= 1.0);
        *FIRST.iter().find(is_open).unwrap_or(&FIRST[0])
    }

    /// Where such a view has the board.
    pub fn placement(&self) -> Placement {
        let tilt = match self.away {
            None => (0.0, 0.0),
            Some(Side::Left) => (TILT_RAD, 0.0),
            Some(Side::Right) => (-TILT_RAD, 0.0),
            Some(Side::Top) => (0.0, TILT_RAD),
            Some(Side::Bottom) => (0.0, -TILT_RAD),
        };
        Placement { place: self.place, size: self.size, tilt }
    }

    /// In words, for a board that is held so now.
    pub fn words(&self, now: Option<&Placement>) -> String {
        let tilt = self.away.map_or_else(
            || "hold the board facing the camera".to_owned(),
            |side| format!("tilt the board's {side} edge away"),
        );
        let place = place_in_words(self.place);
        let size = match now.map(|now| self.size / now.size) {
            Some(factor) if factor > AS_NEAR => "closer".to_owned(),
            Some(factor) if factor < 1.0 / AS_NEAR => "farther away".to_owned(),
            Some(_) => "as near as it is".to_owned(),
            None => format!("{:.0} % of its width", self.size * 100.0),
        };
        format!("{tilt}, {place} of the picture, {size}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_tilt_place_and_distance() {
        let next = wish(0.78, 0.22, 0.5, Some(Side::Left));
        let now = |size| Placement { place: (0.5, 0.5), size, tilt: (0.0, 0.0) };
        let said = next.words(Some(&now(0.3)));
        assert_eq!(said, "tilt the board's left edge away, in the top right corner of the picture, closer");
        assert!(next.words(Some(&now(0.9))).ends_with("farther away"));
        assert!(next.words(Some(&now(0.5))).ends_with("as near as it is"));
        assert!(next.words(None).ends_with("50 % of its width"));
    }

    #[test]
    fn the_first_views_are_asked_for_one_after_the_other_and_all_differ() {
        let mut kept = Vec::new();
        for expected in FIRST {
            assert_eq!(Wish::before_anything_is_known(&kept), expected);
            kept.push(expected.placement());
        }
    }
}
