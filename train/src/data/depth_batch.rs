//! One batch of depth pre-training: target frames, what is known about them, and how the cameras stand.

use parallax_core::camera::Intrinsics;

use super::crop::View;
use super::supervision::Supervision;
use crate::geometry::RigidMotion;
use crate::loss::photometric::OutOfView;

/// How a source frame is related to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partner {
    /// Taken earlier by the same camera.
    Earlier,
    /// Taken later by the same camera.
    Later,
    /// Taken at the same time by the other camera of a pair.
    OtherEye,
}

/// How the source cameras of a batch stand to the target's.
#[derive(Debug, Clone, PartialEq)]
pub enum Motion {
    /// `source_from_target`, one per image.
    Known(Vec<RigidMotion>),
    /// To be learned.
    Learned {
        /// How far the wheels went, one per image, depth units; empty where nobody measured it.
        ways: Vec<f32>,
    },
}

/// One source frame per target.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    /// Which frames these are.
    pub partner: Partner,
    /// `[batch, 3, height, width]`, values in 0..1; cut as the target is.
    pub image: Vec<f32>,
    /// What the frames show around the window that the target is cut to, where that is read too.
    pub surroundings: Option<Surroundings>,
    /// The image as the pose network sees it; empty where the motion is known.
    pub input: Vec<f32>,
    /// Where the source cameras stand.
    pub motion: Motion,
}

/// Larger cuts of source frames, about the windows of their targets.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Width, pixels.
    pub width: usize,
    /// Height, pixels.
    pub height: usize,
    /// `[batch, 3, height, width]`, values in 0..1.
    pub image: Vec<f32>,
    /// Column and row of the window's first pixel in each.
    pub places: Vec<[f32; 2]>,
}

/// One photometric term of the loss.
#[derive(Debug, Clone)]
pub struct TermBatch {
    /// What teaches.
    pub supervision: Supervision,
    /// Factor λ.
    pub weight: f32,
    /// Its source frames.
    pub sources: Vec<SourceBatch>,
    /// What is learned from places outside a source's picture.
    pub out_of_view: OutOfView,
}

/// The range term of the loss.
#[derive(Debug, Clone)]
pub struct RangeBatch {
    /// Factor λ.
    pub weight: f32,
    /// `[batch, 1, height, width]`, depth units, 0 where nothing was measured.
    pub depth: Vec<f32>,
}

/// A batch, as plain numbers.
#[derive(Debug, Clone)]
pub struct DepthBatch {
    /// Width of all pictures, pixels.
    pub width: usize,
    /// Height of all pictures, pixels.
    pub height: usize,
    /// Names of the target frames.
    pub names: Vec<String>,
    /// `[batch, 3, height, width]`, values in 0..1.
    pub target: Vec<f32>,
    /// The target as the networks see it.
    pub input: Vec<f32>,
    /// The target at the size of each disparity map, finest first.
    pub pyramid: Vec<Vec<f32>>,
    /// How each picture was cut from its frame.
    pub views: Vec<View>,
    /// One per image; empty where they are learned.
    pub intrinsics: Vec<Intrinsics>,
    /// The photometric terms.
    pub terms: Vec<TermBatch>,
    /// What a range sensor measured, where it teaches.
    pub ranges: Option<RangeBatch>,
}
