//! What is solved: views of the board, and what to fit.

use super::lens::Lens;
use super::rig::{Layout, Observation, Rig};
use crate::Result;
use crate::detect::Detection;

/// A picture, or the two of a pair, with the board that was found in each.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What to call it in reports, such as the file's name.
    pub name: String,
    /// For each camera, the board, or why there is none.
    pub detections: Vec<Result<Detection, String>>,
}

/// What to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct SolveConfig {
    /// The lens model of all cameras.
    pub lens: Lens,
    /// Whether the board may be bent.
    pub board: BoardShape,
}

/// Whether the board may be bent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BoardShape {
    /// Flat, as glass is.
    #[default]
    Flat,
    /// A parabola along x and one along y are estimated; paper on cardboard bends by a millimetre.
    Bent,
}

/// The corners that some cameras saw in a view.
pub(crate) fn observations(view: &View, cameras: std::ops::Range<usize>) -> Vec<Observation> {
    let of_camera = |camera: usize| {
        let corners = view.detections[camera].as_ref().map(|found| found.corners.as_slice()).unwrap_or_default();
        corners.iter().map(move |corner| Observation { camera, number: corner.number, pixel: corner.pixel })
    };
    cameras.flat_map(of_camera).collect()
}

/// Which shared unknowns a fit moves.
pub(crate) fn free_unknowns(rig: &Rig, config: &SolveConfig) -> Vec<bool> {
    let layout = Layout::of(rig);
    (0..layout.count).map(|index| index < layout.warp || config.board == BoardShape::Bent).collect()
}
