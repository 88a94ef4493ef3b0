//! The slim network: made for a small board and for training on a CPU.


use crate::decoder::DecoderConfig;
use crate::encoder::EncoderConfig;
use crate::encoder::resnet::{BlockKind, Shrink};
use crate::layers::Activation;

/// The slim encoder.
pub const ENCODER: EncoderConfig = EncoderConfig {
    inputs: 3,
    stem_kernel: 3,
    stem_width: 16,
    shrink: Shrink::Stride,
    block: BlockKind::Basic,
    widths: [32, 64, 96, 160],
    blocks: [1, 1, 1, 1],
};

/// The slim decoder.
pub fn decoder() -> DecoderConfig {
    DecoderConfig { channels: vec![24, 32, 48, 64], finest_level: 1, activation: Activation::Relu }
}

/// The slim pose encoder.
pub const POSE_ENCODER: EncoderConfig = ENCODER.for_pictures(2);

/// Channels inside the slim pose network's last layers.
pub const POSE_WIDTH: usize = 64;
