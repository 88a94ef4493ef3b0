//! The encoder: a picture becomes five maps of features, each half as large as the one before.

pub mod resnet;
pub mod torchvision;

pub use resnet::{Encoder, EncoderConfig};

use burn::tensor::Tensor;

/// Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input, each `[batch, channels, height, width]`.
pub type Features = [Tensor<4>; 5];
