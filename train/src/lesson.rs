//! What the pictures of a run can teach at all: a run on a black, a standing or a doubled picture ends like any other, and
//! has learned nothing.
//!
//! ```text
//! a picture shows nothing       5 % to 95 % of its brightness span less than 16 grey levels
//! a pair shows no change        9 of 10 corners move less than 0.3 px; where the motion is to be learned, also when they move by
//!                               3 px or more and the best rotation leaves less than that of them
//! a run's purpose is missed     less than one in twenty of the targets looked at shows something to learn
//! ```
//!
//! The pictures are looked at as training sees them, at its size and in its windows. The bounds are far below those of
//! `parallax-train doctor`, which says what is *poor*: here a run is told that it was in vain.

use image::RgbImage;
use parallax_core::camera::Intrinsics;
use parallax_vision::footage::statistics::quantile;
use parallax_vision::footage::{Followed, LEAST_PARALLAX_PX, Sight};
use parallax_vision::optical_flow::{GrayPicture, Pyramid, RotationFit};

/// Targets that are looked at, spread over the run: half a second of work.
pub(crate) const TARGETS: usize = 48;

/// Fewer grey levels than this between the 5th and the 95th percentile are a covered lens or a lamp that is off: noise of an
/// amplified sensor spans ten.
const LEAST_LEVELS: f64 = 16.0;

/// Corners that must be followed for their motion to count.
const FEWEST_TRACKS: usize = 8;

/// Smaller motions of a flat wall look like a turn, pixels.
const LEAST_TURN_PX: f64 = 3.0;

/// What an error of 3 % in the focal length leaves of a turn.
const TURN_SHARE: f64 = 0.03;

/// Part of the time from frame to frame by which the eyes of a pair may be apart: as the doctor fails it.
const MOST_APART: f64 = 0.25;
/// From here on it is worth a word.
const WORTH_A_WORD: f64 = 0.05;
/// Part of the targets that must show something.
const LEAST_TEACHING: f64 = 0.05;

/// What one target has for its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shown {
    /// It is of one brightness.
    Nothing,
    /// Every picture that it is compared with shows the same from the same place.
    NoChange,
    /// Nothing was measured in it.
    NoDepth,
    /// There is something to learn.
    Something,
}

/// What was found in the targets of a run, for one thing to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// What they were looked at for: `video`, `stereo` and so on.
    pub subject: &'static str,
    targets: usize,
    nothing: usize,
    no_change: usize,
    no_depth: usize,
    /// By which part of the time from frame to frame the eyes of a pair are apart, thousandths.
    eyes_apart: u32,
}

impl Lesson {
    /// Before any target.
    pub(crate) fn of(subject: &'static str) -> Self {
        Self { subject, targets: 0, nothing: 0, no_change: 0, no_depth: 0, eyes_apart: 0 }
    }

    /// After the first target.
    pub(crate) fn first(subject: &'static str, shown: Shown) -> Self {
        let mut lesson = Self::of(subject);
        lesson.add(shown);
        lesson
    }

    /// Takes note of eyes that are apart in time, by a part of the time from frame to frame.
    pub(crate) fn note_eyes_apart(&mut self, periods: f64) {
        self.eyes_apart = self.eyes_apart.max((1e3 * periods) as u32);
    }

    /// Takes note of a target.
    pub(crate) fn add(&mut self, shown: Shown) {
        self.targets += 1;
        match shown {
            Shown::Nothing => self.nothing += 1,
            Shown::NoChange => self.no_change += 1,
            Shown::NoDepth => self.no_depth += 1,
            Shown::Something => {}
        }
    }

    /// What a run suffers from without missing its purpose.
    pub(crate) fn drawback(&self) -> Option<String> {
        let periods = f64::from(self.eyes_apart) / 1e3;
        (WORTH_A_WORD..=MOST_APART).contains(&periods).then(|| {
            format!(
                "the eyes' pictures are {periods:.2} of the time from frame to frame apart: what moves comes out at a wrong depth"
            )
        })
    }

    /// Why a run with these pictures misses its purpose; none where it does not.
    #[must_use]
    pub fn shortcoming(&self) -> Option<String> {
        let Self { subject, targets, nothing, no_change, no_depth, eyes_apart } = *self;
        let periods = f64::from(eyes_apart) / 1e3;
        if periods > MOST_APART {
            return Some(format!(
                "{subject} teaches wrong depth here: the eyes' pictures are {periods:.2} of the time from frame to frame apart"
            ));
        }
        let teaching = targets - nothing - no_change - no_depth;
        if teaching as f64 >= LEAST_TEACHING * targets as f64 {
            return None;
        }
        let reasons = [
            (nothing, "black or of one grey"),
            (
                no_change,
                "compared with what was seen from the same place (the camera stood or only turned, or both eyes are one)",
            ),
            (no_depth, "without a measured depth"),
        ];
        let reasons = reasons.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} are {why}"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        Some(format!("{subject} can teach nothing here: of {targets} pictures that were looked at {reasons}"))
    }
}

/// A picture as it is looked at.
pub(crate) struct Look {
    sight: Sight,
    levels: f64,
}

impl Look {
    /// Of a picture at training size.
    pub(crate) fn of_picture(picture: &RgbImage) -> Self {
        Self::of(GrayPicture::from_rgb(picture))
    }

    /// Of planes `[3, height, width]` with values in 0..1.
    pub(crate) fn of_planes(planes: &[f32], width: usize) -> Self {
        let pixels = planes.len() / 3;
        let luma =
            |at: usize| 255.0 * (0.299 * planes[at] + 0.587 * planes[pixels + at] + 0.114 * planes[2 * pixels + at]);
        Self::of(GrayPicture { width, height: pixels / width, values: (0..pixels).map(luma).collect() })
    }

    fn of(gray: GrayPicture) -> Self {
        let at = |share| quantile(gray.values.iter().map(|value| f64::from(*value)), share).unwrap_or(0.0);
        let levels = at(0.95) - at(0.05);
        let pyramid = Pyramid::new(&gray);
        Self { sight: Sight { gray, pyramid }, levels }
    }

    /// What the picture has by itself.
    pub(crate) fn alone(&self) -> Shown {
        if self.levels < LEAST_LEVELS { Shown::Nothing } else { Shown::Something }
    }

    /// What it has beside `partner`. `turning` has the intrinsics where the motion between the two is to be learned: no depth
    /// follows from a turn.
    pub(crate) fn beside(&self, partner: &Self, turning: Option<&Intrinsics>) -> Shown {
        if self.alone() == Shown::Nothing {
            return Shown::Nothing;
        }
        let followed = Followed::new(&self.sight, &partner.sight);
        if followed.same {
            return Shown::NoChange;
        }
        if followed.tracks.len() < FEWEST_TRACKS {
            // Lost is not standing: a fast or a small picture may teach what corners do not tell.
            return Shown::Something;
        }
        let of_tracks = |share| quantile(followed.tracks.iter().map(|track| f64::from(track.length_px())), share);
        let fast = of_tracks(0.9).unwrap_or(0.0);
        let stood = fast < LEAST_PARALLAX_PX;
        let turned = || {
            let flow = of_tracks(0.5).filter(|flow| *flow >= LEAST_TURN_PX)?;
            let left = quantile(RotationFit::new(&followed.tracks, turning?)?.parallax_px().map(f64::from), 0.9)?;
            Some(left < LEAST_PARALLAX_PX.max(TURN_SHARE * flow))
        };
        if stood || turned() == Some(true) { Shown::NoChange } else { Shown::Something }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blobs that lie `shift` pixels to the right, under noise of `noise` grey levels.
    fn blobs(shift: f64, noise: f64) -> RgbImage {
        let mut state = 7_u32;
        RgbImage::from_fn(128, 64, |x, y| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
            let (x, y) = (f64::from(x) - shift, f64::from(y));
            let value = 128.0 + 60.0 * (x * 0.45).sin() * (y * 0.5).cos() + 30.0 * (x * 0.21 + y * 0.33).sin();
            image::Rgb([(value + noise * random).clamp(0.0, 255.0) as u8; 3])
        })
    }

    fn beside(first: &RgbImage, second: &RgbImage, turning: Option<&Intrinsics>) -> Shown {
        Look::of_picture(first).beside(&Look::of_picture(second), turning)
    }

    #[test]
    fn a_camera_that_stands_shows_no_change_with_noise_or_without() {
        assert_eq!(beside(&blobs(0.0, 0.0), &blobs(0.0, 0.0), None), Shown::NoChange);
        assert_eq!(beside(&blobs(0.0, 6.0), &blobs(0.0, 5.0), None), Shown::NoChange);
        assert_eq!(beside(&blobs(0.0, 6.0), &blobs(1.0, 5.0), None), Shown::Something);
    }

    #[test]
    fn a_black_or_even_picture_shows_nothing() {
        for level in [0, 90, 255] {
            let even = RgbImage::from_pixel(128, 64, image::Rgb([level; 3]));
            assert_eq!(beside(&even, &blobs(0.0, 0.0), None), Shown::Nothing);
            assert_eq!(Look::of_picture(&even).alone(), Shown::Nothing);
        }
        assert_eq!(Look::of_picture(&blobs(0.0, 0.0)).alone(), Shown::Something);
    }

    #[test]
    fn planes_are_looked_at_like_the_picture() {
        let picture = blobs(0.0, 0.0);
        let plane = |channel: usize| picture.pixels().map(move |pixel| f32::from(pixel[channel]) / 255.0);
        let planes: Vec<f32> = (0..3).flat_map(plane).collect();
        let look = Look::of_planes(&planes, 128);
        assert!((look.levels - Look::of_picture(&picture).levels).abs() < 0.1);
    }

    #[test]
    fn eyes_far_apart_in_time_miss_the_purpose_and_near_ones_are_told() {
        let stereo = |periods: f64| {
            let mut lesson = Lesson::first("stereo", Shown::Something);
            lesson.note_eyes_apart(periods);
            (lesson.drawback().is_some(), lesson.shortcoming())
        };
        assert_eq!(stereo(0.01), (false, None));
        assert_eq!(stereo(0.1), (true, None));
        let (is_told, shortcoming) = stereo(0.4);
        assert!(!is_told && shortcoming.is_some_and(|it| it.contains("0.40 of the time from frame to frame apart")));
    }

    #[test]
    fn one_target_in_twenty_is_enough() {
        let mut lesson = Lesson::of("video");
        (0..19).for_each(|_| lesson.add(Shown::NoChange));
        let told = lesson.shortcoming().unwrap();
        assert!(told.contains("video can teach nothing") && told.contains("of 19") && told.contains("19 are compared"));
        lesson.add(Shown::Something);
        assert_eq!(lesson.shortcoming(), None);
        assert!(Lesson::first("stereo", Shown::Nothing).shortcoming().unwrap().contains("1 are black"));
    }
}
