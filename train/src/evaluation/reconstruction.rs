//! How well predicted depth rebuilds a frame from its neighbours, where no depth is known but the cameras' motion is.
//!
//! The neighbours are the frames before and after, with the recording's own poses, or the other eye of a pair. Beside the network
//! stand what needs none: the best ground plane before a wall, the best constant depth (their few numbers are fitted on the very
//! frames, by the same error) and the neighbour as it is. Only pixels count that every candidate finds in the neighbour, so all
//! rows are means over the same pixels.

use burn::module::Module as _;
use image::RgbImage;
use nalgebra::Isometry3;
use parallax_core::picture::{depth_in_colors, magma};
use parallax_core::recording::Eye;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::depth::{Predictor, read_inverse};
use super::prior::GroundPlane;
use super::view::{Rebuilt, View};
use crate::Error;
use crate::data::Footage;

/// Where a frame's neighbours come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Neighbours {
    /// Poses where the recordings have them, else stereo.
    #[default]
    Auto,
    /// The frames before and after, with the recording's poses.
    Poses,
    /// The other eye, with the baseline.
    Stereo,
}

/// How reconstruction is scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReconstructionEvaluation {
    /// Where the neighbours come from.
    pub neighbours: Neighbours,
    /// Frames between a frame and its neighbours in the video.
    pub frame_gap: usize,
    /// Metres of a depth unit; where it is not known, the one that rebuilds best is taken for all frames.
    pub metres_per_unit: Option<f64>,
    /// Frames at most, spread evenly over the recordings.
    pub frames: usize,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReconstructionReport {
    /// The network.
    pub network: RebuildingError,
    /// What needs no network.
    pub baselines: RebuildingBaselines,
    /// Where the neighbours came from.
    pub neighbours: Neighbours,
    /// Metres of a depth unit: the run's own, or fitted.
    pub metres_per_unit: f64,
    /// Whether it was fitted.
    pub scale_fitted: bool,
    /// Pairs of a frame and a neighbour.
    pub pairs: usize,
    /// Pixels that counted.
    pub pixels: usize,
    /// Their share of all pixels.
    pub counted: f64,
}

/// Mean errors over the counted pixels of all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct RebuildingError {
    /// 0.85 · (1 − SSIM) / 2 + 0.15 · |difference|, values in 0..1.
    pub photometric: f64,
    /// Mean absolute difference, values in 0..1.
    pub l1: f64,
}

/// Errors of the priors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RebuildingBaselines {
    /// The best ground plane before a wall.
    pub ground_plane: RebuildingError,
    /// That plane, metres and shares of the height.
    pub plane: GroundPlane,
    /// The best constant depth.
    pub constant: RebuildingError,
    /// That depth, metres.
    pub constant_m: f64,
    /// The neighbour as it is.
    pub standing_still: RebuildingError,
}

/// Pairs that the priors are fitted on, spread evenly.
const FIT_PAIRS: usize = 12;

/// Rows of the picture sheet.
const SHEET_ROWS: usize = 5;

/// One pair and the depth that the network says, for fitting.
struct Pair {
    view: View,
    /// Inverse depth units, per pixel.
    prediction: Vec<f32>,
    still: Vec<f32>,
}

/// Scores a model on footage with poses or stereo, and draws a few of the frames.
///
/// # Errors
/// When no frame has a neighbour whose motion is known, or a frame cannot be read.
pub fn evaluate_reconstruction(
    predictor: &Predictor<'_>,
    settings: &ReconstructionEvaluation,
) -> Result<(ReconstructionReport, RgbImage), Error> {
    let model = predictor.model.valid();
    let predictor = Predictor { model: &model, ..*predictor };
    let neighbours = neighbours_of(predictor.footage, settings)?;
    let settings = ReconstructionEvaluation { neighbours, ..*settings };
    let chosen: Vec<((usize, usize), Vec<Partner>)> = predictor
        .chosen_frames(settings.frames)
        .into_iter()
        .map(|place| (place, neighbours_at(predictor.footage, place, &settings)))
        .filter(|(_, neighbours)| !neighbours.is_empty())
        .collect();
    if chosen.is_empty() {
        return Err(no_neighbours(predictor.footage));
    }
    let candidates = fit(&fit_pairs(&predictor, &chosen)?, settings.metres_per_unit);
    let mut totals = Totals::default();
    let mut rows = Vec::new();
    let drawn_every = chosen.len().div_ceil(SHEET_ROWS);
    for (number, (place, neighbours)) in chosen.iter().enumerate() {
        let prediction = inverse_depth(&predictor, *place)?;
        for (which, neighbour) in neighbours.iter().enumerate() {
            let view = view(predictor.footage, *place, neighbour)?;
            let rebuilt = candidates.rebuild(&view, &prediction);
            totals.add(&rebuilt);
            if which == 0 && number % drawn_every == 0 {
                let picture = predictor.footage.frame(place.0, place.1, Eye::Left)?;
                rows.push(drawn(place.1, picture, &predictor.depth(place.0, place.1)?, &rebuilt));
            }
        }
    }
    let cell = (predictor.footage.width() as u32, predictor.footage.height() as u32);
    let sheet = parallax_core::picture::sheet(&rows, cell);
    Ok((totals.report(&candidates, &settings), sheet))
}

/// A neighbour of a frame.
struct Partner {
    index: usize,
    eye: Eye,
    neighbour_from_target: Isometry3<f64>,
}

fn neighbours_of(footage: &Footage, settings: &ReconstructionEvaluation) -> Result<Neighbours, Error> {
    let drives = || 0..footage.drives();
    let with_poses = drives().any(|drive| footage.recording(drive).world_from_camera(0).is_some());
    let with_stereo = drives().any(|drive| footage.baseline_m(drive).is_some_and(|metres| metres > 0.0));
    match settings.neighbours {
        Neighbours::Auto | Neighbours::Poses if with_poses => Ok(Neighbours::Poses),
        Neighbours::Auto | Neighbours::Stereo if with_stereo => Ok(Neighbours::Stereo),
        _ => Err(no_neighbours(footage)),
    }
}

fn no_neighbours(footage: &Footage) -> Error {
    Error::Data {
        what: "expected frames whose neighbours' cameras are known, by poses or as a stereo pair, found none".into(),
        path: footage.recording(0).path().to_path_buf(),
        hint: "score on a recording with poses, on a folder with poses.txt, or on a stereo pair with its baseline",
    }
}

fn neighbours_at(footage: &Footage, place: (usize, usize), settings: &ReconstructionEvaluation) -> Vec<Partner> {
    let (drive, index) = place;
    let recording = footage.recording(drive);
    if settings.neighbours == Neighbours::Stereo {
        let baseline = footage.baseline_m(drive).filter(|_| recording.has_frame(index, Eye::Right));
        let right = baseline.map(|metres| Partner {
            index,
            eye: Eye::Right,
            neighbour_from_target: Isometry3::translation(-metres, 0.0, 0.0),
        });
        return right.into_iter().collect();
    }
    let gap = settings.frame_gap;
    let places = [index.checked_sub(gap), Some(index + gap)].into_iter().flatten();
    let known = places.filter_map(|other| {
        let pose = |index: usize| (index < recording.len()).then(|| recording.world_from_camera(index)).flatten();
        let neighbour_from_target = pose(other)?.inverse() * pose(index)?;
        Some(Partner { index: other, eye: Eye::Left, neighbour_from_target })
    });
    known.collect()
}

fn view(footage: &Footage, (drive, index): (usize, usize), neighbour: &Partner) -> Result<View, Error> {
    let target = footage.frame(drive, index, Eye::Left)?;
    let other = footage.frame(drive, neighbour.index, neighbour.eye)?;
    let camera = |eye| footage.intrinsics(drive, eye).ok_or_else(|| no_neighbours(footage));
    Ok(View::new([&target, &other], [camera(Eye::Left)?, camera(neighbour.eye)?], neighbour.neighbour_from_target))
}

/// What the network says of a frame: inverse depth units, at the frame's size.
fn inverse_depth(predictor: &Predictor<'_>, (drive, index): (usize, usize)) -> Result<Vec<f32>, Error> {
    let depth = predictor.depth(drive, index)?;
    let (width, height) = (predictor.footage.width(), predictor.footage.height());
    let share = |place: usize, size: usize| (place as f32 + 0.5) / size as f32;
    let at = |pixel: usize| read_inverse(&depth, share(pixel % width, width), share(pixel / width, height)).recip();
    Ok((0..width * height).map(at).collect())
}

fn fit_pairs(predictor: &Predictor<'_>, chosen: &[((usize, usize), Vec<Partner>)]) -> Result<Vec<Pair>, Error> {
    let all: Vec<_> =
        chosen.iter().flat_map(|(place, neighbours)| neighbours.iter().map(move |other| (*place, other))).collect();
    let pair = |(place, neighbour): &((usize, usize), &Partner)| {
        let view = view(predictor.footage, *place, neighbour)?;
        let still = view.standing_still().photometric;
        Ok(Pair { view, prediction: inverse_depth(predictor, *place)?, still })
    };
    all.iter().step_by(all.len().div_ceil(FIT_PAIRS)).map(pair).collect()
}

/// What is compared, fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidates {
    metres_per_unit: f64,
    scale_fitted: bool,
    plane: GroundPlane,
    constant_m: f64,
}

fn fit(pairs: &[Pair], metres_per_unit: Option<f64>) -> Candidates {
    let size = pairs[0].view.size();
    let error = |pairs: &[Pair], inverse: &(dyn Fn(&Pair) -> Vec<f32> + Sync)| -> f64 {
        let errors: Vec<f64> =
            pairs.par_iter().map(|pair| mean_error(pair, &pair.view.rebuilt(&inverse(pair)))).collect();
        errors.iter().sum::<f64>() / pairs.len() as f64
    };
    let scaled = |[logarithm]: [f64; 1]| {
        error(pairs, &|pair| pair.prediction.iter().map(|q| q / logarithm.exp() as f32).collect())
    };
    let constant = |[logarithm]: [f64; 1]| error(pairs, &|_| vec![logarithm.exp().recip() as f32; size.0 * size.1]);
    let plane_on = |pairs: &[Pair], numbers: [f64; 3]| error(pairs, &|_| plane_map(&plane_of(numbers), size));

    // From a few centimetres to hundreds of metres, by factors that the search below bridges.
    let lengths = |first: f64, factor: f64, count: i32| (0..count).map(move |k| [(first * factor.powi(k)).ln()]);
    let fitted_scale = || search(best_of(lengths(0.02, 1.35, 32), &scaled), [0.15], &scaled)[0].exp();
    // The grid is looked through on every other pair: what it must find is only the right valley.
    let few: Vec<&Pair> = pairs.iter().step_by(2).collect();
    let on_few = |numbers: [f64; 3]| {
        let errors: Vec<f64> = few
            .par_iter()
            .map(|pair| mean_error(pair, &pair.view.rebuilt(&plane_map(&plane_of(numbers), size))))
            .collect();
        errors.iter().sum::<f64>()
    };
    let grid = (0..9).flat_map(|horizon| {
        (0..9).flat_map(move |reach| {
            (0..5).map(move |wall| {
                let (reach, wall) = (0.1 * 1.7_f64.powi(reach), 4.0 * 2.2_f64.powi(wall));
                [0.3 + 0.04 * f64::from(horizon), reach.ln(), wall.ln()]
            })
        })
    });
    let plane = search(best_of(grid, &on_few), [0.02, 0.25, 0.4], &|numbers| plane_on(pairs, numbers));
    Candidates {
        metres_per_unit: metres_per_unit.unwrap_or_else(fitted_scale),
        scale_fitted: metres_per_unit.is_none(),
        plane: plane_of(plane),
        constant_m: search(best_of(lengths(0.2, 1.25, 34), &constant), [0.1], &constant)[0].exp(),
    }
}

/// A pixel that leaves the neighbour's picture counts with the error of standing still: otherwise the best depth would be one
/// that sends the difficult pixels out of it.
fn mean_error(pair: &Pair, rebuilt: &Rebuilt) -> f64 {
    let of_pixel = |((error, still), visible): ((&f32, &f32), &bool)| f64::from(if *visible { *error } else { *still });
    let errors = rebuilt.photometric.iter().zip(&pair.still).zip(&rebuilt.visible).map(of_pixel);
    errors.sum::<f64>() / pair.still.len() as f64
}

/// Horizon as a share of the height, logarithms of reach and wall.
fn plane_of([horizon, reach, wall]: [f64; 3]) -> GroundPlane {
    GroundPlane { horizon: horizon as f32, reach: reach.exp() as f32, wall: wall.exp() as f32 }
}

fn plane_map(plane: &GroundPlane, (rows, columns): (usize, usize)) -> Vec<f32> {
    let inverse = |row: usize| plane.depth((row as f32 + 0.5) / rows as f32).recip();
    (0..rows).flat_map(|row| std::iter::repeat_n(inverse(row), columns)).collect()
}

fn best_of<const N: usize>(places: impl Iterator<Item = [f64; N]>, error: &dyn Fn([f64; N]) -> f64) -> [f64; N] {
    let rated = places.map(|place| (error(place), place));
    rated.min_by(|(a, _), (b, _)| a.total_cmp(b)).map_or([0.0; N], |(_, place)| place)
}

/// Goes along each axis as long as it gets better, with ever smaller steps.
fn search<const N: usize>(start: [f64; N], steps: [f64; N], error: &dyn Fn([f64; N]) -> f64) -> [f64; N] {
    let (mut best, mut least) = (start, error(start));
    for round in 0..16 {
        for axis in 0..N {
            for sign in [1.0, -1.0] {
                let mut place = best;
                place[axis] += sign * steps[axis] * 0.75_f64.powi(round);
                let rated = error(place);
                if rated < least {
                    (best, least) = (place, rated);
                }
            }
        }
    }
    best
}

/// One pair rebuilt by each candidate.
struct AllRebuilt {
    network: Rebuilt,
    plane: Rebuilt,
    constant: Rebuilt,
    still: Rebuilt,
}

impl Candidates {
    fn rebuild(&self, view: &View, prediction: &[f32]) -> AllRebuilt {
        let per_metre = self.metres_per_unit.recip() as f32;
        let network: Vec<f32> = prediction.iter().map(|q| q * per_metre).collect();
        AllRebuilt {
            network: view.rebuilt(&network),
            plane: view.rebuilt(&plane_map(&self.plane, view.size())),
            constant: view.rebuilt(&vec![self.constant_m.recip() as f32; prediction.len()]),
            still: view.standing_still(),
        }
    }
}

impl AllRebuilt {
    fn rows(&self) -> [&Rebuilt; 4] {
        [&self.network, &self.plane, &self.constant, &self.still]
    }

    /// Pixels that every candidate finds in the neighbour.
    fn counted(&self, pixel: usize) -> bool {
        self.rows().iter().all(|rebuilt| rebuilt.visible[pixel])
    }
}

#[derive(Default)]
struct Totals {
    sums: [RebuildingError; 4],
    pairs: usize,
    counted: usize,
    pixels: usize,
}

impl Totals {
    fn add(&mut self, rebuilt: &AllRebuilt) {
        let pixels = rebuilt.still.visible.len();
        self.pairs += 1;
        self.pixels += pixels;
        for pixel in (0..pixels).filter(|pixel| rebuilt.counted(*pixel)) {
            self.counted += 1;
            for (sum, row) in self.sums.iter_mut().zip(rebuilt.rows()) {
                sum.photometric += f64::from(row.photometric[pixel]);
                sum.l1 += f64::from(row.difference[pixel]);
            }
        }
    }

    fn report(&self, candidates: &Candidates, settings: &ReconstructionEvaluation) -> ReconstructionReport {
        let count = self.counted.max(1) as f64;
        let mean = |sum: &RebuildingError| RebuildingError { photometric: sum.photometric / count, l1: sum.l1 / count };
        let [network, ground_plane, constant, standing_still] = self.sums.each_ref().map(mean);
        let Candidates { plane, constant_m, metres_per_unit, scale_fitted } = *candidates;
        ReconstructionReport {
            network,
            baselines: RebuildingBaselines { ground_plane, plane, constant, constant_m, standing_still },
            neighbours: settings.neighbours,
            metres_per_unit,
            scale_fitted,
            pairs: self.pairs,
            pixels: self.counted,
            counted: self.counted as f64 / self.pixels.max(1) as f64,
        }
    }
}

/// A row of the sheet: frame, depth, what the network rebuilt, and the errors of network and plane, white at 0.25.
fn drawn(
    index: usize,
    picture: RgbImage,
    depth: &parallax_core::depth::DepthMap,
    rebuilt: &AllRebuilt,
) -> Vec<(String, RgbImage)> {
    let (width, height) = picture.dimensions();
    let place = |x: u32, y: u32| (y * width + x) as usize;
    let pixels = (width * height) as usize;
    let image = &rebuilt.network.image;
    let byte = |value: f32| (value * 255.0).round() as u8;
    let shown = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([0, 1, 2].map(|channel| byte(image[channel * pixels + place(x, y)])))
    });
    let errors = |of: &Rebuilt| {
        RgbImage::from_fn(width, height, |x, y| {
            let pixel = place(x, y);
            image::Rgb(if rebuilt.counted(pixel) { magma(4.0 * of.photometric[pixel]) } else { [96; 3] })
        })
    };
    let row = [
        (format!("frame {index}"), picture),
        ("depth".into(), depth_in_colors(depth)),
        ("rebuilt by the network".into(), shown),
        ("its error".into(), errors(&rebuilt.network)),
        ("the ground plane's error".into(), errors(&rebuilt.plane)),
    ];
    row.into()
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{SIZE, view};
    use super::*;

    fn pairs(depth: f32, says: f32) -> Vec<Pair> {
        let view = view(depth);
        let still = view.standing_still().photometric;
        vec![Pair { view, prediction: vec![1.0 / says; (SIZE.0 * SIZE.1) as usize], still }]
    }

    #[test]
    fn the_best_constant_is_the_depth_of_the_wall_and_the_scale_takes_the_prediction_there() {
        let found = fit(&pairs(5.0, 0.8), None);
        assert!((found.constant_m - 5.0).abs() < 0.1, "{found:?}");
        assert!(found.scale_fitted && (0.8 * found.metres_per_unit - 5.0).abs() < 0.1, "{found:?}");
        assert_eq!(fit(&pairs(5.0, 0.8), Some(2.0)).metres_per_unit, 2.0);
    }

    #[test]
    fn a_wall_is_rebuilt_by_a_plane_too_and_by_no_standing_still() {
        let pairs = pairs(5.0, 5.0);
        let candidates = fit(&pairs, Some(1.0));
        let mut totals = Totals::default();
        totals.add(&candidates.rebuild(&pairs[0].view, &pairs[0].prediction));
        let settings = ReconstructionEvaluation {
            neighbours: Neighbours::Stereo,
            frame_gap: 1,
            metres_per_unit: Some(1.0),
            frames: 1,
        };
        let report = totals.report(&candidates, &settings);
        let still = report.baselines.standing_still.photometric;
        assert!(report.network.photometric < 0.02, "{report:?}");
        assert!(report.baselines.ground_plane.photometric < 0.1 * still, "{report:?}");
        assert!(report.counted > 0.8 && report.counted < 1.0, "{report:?}");
    }
}
