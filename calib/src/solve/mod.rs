//! From corners to cameras.
//!
//! | step | file | result |
//! |---|---|---|
//! |   | `view` | what was seen, and what to fit |
//! | 1 | `first_guess` | a camera and poses near enough to the truth |
//! | 2 | `least_squares` | the cameras, poses and board that explain the corners best |
//! | 3 | `settle`, `outliers` | corners and views that do not belong are left out and named; then step 2 again |
//! |   | `two_cameras` | pictures of two cameras that were mixed are told |
//! |   | `other_lenses` | a lens model that fits better is told |
//! | 4 | [`crate::stereo`] | for two cameras: where they are to each other, rectification |
//! | 5 | [`crate::uncertainty`] | how far the result can be trusted, and which view would help most |
//!
//! Mono and stereo are the same: a rig of one camera or of two.

pub(crate) mod first_guess;
mod least_squares;
mod lens;
pub(crate) mod other_lenses;
mod outliers;
mod rig;
mod rms;
mod settle;
pub(crate) mod solution;
pub(crate) mod two_cameras;
mod view;

pub use crate::calibration::solve;
pub use lens::Lens;
pub use other_lenses::BetterLens;
pub use solution::{Fate, SeenCorner, Solution, SolvedCamera, SolvedView};
pub use view::{BoardShape, SolveConfig, View};

pub(crate) use first_guess::pose;
pub(crate) use least_squares::information_of_view;
pub(crate) use rig::{Layout, Observation, Rig, RigCamera, Target};
pub(crate) use rms::rms;
pub(crate) use settle::{Settled, ViewFate, pose_near, pose_of_view, refit, settle};
pub(crate) use view::{free_unknowns, observations};
