//! Applying a calibration: pictures and recordings as a plain pinhole would have taken them.
//!
//! Each eye's pictures go through [`Rectifier`](parallax_core::camera::rectify::Rectifier); a pair comes out rectified. What else a recording holds goes with them:
//! depth and ranges keep their points but get the z of the turned camera, poses become those of the turned camera, times stay.

mod undistortion;

pub use undistortion::{OnFrame, Undistorted, Undistortion};
