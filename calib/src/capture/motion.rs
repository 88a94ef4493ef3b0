//! How far a board moves within one picture.
//!
//! A picture is exposed, and by a rolling shutter read, within one frame interval at most. A corner that is Δ pixels away
//! from where it was n pictures before therefore smears over at most Δ / n pixels, and the rows of the picture see the
//! board shifted against each other by no more. What is followed are the corners by their numbers.

use crate::detect::Detection;
use parallax_core::frame::Timestamp;
use std::time::Duration;

/// The farthest that corners may move within one frame interval. Half a pixel is a smear with σ = 0.5/√12 = 0.14 px,
/// which no lens is sharp enough to show, and shears a board that takes half of the picture by a quarter of a pixel: as
/// much as good corners err.
pub const STILL_PX: f64 = 0.5;
/// The longest time between two pictures that says anything about motion in between.
const LONGEST: Duration = Duration::from_secs(1);
/// Fewer common corners do not say how a board moves.
const LEAST_COMMON: usize = 6;
/// The part of the corners that moves no farther: a board that turns about its middle moves at its edges.
const PART: f64 = 0.9;

/// The moment of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The camera's running number.
    pub sequence: u64,
    /// The time.
    pub timestamp: Timestamp,
}

/// Pixels that nine tenths of the corners stay below in one frame interval; none when nothing can be said.
pub fn per_interval_px(before: (&Detection, Moment), now: (&Detection, Moment)) -> Option<f64> {
    if now.1.timestamp.since(before.1.timestamp) > LONGEST {
        return None;
    }
    let intervals = now.1.sequence.saturating_sub(before.1.sequence).max(1);
    let mut moved: Vec<f64> = now
        .0
        .corners
        .iter()
        .filter_map(|corner| {
            let known = before.0.corners.binary_search_by_key(&corner.number, |other| other.number).ok()?;
            Some((corner.pixel - before.0.corners[known].pixel).norm())
        })
        .collect();
    moved.sort_by(f64::total_cmp);
    let place = ((moved.len() as f64 * PART) as usize).min(moved.len().saturating_sub(1));
    (moved.len() >= LEAST_COMMON).then(|| moved[place] / intervals as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Corner;
    use nalgebra::Point2;

    fn board(first: usize, count: usize, shift: f64) -> Detection {
        let corner = |number: usize| Corner { number, pixel: Point2::new(20.0 * number as f64 + shift, 5.0) };
        Detection { corners: (first..first + count).map(corner).collect(), spacing_px: 20.0 }
    }

    const fn at(sequence: u64, millis: u64) -> Moment {
        Moment { sequence, timestamp: Timestamp::from_nanos(millis * 1_000_000) }
    }

    #[test]
    fn motion_is_counted_for_one_interval_whatever_was_missed() {
        let moved = |sequence, millis| {
            per_interval_px((&board(0, 20, 0.0), at(7, 100)), (&board(0, 20, 3.0), at(sequence, millis)))
        };
        assert_eq!(moved(8, 133), Some(3.0));
        assert_eq!(moved(14, 333), Some(3.0 / 7.0));
        assert_eq!(moved(60, 2000), None, "two seconds say nothing");
    }

    #[test]
    fn corners_are_followed_by_their_numbers() {
        let followed = |now: &Detection| per_interval_px((&board(0, 12, 0.0), at(0, 0)), (now, at(1, 30)));
        assert_eq!(followed(&board(6, 12, 0.25)), Some(0.25));
        assert_eq!(followed(&board(10, 12, 0.25)), None, "two common corners");
        let mut one_wrong = board(0, 12, 0.25);
        one_wrong.corners[3].pixel.y += 50.0;
        assert_eq!(followed(&one_wrong), Some(0.25));
    }
}
