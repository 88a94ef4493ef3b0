//! How well the footage determines a learned focal length, and whether the run has found it.
//!
//! Photometric loss alone cannot say: on a straight way a wrong focal length is made up for by depth and motion and costs
//! nothing. So what they can make up for is taken away first (`information`); the standard deviation of ln f that is left says
//! what the footage can give. Rotation gives it: translation alone, in whatever direction, leaves nothing.
//!
//! Whether the run has got there is another question. A focal length that still moved in the second half of the steps is not
//! settled, and not called determined either.
//!
//! Reference: Gordon et al., *Depth from Videos in the Wild*, ICCV 2019, section 3.2 (what rotation determines).

mod information;

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
use parallax_core::camera::{Camera, Intrinsics};
use serde::{Deserialize, Serialize};

use super::task::{host_values, outputs};
use super::{DepthModel, DepthTask};
use crate::Error;
use crate::data::{Motion, Partner};
use crate::geometry::Pinholes;
use crate::training::Task as _;
use information::{Information, Pair};

/// Pairs that are looked at. Few, because errors that all pairs share (a pose network that has not settled) do not average out.
const PAIRS: usize = 32;

/// A focal length with a larger relative standard deviation, or that moved farther at the end, is called not determined.
const DETERMINED_BELOW: f64 = 0.05;

/// Steps below which nothing can be said about how a focal length moves: Adam takes about as many to find its stride.
const FEWEST_STEPS: usize = 100;

/// A learned camera and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedCamera {
    /// Width of its pictures as taken, pixels.
    pub width: u32,
    /// Height of its pictures as taken, pixels.
    pub height: u32,
    /// Focal length in pictures as taken, pixels.
    pub focal_px: f64,
    /// Column of the principal point in pictures as taken.
    pub cx: f64,
    /// Row of the principal point in pictures as taken.
    pub cy: f64,
    /// Standard deviation of the focal length as a part of it, from the footage's geometry.
    pub focal_sigma: f64,
    /// How far it moved over the second half of the steps, as a part of it.
    pub focal_drift: f64,
    /// Whether it can be used: `focal_sigma` and `focal_drift` are below 0.05.
    pub determined: bool,
}

impl LearnedCamera {
    /// As a camera file holds it.
    #[must_use]
    pub fn camera(&self) -> Camera {
        let intrinsics = Intrinsics { fx: self.focal_px, fy: self.focal_px, cx: self.cx, cy: self.cy };
        Camera::pinhole("learned", self.width, self.height, intrinsics)
    }
}

/// Where learned focal lengths went over the steps.
#[derive(Debug, Default)]
pub struct FocalCourse(Mutex<Vec<Vec<f64>>>);

impl FocalCourse {
    /// Notes the focal lengths that a step begins with.
    pub fn note(&self, model: &DepthModel) {
        if let Some(cameras) = &model.cameras {
            let focal = cameras.intrinsics().iter().map(|camera| camera.fx).collect();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(focal);
        }
    }

    /// Whether no step was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How far a camera's focal length was, half of the steps ago, from what it is now, as a part of it; a factor of e where
    /// there were too few steps to tell.
    fn drift(&self, camera: usize, now: f64) -> f64 {
        let course = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match course.get(course.len() / 2) {
            Some(halfway) if course.len() >= FEWEST_STEPS => (now / halfway[camera]).ln().abs(),
            _ => 1.0,
        }
    }
}

/// Reports on the learned cameras of a model (in its validation form).
///
/// # Errors
/// When a frame cannot be read.
pub fn report(task: &DepthTask, model: &DepthModel, device: &Device) -> Result<Vec<LearnedCamera>, Error> {
    let Some(cameras) = &model.cameras else { return Ok(Vec::new()) };
    let known = cameras.intrinsics();
    let mut information: Vec<Information> = known.iter().map(|_| Information::new()).collect();
    let batches = PAIRS.div_ceil(2 * task.batches.config.batch).max(1);
    for step in 0..batches as u64 {
        add_batch(task, model, step, device, &mut information)?;
    }
    let footage = &task.batches.footage;
    let cameras = footage.drives_of_cameras().into_iter().zip(known).zip(information).enumerate();
    Ok(cameras
        .map(|(number, ((drive, intrinsics), information))| {
            let size = footage.frame_size(drive);
            let doubts = [information.focal_sigma(size), task.focal_course.drift(number, intrinsics.fx)];
            as_taken(intrinsics, size, footage.recording(drive).size(), doubts)
        })
        .collect())
}

fn add_batch(
    task: &DepthTask,
    model: &DepthModel,
    step: u64,
    device: &Device,
    information: &mut [Information],
) -> Result<(), Error> {
    let batch = task.batch(step)?;
    let said = outputs(model, &batch, device);
    let Some(cameras) = said.cameras.as_ref().map(Pinholes::intrinsics) else { return Ok(()) };
    let finest = &said.disparities[0];
    let factor = batch.width / finest.dims()[3];
    let disparities = host_values(finest.clone());
    let size = disparities.len() / batch.views.len();
    let sources = batch.terms.iter().zip(&said.poses).flat_map(|(term, poses)| term.sources.iter().zip(poses));
    for (source, poses) in sources.filter(|(source, _)| source.partner != Partner::OtherEye) {
        for (image, motion) in poses.motions().iter().enumerate() {
            let pair = Pair {
                camera: cameras[image],
                motion,
                free_motion: matches!(source.motion, Motion::Learned { .. }),
                disparity: &disparities[image * size..(image + 1) * size],
                factor,
                width: batch.width,
            };
            information[batch.views[image].camera].add(&pair);
        }
    }
    Ok(())
}

fn as_taken(
    frame: Intrinsics,
    size: (usize, usize),
    taken: (u32, u32),
    [focal_sigma, focal_drift]: [f64; 2],
) -> LearnedCamera {
    let (sx, sy) = (f64::from(taken.0) / size.0 as f64, f64::from(taken.1) / size.1 as f64);
    LearnedCamera {
        width: taken.0,
        height: taken.1,
        focal_px: frame.fx * sx,
        cx: (frame.cx + 0.5) * sx - 0.5,
        cy: (frame.cy + 0.5) * sy - 0.5,
        focal_sigma,
        focal_drift,
        determined: focal_sigma.max(focal_drift) < DETERMINED_BELOW,
    }
}
