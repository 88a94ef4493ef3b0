//! What learns together: the networks and, where they are not known, the cameras.

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use parallax_models::{DepthNetwork, Network, PoseNetwork};

use super::LearnedCameras;
use crate::Error;
use crate::loss::depth::{FIRST_DEPTH, disparity_of_depth};

/// The depth network; where motion is learned, the pose network; where intrinsics are learned, the cameras.
#[derive(Module, Debug)]
pub struct DepthModel {
    /// Picture to disparity.
    pub depth: DepthNetwork,
    /// Two pictures to motion.
    pub pose: Option<PoseNetwork>,
    /// Intrinsics.
    pub cameras: Option<LearnedCameras>,
}

/// The file of the pose network in a run folder.
const POSE_FILE: &str = "pose.safetensors";

/// The file of the depth network in a run folder.
const DEPTH_FILE: &str = "model.safetensors";

impl DepthModel {
    /// Fresh networks, for known cameras.
    #[must_use]
    pub fn new(network: Network, with_pose: bool, seed: u64, device: &Device) -> Self {
        let depth = starting_at(network.depth(seed, device), FIRST_DEPTH);
        Self { depth, pose: with_pose.then(|| network.pose(seed, device)), cameras: None }
    }

    /// Writes all that is learned into a folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        self.depth.save(&folder.join(DEPTH_FILE))?;
        if let Some(pose) = &self.pose {
            pose.save(&folder.join(POSE_FILE))?;
        }
        if let Some(cameras) = &self.cameras {
            cameras.save(folder)?;
        }
        Ok(())
    }

    /// Reads the networks that [`DepthModel::save`] wrote; learned cameras need the footage, see [`LearnedCameras::load`].
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn load(folder: &Path, with_pose: bool, device: &Device) -> Result<Self, Error> {
        let depth = DepthNetwork::load(&folder.join(DEPTH_FILE), device)?;
        let pose = with_pose.then(|| PoseNetwork::load(&folder.join(POSE_FILE), device)).transpose()?;
        Ok(Self { depth, pose, cameras: None })
    }
}

/// Sets the biases of the last layers so that the network says one depth everywhere, but for its small random weights.
fn starting_at(mut network: DepthNetwork, depth: f32) -> DepthNetwork {
    struct SetBiases(f32);
    impl ModuleMapper for SetBiases {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if D != 1 {
                return param;
            }
            let learns = param.val().is_require_grad();
            param.map(|bias| bias.zeros_like().add_scalar(self.0).detach().set_require_grad(learns))
        }
    }
    let disparity = disparity_of_depth(depth);
    let mut mapper = SetBiases((disparity / (1.0 - disparity)).ln());
    network.predictors = network.predictors.map(&mut mapper);
    network
}
