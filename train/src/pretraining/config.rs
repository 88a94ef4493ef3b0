//! Every setting of a depth pre-training run, as `run.toml` keeps it.

use std::path::PathBuf;

use parallax_models::Network;
use serde::{Deserialize, Serialize};

use super::LearnedCamera;
use crate::Error;
use crate::data::zoom::MOST_ZOOM;
use crate::data::{
    Augmentation, CropConfig, FrameSize, IntrinsicsSource, PoseSource, SpeedSource, Supervision, TermsConfig,
};
use crate::training::{LoopConfig, limits};

/// Settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
    /// What teaches depth; the terms are summed.
    pub from: Vec<Supervision>,
    /// Recordings or folders.
    pub data: Vec<PathBuf>,
    /// The same kept out of training, to choose the best checkpoint by.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub validation: Vec<PathBuf>,
    /// A camera file that goes before what the recordings say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub camera: Option<PathBuf>,
    /// The same for the right camera.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub right_camera: Option<PathBuf>,
    /// The network.
    pub network: Network,
    /// Settings of the terms.
    #[serde(default)]
    pub terms: TermsConfig,
    /// Windows that are trained on instead of whole frames.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crop: Option<CropConfig>,
    /// How much the networks' input is altered.
    #[serde(skip_serializing_if = "Augmentation::is_published", default)]
    pub augmentation: Augmentation,
    /// Where intrinsics come from.
    #[serde(default)]
    pub intrinsics: IntrinsicsSource,
    /// Width the networks work at on whole frames, pixels; 0 with crops of full frames: found from the data.
    pub width: usize,
    /// Height the networks work at on whole frames, pixels; as the width.
    pub height: usize,
    /// Images per step.
    pub batch: usize,
    /// Frames between a target and its neighbours in the video.
    pub frame_gap: usize,
    /// Seed of weights, order and augmentation.
    pub seed: u64,
    /// Weights to start from: ImageNet's for the encoder, or an earlier run's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init: Option<PathBuf>,
    /// Bytes of decoded frames kept in memory.
    pub memory: usize,
    /// Metres of a depth unit, where the data fix it; found from them, see [`crate::loss::depth`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metres_per_unit: Option<f64>,
    /// What learned cameras came to, once the run has ended.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub learned_cameras: Vec<LearnedCamera>,
    /// How the run is trained.
    #[serde(rename = "loop")]
    pub steps: LoopConfig,
}

/// Where the loss is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossPlace {
    /// With tensors on the device: for GPUs.
    Device,
    /// In plain loops on the host: several times faster when the device is the CPU.
    Host,
}

impl PretrainConfig {
    /// Checks the settings that need no data.
    ///
    /// # Errors
    /// Names the first setting that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        self.check_sizes()?;
        self.check_terms()?;
        self.check_validation()?;
        let wrong = |what: String, hint| Err(Error::Settings { what, hint });
        if self.frame_gap == 0 {
            return wrong("--frame-gap must be at least 1".into(), "leave it out for the default");
        }
        limits::check_batch(self.batch)?;
        self.steps.check()
    }

    fn check_sizes(&self) -> Result<(), Error> {
        if let Some(crop) = self.crop {
            limits::check_size(self.network, (crop.width, crop.height))?;
            crop.zoom.map_or(Ok(()), |zoom| self.check_zoom(zoom))?;
        }
        let found_from_data = self.crop.is_some_and(|crop| crop.from == FrameSize::Full);
        if !found_from_data {
            limits::check_size(self.network, (self.width, self.height))?;
        }
        Ok(())
    }

    fn check_zoom(&self, zoom: f64) -> Result<(), Error> {
        let wrong = |what: String, hint| Err(Error::Settings { what, hint });
        if !(1.0..=MOST_ZOOM).contains(&zoom) {
            return wrong(format!("--zoom must be between 1 and {MOST_ZOOM}, got {zoom}"), "try 2");
        }
        if self.intrinsics == IntrinsicsSource::Learn {
            let hint = "leave --zoom out, or calibrate the camera";
            return wrong("--zoom enlarges about the principal point, which is learned here".into(), hint);
        }
        Ok(())
    }

    fn check_validation(&self) -> Result<(), Error> {
        let wrong = |what: &str, hint| Err(Error::Settings { what: what.into(), hint });
        if self.validation.is_empty() {
            return Ok(());
        }
        if matches!(self.terms.poses, PoseSource::File(_)) {
            let hint = "put each recording's poses.txt beside its frames and give --poses given";
            return wrong("--poses FILE is for one recording, got --validate besides", hint);
        }
        if self.intrinsics == IntrinsicsSource::Learn {
            let hint = "leave --validate out, or calibrate the camera";
            return wrong(
                "intrinsics are learned for the cameras that are trained on, not for those of --validate",
                hint,
            );
        }
        Ok(())
    }

    /// Whether the settings of the terms belong to terms that are there.
    fn check_terms(&self) -> Result<(), Error> {
        let wrong = |what: &str, hint| Err(Error::Settings { what: what.into(), hint });
        let from = |supervision| self.from.contains(&supervision);
        let learned_motion = from(Supervision::Video) && self.terms.poses.is_learned();
        if self.from.is_empty() {
            return wrong("nothing teaches depth", "give --from video, stereo, range or several of them");
        }
        if (1..self.from.len()).any(|at| self.from[..at].contains(&self.from[at])) {
            return wrong("a term is named twice in --from", "name each once; --weight says how much it counts");
        }
        if !self.terms.poses.is_learned() && !from(Supervision::Video) {
            return wrong(
                "--poses is about video, which does not teach here",
                "add video to --from, or leave --poses out",
            );
        }
        if matches!(self.terms.poses, PoseSource::File(_)) && self.data.len() > 1 {
            let hint = "put each recording's poses.txt beside its frames and give --poses given";
            return wrong("--poses FILE is for one recording, got several --data", hint);
        }
        if self.terms.range.is_some() && !from(Supervision::Range) {
            return wrong(
                "--range says where measured depth comes from, which does not teach here",
                "add range to --from",
            );
        }
        match self.terms.speed {
            Some(_) if !learned_motion => {
                let hint = "leave --speed out: stereo, given poses and ranges know their scale";
                return wrong("--speed is for motion that is learned from video, and none is", hint);
            }
            Some(SpeedSource::Constant(speed)) if !(speed.is_finite() && speed > 0.0) => {
                return wrong(
                    "--speed must be above 0 metres per second",
                    "give the robot's speed, or a file of speeds",
                );
            }
            _ => {}
        }
        match self.intrinsics {
            IntrinsicsSource::Learn if !from(Supervision::Video) => {
                wrong("intrinsics can be learned from video only", "add video to --from, or leave --intrinsics out")
            }
            IntrinsicsSource::Learn if from(Supervision::Stereo) => {
                let hint = "a pair is rectified with its calibration: give camera files, or leave stereo out of --from";
                wrong("stereo needs known intrinsics", hint)
            }
            IntrinsicsSource::Learn if self.camera.is_some() => {
                wrong("--camera and --intrinsics learn exclude each other", "leave one of them out")
            }
            _ => Ok(()),
        }
    }
}
