//! What footage is good for: is a frame sharp and well exposed, and how did the camera move between two of them?
//!
//! `parallax-train doctor` judges footage by these, a recorder on the board chooses by them what to keep. Everything is
//! measured in pixels of the size that training will have, because that is where the loss looks. What the thresholds mean
//! and where they come from: `docs/doctor.md`.
//!
//! | module | what |
//! |---|---|
//! | [`mod@blur`], [`mod@exposure`] | one frame |
//! | [`pair`] | two frames: flow, parallax, whether the camera stood or only turned |
//! | [`two_views`] | the motion of the camera between two frames, and what does not follow it |
//! | [`statistics`] | quantiles |

pub mod blur;
pub mod exposure;
pub mod pair;
pub mod statistics;
pub mod two_views;

pub use blur::{BLURRED, blur};
pub use exposure::{Exposure, exposure};
pub use pair::{CameraMotion, Followed, MotionMeasure, PairMeasure};

use crate::optical_flow::{GrayPicture, Pyramid};
use image::RgbImage;

/// Parallax of the median corner, pixels, that partners should have: a photometric loss places a pixel to about a quarter
/// of a pixel, so that this much makes depth good to a tenth per pair (`docs/doctor.md`, *frame gap*).
pub const TARGET_PARALLAX_PX: f64 = 2.5;
/// Parallax of the median corner, pixels, below which nothing can be learned: a bilinear photometric loss cannot tell it
/// from noise.
pub const LEAST_PARALLAX_PX: f64 = 0.3;
/// Part of the corners that must still be found in the partner.
pub const LEAST_FOLLOWED: f64 = 0.5;
/// Motion of the fastest tenth of the corners, as a part of the width, beyond which a photometric loss starts too far
/// off to find its way and too much leaves the picture.
pub const MOST_FLOW: f64 = 0.1;

/// A picture as it is measured.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Its brightness.
    pub gray: GrayPicture,
    /// The same at halving sizes.
    pub pyramid: Pyramid,
}

impl Sight {
    /// Of a picture at training size.
    pub fn new(picture: &RgbImage) -> Self {
        let gray = GrayPicture::from_rgb(picture);
        let pyramid = Pyramid::new(&gray);
        Self { gray, pyramid }
    }
}
