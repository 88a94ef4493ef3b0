//! What a picture, or the two of a pair, show of the board.

use super::motion::{Moment, per_interval_px};
use super::placement::{Approximate, Placement};
use super::sharpness::edge_width_px;
use crate::detect::{Detection, detect};
use crate::solve::Target;
use crate::survey::Miss;
use image::{DynamicImage, GrayImage};
use parallax_camera::Shot;
use parallax_core::board::Board;
use parallax_core::frame::{Frame, PixelFormat};
use rayon::prelude::*;

/// The pictures of one moment, decoded.
#[derive(Clone, Debug)]
pub struct Look {
    /// As they are written: left (or only), right. Grey pictures stay grey.
    pub pictures: Vec<DynamicImage>,
    grays: Vec<GrayImage>,
    moment: Moment,
}

/// What they show.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// For each camera, the board, or why there is none.
    pub detections: Vec<Result<Detection, Miss>>,
    /// When.
    pub moment: Moment,
    /// How far the board moves within one frame interval, the farther of two cameras; none when that cannot be said.
    pub motion_px: Option<f64>,
    /// How wide the edges of its fields are, the wider of two cameras.
    pub edge_width_px: Option<f64>,
    /// Where the left camera has the board.
    pub placement: Option<Placement>,
}

impl Sight {
    /// The board, when every camera sees it.
    pub fn whole(&self) -> Option<Vec<&Detection>> {
        let found: Option<Vec<&Detection>> = self.detections.iter().map(|found| found.as_ref().ok()).collect();
        found.filter(|found| !found.is_empty())
    }
}

impl Look {
    /// Decodes a shot; the error says why it cannot be used.
    pub(super) fn at(shot: &Shot, board: &Board, sizes: &[(u32, u32)]) -> Result<Self, String> {
        let frames: Vec<&Frame> = std::iter::once(&shot.left).chain(&shot.right).take(sizes.len()).collect();
        if frames.len() < sizes.len() {
            return Err("the right picture is missing".to_owned());
        }
        let mut pictures = Vec::new();
        for (frame, size) in frames.iter().zip(sizes) {
            if (frame.width, frame.height) != *size {
                return Err(Miss::OtherSize((frame.width, frame.height)).describe(board));
            }
            let picture = DynamicImage::ImageRgb8(frame.to_rgb().map_err(|error| error.to_string())?);
            let is_gray = frame.format == PixelFormat::Gray8;
            pictures.push(if is_gray { DynamicImage::ImageLuma8(picture.to_luma8()) } else { picture });
        }
        // The same grey values as those of the written picture, so that it gives the same corners when it is read again.
        let grays = pictures.iter().map(DynamicImage::to_luma8).collect();
        let moment = Moment { sequence: shot.left.sequence, timestamp: shot.left.timestamp };
        Ok(Self { pictures, grays, moment })
    }

    /// Looks for the board, and compares it with where it was before.
    pub(super) fn sight(&self, board: &Board, target: &Target, left: &Approximate, previous: Option<&Sight>) -> Sight {
        let find = |gray: &GrayImage| detect(gray, board).map_err(Miss::NotFound);
        let detections: Vec<Result<Detection, Miss>> = self.grays.par_iter().map(find).collect();
        let mut sight = Sight { detections, moment: self.moment, ..Sight::default() };
        sight.placement = sight.detections[0].as_ref().ok().and_then(|found| left.placement(target, found));
        if let Some(found) = sight.whole() {
            let widths = found.iter().zip(&self.grays).map(|(found, gray)| edge_width_px(gray, board, found));
            let edge_width_px = most(widths);
            let motion_px = previous.and_then(|previous| {
                let before = previous.whole()?;
                most(
                    found
                        .iter()
                        .zip(before)
                        .map(|(now, before)| per_interval_px((before, previous.moment), (now, self.moment))),
                )
            });
            (sight.edge_width_px, sight.motion_px) = (edge_width_px, motion_px);
        }
        sight
    }
}

/// The largest; none when one of them is not known.
fn most(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.reduce(|a, b| Some(a?.max(b?))).flatten()
}
