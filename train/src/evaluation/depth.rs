//! A pre-trained run scored on recordings with true depth, beside what needs no network.
//!
//! Two passes over the truth: the first draws the sample that the priors are fitted to, the second scores frame by frame, so
//! that memory does not grow with the number of frames.

use std::path::PathBuf;

use burn::module::Module as _;
use burn::tensor::Device;
use parallax_core::depth::DepthMap;
use parallax_core::model_input::ModelInput;
use parallax_core::recording::Eye;
use serde::{Deserialize, Serialize};

use super::bins::{DistanceBin, DistanceBins};
use super::crop::Crop;
use super::depth_score::{DepthScore, Pairs, Scaling, scale_of};
use super::prior::{GroundPlane, RowMedian, RowTruth};
use crate::Error;
use crate::data::Footage;
use crate::pretraining::DepthModel;
use crate::pretraining::prediction::{Views, predict};

/// How depth is scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthEvaluation {
    /// Truth nearer than this is left out, metres; predictions are raised to it.
    pub nearest: f32,
    /// Truth farther than this is left out, metres; predictions are capped to it.
    pub farthest: f32,
    /// The part of the picture that counts.
    pub crop: Crop,
    /// Which truth is taken.
    pub truth: TruthSource,
    /// Whether predictions are brought to the truth's scale.
    pub scaling: Scaling,
    /// Metres of a depth unit, where the run knows it.
    pub metres_per_unit: f32,
    /// Frames at most, spread evenly over the recordings.
    pub frames: usize,
}

/// Which of a recording's depths is the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TruthSource {
    /// Dense depth where a frame has it, else lidar.
    #[default]
    Auto,
    /// The depth topic, or a folder's `depth/`.
    Depth,
    /// The lidar topic.
    Lidar,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DepthReport {
    /// The network's scores.
    #[serde(flatten)]
    pub score: DepthScore,
    /// What needs no network.
    pub baselines: Baselines,
    /// The network's errors by true distance.
    pub bins: Vec<DistanceBin>,
    /// Frames scored.
    pub frames: usize,
    /// Pixels with truth in them.
    pub pixels: usize,
    /// Whether predictions were brought to the truth's scale.
    pub scaling: Scaling,
    /// Median over the frames of median(truth) / median(prediction): 1 for a prediction in metres.
    pub scale: f64,
    /// Standard deviation of that ratio over its median: how far the scale wanders from frame to frame.
    pub scale_spread: f64,
    /// Which truth was taken.
    pub truth: TruthSource,
    /// The part of the picture that counted.
    pub crop: Crop,
    /// Truth nearer than this was left out, metres.
    pub nearest_m: f32,
    /// Truth beyond this was left out, metres.
    pub farthest_m: f32,
    /// The frames of the largest error, worst first.
    pub worst: Vec<FrameError>,
}

/// Scores of the priors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baselines {
    /// The best constant of each image.
    pub constant: DepthScore,
    /// The best ground plane before a wall.
    pub ground_plane: DepthScore,
    /// The median of each row.
    pub row_median: DepthScore,
}

/// A frame and its error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrameError {
    /// The recording.
    pub data: PathBuf,
    /// Number of the frame in it.
    pub frame: usize,
    /// The frame's mean absolute relative error.
    pub abs_rel: f64,
    #[serde(skip)]
    pub(super) drive: usize,
}

/// A pixel with truth: its place as shares of width and height, and metres.
pub(super) struct TruePixel {
    pub(super) u: f32,
    pub(super) v: f32,
    pub(super) metres: f32,
}

/// Scores of one frame, by what was scored.
struct FrameScores {
    network: DepthScore,
    constant: DepthScore,
    plane: [DepthScore; 2],
    rows: [DepthScore; 2],
    scale: f64,
    pixels: usize,
}

/// Pixels of each frame that the priors are fitted to.
const FIT_PIXELS: usize = 2000;

/// Frames that the report names.
const WORST: usize = 6;

/// A model on footage, with all that is needed to predict a frame.
#[derive(Debug, Clone, Copy)]
pub struct Predictor<'a> {
    /// In its validation form.
    pub model: &'a DepthModel,
    /// The contract between a picture and the network.
    pub input: &'a ModelInput,
    /// The frames.
    pub footage: &'a Footage,
    /// What a prediction is made from.
    pub views: Views,
    /// Without autodiff.
    pub device: &'a Device,
}

impl Predictor<'_> {
    /// The depth of a frame, depth units.
    ///
    /// # Errors
    /// When the frame cannot be read.
    pub fn depth(&self, drive: usize, index: usize) -> Result<DepthMap, Error> {
        let values = self.normalized(drive, index)?;
        let dims = [1, 3, self.footage.height(), self.footage.width()];
        Ok(predict(self.model, &values, dims, self.views, self.device))
    }

    /// A frame as the networks see it, `[3, height, width]`.
    pub(super) fn normalized(&self, drive: usize, index: usize) -> Result<Vec<f32>, Error> {
        let frame = self.footage.frame(drive, index, Eye::Left)?;
        let mut values = vec![0.0; self.input.len()];
        self.input.normalize(&frame, &mut values);
        Ok(values)
    }

    /// Frames to look at, at most `most`, spread evenly over the recordings.
    pub(super) fn chosen_frames(&self, most: usize) -> Vec<(usize, usize)> {
        let drives = 0..self.footage.drives();
        let frames = |drive| (0..self.footage.recording(drive).len()).map(move |index| (drive, index));
        let all: Vec<(usize, usize)> = drives.flat_map(frames).collect();
        let every = all.len().div_ceil(most.max(1)).max(1);
        all.into_iter().step_by(every).collect()
    }
}

/// Scores a model on footage with true depth.
///
/// # Errors
/// When no frame has truth, or one cannot be read.
pub fn evaluate_depth(predictor: &Predictor<'_>, settings: &DepthEvaluation) -> Result<DepthReport, Error> {
    let model = predictor.model.valid();
    let predictor = Predictor { model: &model, ..*predictor };
    warn_of_bent_pictures(predictor.footage);
    let chosen = predictor.chosen_frames(settings.frames);
    let mut sample: Vec<RowTruth> = Vec::new();
    for place in &chosen {
        let pixels = true_pixels(predictor.footage, *place, settings)?;
        let every = pixels.len().div_ceil(FIT_PIXELS).max(1);
        sample.extend(pixels.iter().step_by(every).map(|pixel| [pixel.v, pixel.metres]));
    }
    if sample.is_empty() {
        return Err(no_truth(predictor.footage, settings));
    }
    let priors = (GroundPlane::fit(&sample), RowMedian::fit(&sample));
    let mut bins = DistanceBins::up_to(settings.farthest);
    let mut scores = Vec::new();
    let mut worst = Vec::new();
    for (drive, index) in chosen {
        let pixels = true_pixels(predictor.footage, (drive, index), settings)?;
        if pixels.is_empty() {
            continue;
        }
        let prediction = predictor.depth(drive, index)?;
        let frame = score_frame(&pixels, &prediction, &priors, settings, &mut bins);
        let data = predictor.footage.recording(drive).path().to_path_buf();
        worst.push(FrameError { data, frame: index, abs_rel: frame.network.abs_rel, drive });
        scores.push(frame);
    }
    report(&scores, apart(worst), &bins, settings).ok_or_else(|| no_truth(predictor.footage, settings))
}

/// True depth belongs to the picture as taken; the network sees it without the lens's distortion.
fn warn_of_bent_pictures(footage: &Footage) {
    for drive in 0..footage.drives() {
        let recording = footage.recording(drive);
        if recording.camera(Eye::Left).is_some_and(parallax_core::camera::Camera::needs_rectification) {
            let path = recording.path().display();
            tracing::warn!(
                "{path} was taken with a distorting lens: its true depth lies a few pixels off the prediction's"
            );
        }
    }
}

/// The worst frames, with some distance between them: neighbours fail alike.
fn apart(mut frames: Vec<FrameError>) -> Vec<FrameError> {
    let distance = frames.len() / (2 * WORST);
    frames.sort_by(|a, b| b.abs_rel.total_cmp(&a.abs_rel));
    let mut chosen: Vec<FrameError> = Vec::new();
    for frame in frames {
        let near = |other: &FrameError| other.drive == frame.drive && other.frame.abs_diff(frame.frame) <= distance;
        if chosen.len() < WORST && !chosen.iter().any(near) {
            chosen.push(frame);
        }
    }
    chosen
}

fn no_truth(footage: &Footage, settings: &DepthEvaluation) -> Error {
    let what = match settings.truth {
        TruthSource::Auto => "true depth",
        TruthSource::Depth => "dense true depth",
        TruthSource::Lidar => "lidar depth",
    };
    let DepthEvaluation { nearest, farthest, .. } = settings;
    Error::Data {
        what: format!("expected frames with {what} from {nearest} m to {farthest} m, found none"),
        path: footage.recording(0).path().to_path_buf(),
        hint: "score on a recording with depth or lidar, or on a folder with depth/*.png; without any, `--reconstruction` scores \
               by how well neighbouring frames are reconstructed",
    }
}

pub(super) fn truth(
    footage: &Footage,
    (drive, index): (usize, usize),
    source: TruthSource,
) -> Result<Option<DepthMap>, Error> {
    let recording = footage.recording(drive);
    let dense = if source == TruthSource::Lidar { None } else { recording.depth(index)? };
    if dense.is_some() || source == TruthSource::Depth {
        return Ok(dense);
    }
    Ok(recording.lidar(index)?)
}

pub(super) fn true_pixels(
    footage: &Footage,
    place: (usize, usize),
    settings: &DepthEvaluation,
) -> Result<Vec<TruePixel>, Error> {
    let Some(truth) = truth(footage, place, settings.truth)? else { return Ok(Vec::new()) };
    let (width, height) = (truth.width as f32, truth.height as f32);
    let [rows, columns] = settings.crop.area(truth.width, truth.height);
    let counts = settings.nearest..=settings.farthest;
    let all = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
    let measured = all.filter_map(|(x, y)| {
        let metres = truth.at(x, y).filter(|metres| counts.contains(metres))?;
        Some(TruePixel { u: (x as f32 + 0.5) / width, v: (y as f32 + 0.5) / height, metres })
    });
    Ok(measured.collect())
}

/// Depth at a place given as shares of width and height; the inverse depth is interpolated, as it is in training.
pub(super) fn read_inverse(map: &DepthMap, u: f32, v: f32) -> f32 {
    let place = |share: f32, size: u32| (share * size as f32 - 0.5).clamp(0.0, size as f32 - 1.0);
    let (x, y) = (place(u, map.width), place(v, map.height));
    let (left, top) = (x as u32, y as u32);
    let (right, bottom) = ((left + 1).min(map.width - 1), (top + 1).min(map.height - 1));
    let (s, t) = (x - left as f32, y - top as f32);
    let at = |x: u32, y: u32| map.metres[(y * map.width + x) as usize].recip();
    let upper = at(left, top) * (1.0 - s) + at(right, top) * s;
    let lower = at(left, bottom) * (1.0 - s) + at(right, bottom) * s;
    (upper * (1.0 - t) + lower * t).recip()
}

fn score_frame(
    pixels: &[TruePixel],
    prediction: &DepthMap,
    (plane, rows): &(GroundPlane, RowMedian),
    settings: &DepthEvaluation,
    bins: &mut DistanceBins,
) -> FrameScores {
    let pairs = |depth: &dyn Fn(&TruePixel) -> f32| -> Pairs {
        pixels.iter().map(|pixel| [depth(pixel), pixel.metres]).collect()
    };
    let score = |pairs: &Pairs, scaling| DepthScore::of_image(pairs, scaling).unwrap_or_default();
    let predicted = pairs(&|pixel| read_inverse(prediction, pixel.u, pixel.v) * settings.metres_per_unit);
    let scale = scale_of(&predicted);
    let factor = if settings.scaling == Scaling::Median { scale as f32 } else { 1.0 };
    let network: Pairs = predicted
        .iter()
        .map(|[depth, truth]| [(depth * factor).clamp(settings.nearest, settings.farthest), *truth])
        .collect();
    network.iter().for_each(|pair| bins.add(*pair));
    let both = |pairs: &Pairs| [score(pairs, Scaling::None), score(pairs, Scaling::Median)];
    FrameScores {
        network: score(&network, Scaling::None),
        constant: score(&pairs(&|_| 1.0), Scaling::Median),
        plane: both(&pairs(&|pixel| plane.depth(pixel.v))),
        rows: both(&pairs(&|pixel| rows.depth(pixel.v))),
        scale,
        pixels: pixels.len(),
    }
}

fn report(
    frames: &[FrameScores],
    worst: Vec<FrameError>,
    bins: &DistanceBins,
    settings: &DepthEvaluation,
) -> Option<DepthReport> {
    let mean =
        |score: &dyn Fn(&FrameScores) -> DepthScore| DepthScore::mean(&frames.iter().map(score).collect::<Vec<_>>());
    // The priors are fitted in metres; scaling each image may still help them. They get the better of the two.
    let better = |score: &dyn Fn(&FrameScores, usize) -> DepthScore| {
        let [plain, scaled] = [mean(&|frame| score(frame, 0))?, mean(&|frame| score(frame, 1))?];
        Some(if plain.abs_rel <= scaled.abs_rel { plain } else { scaled })
    };
    let mut scales: Vec<f64> = frames.iter().map(|frame| frame.scale).collect();
    scales.sort_by(f64::total_cmp);
    let scale = *scales.get(scales.len() / 2)?;
    let mean_scale = scales.iter().sum::<f64>() / scales.len() as f64;
    let variance = scales.iter().map(|scale| (scale - mean_scale).powi(2)).sum::<f64>() / scales.len() as f64;
    Some(DepthReport {
        score: mean(&|frame| frame.network)?,
        baselines: Baselines {
            constant: mean(&|frame| frame.constant)?,
            ground_plane: better(&|frame, which| frame.plane[which])?,
            row_median: better(&|frame, which| frame.rows[which])?,
        },
        bins: bins.finish(),
        frames: frames.len(),
        pixels: frames.iter().map(|frame| frame.pixels).sum(),
        scaling: settings.scaling,
        scale,
        scale_spread: variance.sqrt() / scale,
        truth: settings.truth,
        crop: settings.crop,
        nearest_m: settings.nearest,
        farthest_m: settings.farthest,
        worst,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_frames_are_not_neighbours() {
        let frame = |frame: usize| FrameError {
            data: PathBuf::new(),
            frame,
            abs_rel: if frame < 30 { 1.0 - frame as f64 * 1e-3 } else { 0.1 },
            drive: 0,
        };
        let worst: Vec<usize> = apart((0..60).map(frame).collect()).iter().map(|error| error.frame).collect();
        assert_eq!(worst, [0, 6, 12, 18, 24, 30]);
    }
}
