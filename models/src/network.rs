//! Which network: one name for encoder, decoder and everything that follows from them.

use serde::{Deserialize, Serialize};

use crate::decoder::DecoderConfig;
use crate::encoder::EncoderConfig;
use crate::error::{ModelError, Result};
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

    /// Factor of the pose network's output: small, so that training starts near standing still.
    pub fn pose_scale(self) -> f64 {
        match self {
            Self::Resnet18 | Self::Resnet50 => 0.01,
            Self::Slim => slim::POSE_SCALE,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Builder, InitialSpread};
    use burn::tensor::{Device, Distribution, Tensor};

    #[test]
    fn slim_with_head_stays_within_half_a_giga_mac_at_320x192() {
        let segmentation = Network::Slim.segmentation(16, 0, &Device::flex()).unwrap();
        let macs = segmentation.macs(320, 192);
        assert!(macs <= 500_000_000, "{macs} multiply-accumulates");
    }

    #[test]
    fn resnet18_encoder_has_the_published_multiply_accumulates() {
        // torchvision states 1.814 GMAC for 224x224 including the classifier's 0.5 million.
        let encoder = Network::Resnet18.encoder().init(&mut Builder::new("test", 0, &Device::flex()));
        assert!(encoder.macs([224, 224]).abs_diff(1_813_561_344) < 1_000_000, "{}", encoder.macs([224, 224]));
    }

    #[test]
    fn disparities_come_finest_first_and_halve_per_scale() {
        let device = Device::flex();
        for network in [Network::Slim, Network::Resnet18] {
            let image = Tensor::random([1, 3, 64, 96], Distribution::Default, &device);
            for (scale, disparity) in network.depth(0, &device).forward(image).into_iter().enumerate() {
                let stride = network.finest_stride() << scale;
                assert_eq!(disparity.dims(), [1, 1, 64 / stride, 96 / stride], "{network}");
                let (low, high) = (disparity.clone().min().into_scalar::<f32>(), disparity.max().into_scalar::<f32>());
                assert!(low > 0.0 && high < 1.0, "{network}: {low} to {high}");
            }
        }
    }

    #[test]
    fn logits_have_the_size_of_the_input_and_pose_six_small_numbers() {
        let device = Device::flex();
        let image = Tensor::<4>::random([2, 3, 64, 96], Distribution::Default, &device);
        let logits = Network::Slim.segmentation(7, 0, &device).unwrap().forward(image.clone());
        assert_eq!(logits.dims(), [2, 7, 64, 96]);
        let pose = Network::Slim.pose(0, &device).forward(image.clone(), image);
        assert_eq!(pose.dims(), [2, 6]);
        assert!(pose.abs().max().into_scalar::<f32>() < 0.2);
    }

    #[test]
    fn flow_comes_for_both_directions_and_starts_at_zero() {
        let device = Device::flex();
        let pictures = Tensor::<4>::random([4, 3, 64, 96], Distribution::Default, &device);
        let mut network = Network::Slim.flow(0, &device);
        for (scale, flow) in network.forward(pictures.clone()).into_iter().enumerate() {
            let stride = 2 << scale;
            assert_eq!(flow.dims(), [4, 2, 64 / stride, 96 / stride]);
            assert_eq!(flow.abs().max().into_scalar::<f32>(), 0.0);
        }
        // Weights that say something, at every scale.
        let drawn = Network::Slim.decoder();
        network.predictors = drawn.init_predictors(2, InitialSpread::Output, &mut Builder::new("test", 0, &device));
        // Exchanging the pictures of a pair exchanges the flows.
        let values = |pictures| network.forward(pictures)[0].clone().into_data().try_to_vec::<f32>().unwrap();
        let (there, back) = (values(pictures.clone()), values(crate::flow::partners(pictures)));
        let half = there.len() / 2;
        assert!(there.iter().any(|flow| flow.abs() > 1e-3) && there.iter().all(|flow| flow.abs() < 1.0));
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close(&there[..half], &back[half..]) && close(&there[half..], &back[..half]));
    }

    #[test]
    fn a_contrastive_embedding_has_length_one_and_the_queue_drops_the_oldest() {
        let device = Device::flex();
        let query = Network::Slim.contrastive(0, &device);
        let keys = crate::Keys::of(&query, 5, &device.clone().autodiff());
        let picture = Tensor::<4>::random([2, 3, 32, 64], Distribution::Default, &device);
        let (own, copied) = (query.forward(picture.clone()), keys.network.forward(picture));
        let lengths: Vec<f32> = own.clone().square().sum_dim(1).into_data().try_to_vec().unwrap();
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5));
        assert!((own - copied).abs().max().into_scalar::<f32>() < 1e-6);
        let filled = (1..=3).fold(keys, |keys, round| {
            keys.with_keys(Tensor::full([2, crate::contrastive::EMBEDDING], round as f32, &device))
        });
        let first: Vec<f32> = filled.queue.val().narrow(1, 0, 1).into_data().try_to_vec().unwrap();
        assert_eq!(first, [1.0, 2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn names_and_networks_map_both_ways() {
        for network in Network::ALL {
            assert_eq!(network.name().parse::<Network>().unwrap(), network);
        }
        assert!(matches!("vgg".parse::<Network>(), Err(ModelError::UnknownNetwork(_))));
    }

    #[test]
    fn a_size_that_is_no_multiple_of_32_is_refused() {
        assert!(Network::Slim.check_size(320, 192).is_ok());
        let error = Network::Slim.check_size(320, 180).unwrap_err();
        assert_eq!(error.hint().unwrap(), "the nearest size that works is 320x192");
        assert!(Network::Slim.check_size(0, 32).is_err());
    }
}
