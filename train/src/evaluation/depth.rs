//! A pre-trained run scored on recordings with true depth, beside what needs no network.

use burn::module::Module as _;
use burn::tensor::Device;
use parallax_core::depth::DepthMap;
use parallax_core::model_input::ModelInput;
use parallax_core::recording::Eye;
use serde::Serialize;

use super::depth_score::{DepthScore, Pairs, Scaling};
use super::prior::{GroundPlane, RowTruth};
use crate::Error;
use crate::data::Footage;
use crate::pretraining::DepthModel;
use crate::pretraining::task::predict;

/// How depth is scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthEvaluation {
    /// Truth nearer than this is left out, metres.
    pub nearest: f32,
    /// Truth farther than this is left out, metres; predictions are capped to it.
    pub farthest: f32,
    /// Whether predictions are brought to the truth's scale.
    pub scaling: Scaling,
    /// Metres of a depth unit, where the run knows it.
    pub metres_per_unit: f32,
    /// Frames at most, spread evenly over the recordings.
    pub frames: usize,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DepthReport {
    /// The network's scores.
    #[serde(flatten)]
    pub score: DepthScore,
    /// What needs no network.
    pub baselines: Baselines,
    /// Frames scored.
    pub frames: usize,
    /// Pixels with truth in them.
    pub pixels: usize,
    /// Whether predictions were brought to the truth's scale.
    pub scaling: Scaling,
    /// Truth beyond this was left out, metres.
    pub farthest_m: f32,
}

/// Scores of the priors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baselines {
    /// The best constant of each image.
    pub constant: DepthScore,
    /// The best ground plane before a wall.
    pub ground_plane: DepthScore,
}

/// Pairs of one frame.
struct FramePairs {
    network: Pairs,
    rows: Vec<RowTruth>,
}

/// Scores a model (in its validation form) on footage with true depth.
///
/// # Errors
/// When no frame has truth, or one cannot be read.
pub fn evaluate_depth(
    model: &DepthModel,
    input: &ModelInput,
    footage: &Footage,
    settings: &DepthEvaluation,
    device: &Device,
) -> Result<DepthReport, Error> {
    let model = model.valid();
    let mut frames = Vec::new();
    for (drive, index) in chosen_frames(footage, settings.frames) {
        if let Some(truth) = truth(footage, drive, index)? {
            let prediction = predict_frame(&model, input, footage, drive, index, device)?;
            frames.push(pair_up(&prediction, &truth, settings));
        }
    }
    frames.retain(|frame| !frame.network.is_empty());
    report(&frames, settings).ok_or_else(|| Error::Data {
        what: "expected frames with true depth, found none".into(),
        path: footage.recording(0).path().to_path_buf(),
        hint: "score on a recording with depth, e.g. one made by `parallax-world render`",
    })
}

fn chosen_frames(footage: &Footage, most: usize) -> Vec<(usize, usize)> {
    let all: Vec<(usize, usize)> = (0..footage.drives())
        .flat_map(|drive| (0..footage.recording(drive).len()).map(move |index| (drive, index)))
        .collect();
    let every = all.len().div_ceil(most.max(1)).max(1);
    all.into_iter().step_by(every).collect()
}

fn truth(footage: &Footage, drive: usize, index: usize) -> Result<Option<DepthMap>, Error> {
    let recording = footage.recording(drive);
    match recording.depth(index)? {
        Some(depth) => Ok(Some(depth)),
        None => Ok(recording.lidar(index)?),
    }
}

fn predict_frame(
    model: &DepthModel,
    input: &ModelInput,
    footage: &Footage,
    drive: usize,
    index: usize,
    device: &Device,
) -> Result<DepthMap, Error> {
    let frame = footage.frame(drive, index, Eye::Left)?;
    let mut values = vec![0.0; input.len()];
    input.normalize(&frame, &mut values);
    Ok(predict(model, &values, [1, 3, footage.height(), footage.width()], device))
}

fn pair_up(prediction: &DepthMap, truth: &DepthMap, settings: &DepthEvaluation) -> FramePairs {
    let mut pairs = FramePairs { network: Vec::new(), rows: Vec::new() };
    for (place, metres) in truth.metres.iter().enumerate() {
        if *metres < settings.nearest || *metres > settings.farthest {
            continue;
        }
        let (x, y) = (place as u32 % truth.width, place as u32 / truth.width);
        let (u, v) = ((x as f32 + 0.5) / truth.width as f32, (y as f32 + 0.5) / truth.height as f32);
        let predicted = read_inverse(prediction, u, v) * settings.metres_per_unit;
        pairs.network.push([predicted, *metres]);
        pairs.rows.push([v, *metres]);
    }
    pairs
}

/// Depth at a place given as shares of width and height; the inverse depth is interpolated, as it is in training.
fn read_inverse(map: &DepthMap, u: f32, v: f32) -> f32 {
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

fn report(frames: &[FramePairs], settings: &DepthEvaluation) -> Option<DepthReport> {
    let rows: Vec<RowTruth> = frames.iter().flat_map(|frame| frame.rows.iter().copied()).collect();
    let plane = GroundPlane::fit(&rows);
    let scores = |pairs: &dyn Fn(&FramePairs) -> Pairs, scaling| {
        let scores: Vec<DepthScore> =
            frames.iter().filter_map(|frame| DepthScore::of_image(&pairs(frame), scaling)).collect();
        DepthScore::mean(&scores)
    };
    let cap = |pair: &[f32; 2]| [pair[0].min(settings.farthest), pair[1]];
    let network = scores(&|frame| scaled(&frame.network, settings.scaling).iter().map(cap).collect(), Scaling::None)?;
    let constant = scores(&|frame| frame.rows.iter().map(|[_, truth]| [1.0, *truth]).collect(), Scaling::Median)?;
    let of_plane =
        |frame: &FramePairs| -> Pairs { frame.rows.iter().map(|[row, truth]| [plane.depth(*row), *truth]).collect() };
    // The plane is fitted in metres; scaling each image may still help it. It gets the better of the two.
    let planes = [scores(&of_plane, Scaling::None)?, scores(&of_plane, Scaling::Median)?];
    let ground_plane = if planes[0].abs_rel <= planes[1].abs_rel { planes[0] } else { planes[1] };
    Some(DepthReport {
        score: network,
        baselines: Baselines { constant, ground_plane },
        frames: frames.len(),
        pixels: rows.len(),
        scaling: settings.scaling,
        farthest_m: settings.farthest,
    })
}

fn scaled(pairs: &Pairs, scaling: Scaling) -> Pairs {
    match scaling {
        Scaling::None => pairs.clone(),
        Scaling::Median => super::depth_score::median_scaled(pairs),
    }
}
