//! What a kept frame is worth when there is no room for all.
//!
//! ```text
//! value = min(parallax / 2.5 px, 2) · sharpness · novelty            of a frame; of a file: their sum, per byte
//! ```
//!
//! Parallax beyond twice the target makes no better pair. The first frame of a snippet has none and is worth nothing by itself;
//! in stereo each frame is a pair of its own, of full parallax. Novelty is how different a frame looks from all kept before:
//!
//! ```text
//! novelty = min(1, d / 0.35),   d = √((1 − ρ) / 2),   ρ the highest correlation of 12×8 grey levels with an earlier place
//! ```
//!
//! On a street of KITTI, other places are 0.29 and more away, a second pass of the same ones (by the frames in between) 0.08 to
//! 0.21, and the frames around one less than that; so frames of the last moments do not count as earlier places.

use std::collections::VecDeque;

use parallax_vision::footage::TARGET_PARALLAX_PX;
use parallax_vision::optical_flow::GrayPicture;

/// Parallax, in targets, beyond which more of it is worth no more.
const MOST_PARALLAX: f64 = 2.0;
/// Distance from which on a place is entirely new.
const NEW: f64 = 0.35;
/// Novelty at least: what was seen often still teaches a little.
const LEAST_NOVELTY: f64 = 0.05;
/// Cells of a signature.
const COLUMNS: usize = 12;
const ROWS: usize = 8;
/// Kept frames that a place must be past to count as an earlier one: half a minute and more of driving.
const RECENT: usize = 60;
/// Places remembered; beyond it every second one is forgotten.
const MOST_PLACES: usize = 2048;

/// How a place looks: grey levels of few cells, without their mean, of length 1.
type Signature = [f32; COLUMNS * ROWS];

/// The places that kept frames show.
#[derive(Debug, Default)]
pub struct Places {
    known: Vec<Signature>,
    recent: VecDeque<Signature>,
}

impl Places {
    /// How new a frame is, 0.05 to 1; it becomes a known place.
    pub fn novelty(&mut self, picture: &GrayPicture) -> f64 {
        let signature = signature(picture);
        let alike = |place: &Signature| place.iter().zip(&signature).map(|(a, b)| a * b).sum::<f32>();
        let highest = self.known.iter().map(alike).fold(-1.0, f32::max);
        self.recent.push_back(signature);
        if self.recent.len() > RECENT {
            self.known.extend(self.recent.pop_front());
        }
        if self.known.len() > MOST_PLACES {
            let mut at = 0;
            self.known.retain(|_| {
                at += 1;
                at % 2 == 0
            });
        }
        let distance = (f64::from(1.0 - highest).max(0.0) / 2.0).sqrt();
        (distance / NEW).clamp(LEAST_NOVELTY, 1.0)
    }
}

/// The value of a frame; see the module.
pub fn value(parallax_px: Option<f64>, has_right: bool, sharpness: f64, novelty: f64) -> f64 {
    let parallax = parallax_px.map_or(0.0, |px| (px / TARGET_PARALLAX_PX).min(MOST_PARALLAX));
    let parallax = if has_right { parallax.max(1.0) } else { parallax };
    parallax * sharpness * novelty
}

fn signature(picture: &GrayPicture) -> Signature {
    let mut cells = [0.0_f32; COLUMNS * ROWS];
    let edge = |part: usize, parts: usize, side: usize| part * side / parts;
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let (top, bottom) = (edge(row, ROWS, picture.height), edge(row + 1, ROWS, picture.height));
            let (left, right) = (edge(column, COLUMNS, picture.width), edge(column + 1, COLUMNS, picture.width));
            let lines = (top..bottom).map(|y| &picture.values[y * picture.width..][left..right]);
            let sum: f32 = lines.flatten().sum();
            cells[row * COLUMNS + column] = sum / ((bottom - top) * (right - left)).max(1) as f32;
        }
    }
    let mean = cells.iter().sum::<f32>() / cells.len() as f32;
    cells.iter_mut().for_each(|cell| *cell -= mean);
    let length = cells.iter().map(|cell| cell * cell).sum::<f32>().sqrt().max(1e-6);
    cells.map(|cell| cell / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(seed: usize) -> GrayPicture {
        let value =
            |at: usize| ((at / 8 * 31 + at % 96 / 8 * 17 + seed * 101).wrapping_mul(2_654_435_761) >> 9 & 255) as f32;
        GrayPicture { width: 96, height: 64, values: (0..96 * 64).map(value).collect() }
    }

    #[test]
    fn what_was_seen_long_ago_is_less_new_than_another_place() {
        let mut places = Places::default();
        for index in 0..=RECENT {
            assert_eq!(places.novelty(&place(index)), 1.0, "nothing was seen before");
        }
        assert_eq!(places.novelty(&place(0)), LEAST_NOVELTY);
        assert!(places.novelty(&place(500)) > 0.8);
    }

    #[test]
    fn a_sharp_new_frame_with_parallax_is_worth_most() {
        let best = value(Some(6.0), false, 0.8, 1.0);
        assert_eq!(best, 1.6);
        for less in
            [value(Some(2.5), false, 0.8, 1.0), value(Some(6.0), false, 0.5, 1.0), value(Some(6.0), false, 0.8, 0.3)]
        {
            assert!(less < best);
        }
        assert_eq!((value(None, false, 0.8, 1.0), value(None, true, 0.8, 1.0)), (0.0, 0.8));
    }
}
