//! What `quantize` reads: frames to calibrate on, and labelled pictures to judge by.

use std::path::Path;

use parallax_core::labels::LabelledSet;
use parallax_core::model_input::{ModelInput, Preparer};
use parallax_core::recording::{Eye, Recording};
use parallax_quantize::{JudgedPicture, QuantizeError};

use super::BadArguments;

/// Every how many-th frame is held back from calibration to measure the noise on.
const HOLD_EVERY: usize = 5;

/// Fewest frames of which some are held back.
const FEWEST_TO_SPLIT: usize = 4;

/// Fewer frames than this say little about the ranges of what a robot sees.
const FEW: usize = 8;

/// Frames prepared as the model's input.
pub(super) struct PreparedFrames {
    pub(super) prepared: Vec<Vec<f32>>,
    /// Frames that could not be read.
    pub(super) lost: usize,
}

impl PreparedFrames {
    /// Says what is doubtful about them.
    pub(super) fn warn(&self, wanted: usize) {
        let found = self.prepared.len();
        if found < wanted.min(FEW) {
            tracing::warn!(
                "only {found} frames to calibrate on: give more footage, some {FEW} or better {wanted} frames"
            );
        }
        let blank = self.prepared.iter().filter(|frame| is_blank(frame)).count();
        if blank > 0 {
            tracing::warn!(
                "{blank} of {found} frames show one colour alone (black?): ranges taken from them say nothing"
            );
        }
    }
}

/// Whether every pixel of a `[3, height, width]` frame has the same colour.
fn is_blank(frame: &[f32]) -> bool {
    let planes = frame.chunks_exact((frame.len() / 3).max(1));
    planes.into_iter().all(|plane| plane.iter().all(|value| *value == plane[0]))
}

/// Frames of a recording, a folder of pictures or a labelled set, evenly spread and prepared as the model's input.
pub(super) fn read_frames(data: &Path, input: &ModelInput, wanted: usize) -> anyhow::Result<PreparedFrames> {
    let labelled = data.join("images").is_dir() && data.join("labels").is_dir();
    let classes = data.join("classes.toml").is_file();
    let (count, read): (usize, Box<dyn Fn(usize) -> parallax_core::Result<image::RgbImage>>) = if labelled && classes {
        let set = LabelledSet::open(data, None)?;
        (set.len(), Box::new(move |index| set.image(index)))
    } else {
        let recording = Recording::open(if labelled { data.join("images") } else { data.to_path_buf() })?;
        (recording.len(), Box::new(move |index| recording.frame(index, Eye::Left)?.to_rgb()))
    };
    let mut preparer = Preparer::new(*input);
    let mut frames = PreparedFrames { prepared: Vec::new(), lost: 0 };
    for index in evenly_spread(count, wanted) {
        match read(index) {
            Ok(picture) => {
                let mut values = vec![0.0; input.len()];
                preparer.prepare(&picture, &mut values);
                frames.prepared.push(values);
            }
            Err(error) => {
                tracing::warn!("left out: {error}");
                frames.lost += 1;
            }
        }
    }
    if frames.prepared.is_empty() {
        return Err(anyhow::Error::from(QuantizeError::NoFrames).context(data.display().to_string()));
    }
    Ok(frames)
}

/// Labelled pictures, prepared as the model's input.
pub(super) struct LabelledPictures {
    pub(super) pictures: Vec<JudgedPicture>,
    /// Pictures that could not be read.
    pub(super) lost: usize,
}

/// At most `wanted` pictures of a labelled set with the model's classes, evenly spread.
pub(super) fn read_labelled(
    labels: &Path,
    classes: Option<&Path>,
    expected: Option<&[String]>,
    input: &ModelInput,
    wanted: usize,
) -> anyhow::Result<LabelledPictures> {
    let set = LabelledSet::open(labels, classes)?;
    let found: Vec<&str> = set.classes().names().collect();
    if let Some(expected) = expected
        && found != expected
    {
        let message = format!("expected the model's classes ({}), got {}", expected.join(", "), found.join(", "));
        return Err(BadArguments::error(
            message,
            "give the classes.toml that the network was trained with as --classes",
        ));
    }
    let mut preparer = Preparer::new(*input);
    let mut read = LabelledPictures { pictures: Vec::new(), lost: 0 };
    for index in evenly_spread(set.len(), wanted) {
        match set.pair(index) {
            Ok((picture, labels)) => {
                let mut values = vec![0.0; input.len()];
                preparer.prepare(&picture, &mut values);
                read.pictures.push(JudgedPicture { input: values, labels: Some(labels) });
            }
            Err(error) => {
                tracing::warn!("left out: {error}");
                read.lost += 1;
            }
        }
    }
    if read.pictures.is_empty() {
        return Err(anyhow::Error::from(QuantizeError::NoFrames).context(labels.display().to_string()));
    }
    Ok(read)
}

/// What a normalised picture can hold whatever it shows: byte 0 and byte 255 of every channel. The input's range is this
/// and not what the calibration frames had, so that a brighter day is not clamped.
pub(super) fn input_range(input: &ModelInput) -> (f32, f32) {
    let ends = (0..3).flat_map(|channel| {
        let table = input.table(channel);
        [table[0], table[255]]
    });
    ends.fold((0.0_f32, 0.0_f32), |(low, high), value| (low.min(value), high.max(value)))
}

/// At most `wanted` positions out of `count`, from the middle of equal parts.
fn evenly_spread(count: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let wanted = wanted.min(count);
    (0..wanted).map(move |part| (2 * part + 1) * count / (2 * wanted))
}

/// Calibration frames and held frames; with too few of them none is held back.
pub(super) fn split(frames: Vec<Vec<f32>>) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    if frames.len() < FEWEST_TO_SPLIT {
        return (frames, Vec::new());
    }
    let (mut calibration, mut held) = (Vec::new(), Vec::new());
    for (index, frame) in frames.into_iter().enumerate() {
        if index % HOLD_EVERY == HOLD_EVERY / 2 { held.push(frame) } else { calibration.push(frame) }
    }
    (calibration, held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_over_the_whole_drive_without_repeats() {
        assert_eq!(evenly_spread(10, 5).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
        assert_eq!(evenly_spread(3, 64).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(evenly_spread(1000, 3).collect::<Vec<_>>(), [166, 500, 833]);
    }

    #[test]
    fn the_input_range_holds_black_and_white() {
        let (low, high) = input_range(&ModelInput::imagenet(4, 4));
        assert!((low + 0.485 / 0.229).abs() < 1e-5 && (high - (1.0 - 0.406) / 0.225).abs() < 1e-5, "{low} {high}");
    }

    #[test]
    fn a_black_frame_is_blank_and_a_single_bright_pixel_is_not() {
        let mut frame = [[-2.1; 8], [-2.0; 8], [-1.8; 8]].concat();
        assert!(is_blank(&frame));
        frame[11] = 0.0;
        assert!(!is_blank(&frame));
    }
}
