//! Which network: one name for encoder, decoder and everything that follows from them.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::decoder::DecoderConfig;
use crate::depth::DepthNetwork;
use crate::encoder::EncoderConfig;
use crate::error::{ModelError, Result};
use crate::layers::Builder;
use crate::pose::PoseNetwork;
use crate::segmentation::SegmentationNetwork;
use crate::slim;

/// Both sides of the input must be a multiple of this: the encoder halves five times.
pub const SIZE_MULTIPLE: usize = 32;

/// The networks to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// The paper's: ResNet-18 encoder, full-resolution decoder.
    Resnet18,
    /// ResNet-50 encoder, full-resolution decoder.
    Resnet50,
    /// Made for small boards and for training on a CPU; see [`slim`].
    Slim,
}

impl Network {
    /// Every network.
    pub const ALL: [Self; 3] = [Self::Resnet18, Self::Resnet50, Self::Slim];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resnet18 => "resnet18",
            Self::Resnet50 => "resnet50",
            Self::Slim => "slim",
        }
    }

    /// Makes a depth network with fresh weights; on an autodiff device it trains.
    pub fn depth(self, seed: u64, device: &Device) -> DepthNetwork {
        DepthNetwork::new(self, &mut Builder::new("depth", seed, device))
    }

    /// Makes a segmentation network with fresh weights.
    ///
    /// # Errors
    /// [`ModelError::ClassCount`]
    pub fn segmentation(self, classes: usize, seed: u64, device: &Device) -> Result<SegmentationNetwork> {
        SegmentationNetwork::new(self, classes, &mut Builder::new("segmentation", seed, device))
    }

    /// Makes a pose network with fresh weights.
    pub fn pose(self, seed: u64, device: &Device) -> PoseNetwork {
        PoseNetwork::new(self, &mut Builder::new("pose", seed, device))
    }

    /// How much smaller than the input the finest disparity is: 1 for the ResNets, 2 for slim.
    pub fn finest_stride(self) -> usize {
        1 << self.decoder().finest_level
    }

    /// Checks that a picture of this size can pass through the network.
    ///
    /// # Errors
    /// [`ModelError::InputSize`]
    pub fn check_size(self, width: usize, height: usize) -> Result<()> {
        let fits = |side: usize| side > 0 && side.is_multiple_of(SIZE_MULTIPLE);
        if fits(width) && fits(height) {
            return Ok(());
        }
        Err(ModelError::InputSize { width, height, multiple: SIZE_MULTIPLE })
    }

    /// The numbers of the encoder.
    pub fn encoder(self) -> EncoderConfig {
        match self {
            Self::Resnet18 => EncoderConfig::RESNET18,
            Self::Resnet50 => EncoderConfig::RESNET50,
            Self::Slim => slim::ENCODER,
        }
    }

    /// The numbers of the decoder.
    pub fn decoder(self) -> DecoderConfig {
        match self {
            Self::Resnet18 | Self::Resnet50 => DecoderConfig::paper(),
            Self::Slim => slim::decoder(),
        }
    }

    /// The numbers of the pose network's encoder.
    pub fn pose_encoder(self) -> EncoderConfig {
        match self {
            Self::Resnet18 | Self::Resnet50 => EncoderConfig::RESNET18.for_pictures(2),
            Self::Slim => slim::POSE_ENCODER,
        }
    }

    /// Channels inside the pose network's last layers.
    pub fn pose_width(self) -> usize {
        match self {
            Self::Resnet18 | Self::Resnet50 => 256,
            Self::Slim => slim::POSE_WIDTH,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl std::str::FromStr for Network {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|network| network.name() == name);
        found.ok_or_else(|| ModelError::UnknownNetwork(name.into()))
    }
}
