//! How well predicted depth rebuilds a frame from its neighbours, where no depth is known but the cameras' motion is.
//!
//! The neighbours are the frames before and after, with the recording's own poses, or the other eye of a pair. Beside the network
//! stand what needs none: the best ground plane before a wall, the best constant depth (their few numbers are fitted on the very
//! frames, by the same error) and the neighbour as it is. Only pixels count that every candidate finds in the neighbour, so all
//! rows are means over the same pixels.
//!
//! | file | what |
//! |---|---|
//! | `view` | a frame rebuilt from its neighbour with some depth |
//! | `candidates` | what stands beside the network, fitted |

mod candidates;
mod view;

use burn::module::Module as _;
use image::RgbImage;
use nalgebra::Isometry3;
use parallax_core::picture::{depth_in_colors, magma};
use parallax_core::recording::Eye;
use serde::{Deserialize, Serialize};

use self::candidates::{AllRebuilt, Candidates, Pair, fit};
use self::view::{Rebuilt, View};
use super::depth::{Predictor, read_inverse};
use super::prior::GroundPlane;
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
    /// Frames between a frame and its neighbours in the video.
    pub frame_gap: usize,
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
            frame_gap: settings.frame_gap,
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
    use super::candidates::tests::pairs;
    use super::*;

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
