//! The slim network: made for a small board and for training on a CPU.
//!
//! At most 0.5 GMAC at 320x192 with decoder and segmentation head (0.44 with 10 classes; 0.24 at 256x128), against
//! 4.1 GMAC of `resnet18`. A residual encoder and a U-Net decoder like the ResNets', so that every
//! kind of transfer works the same way. Why it looks as it does:
//!
//! | choice | reason |
//! |---|---|
//! | 3x3 stem with stride 2, 16 channels | at half resolution every channel costs as much as 256 channels at 1/32 |
//! | stride in layer1 in place of max pooling | one operator and one pass over the largest map less |
//! | widths 32, 64, 96, 128, one block each | doubling keeps layer1 and layer2 at 55 MMAC each; 96 and 128 in place of 128 and 256, because weights, not pixels, dominate there and 16 labelled pictures do not fill them |
//! | every width a multiple of 16 | integer kernels work on 16 channels at a time |
//! | plain convolutions, none depthwise | depthwise convolutions are bound by memory, and tract runs them 12 times slower in int8 than in float |
//! | ReLU everywhere | folds into the requantisation of the convolution before it |
//! | batch norm in the encoder only | folds into the weights; the decoder follows the paper, which has none |
//! | decoder ends at half resolution with 16 channels | its last 3x3 convolution costs 70 MMAC there and would cost 283 at full resolution; on the training CPU it already is the dearest layer |
//! | finest decoder level takes the stem's 16 channels in | edges live there |

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
    widths: [32, 64, 96, 128],
    blocks: [1, 1, 1, 1],
};

/// The slim decoder.
pub fn decoder() -> DecoderConfig {
    DecoderConfig { channels: vec![16, 32, 48, 64], finest_level: 1, activation: Activation::Relu }
}

/// The slim pose encoder.
pub const POSE_ENCODER: EncoderConfig = ENCODER.for_pictures(2);

/// Channels inside the slim pose network's last layers.
pub const POSE_WIDTH: usize = 64;

/// Factor of the pose network's output. A step of Adam moves each weight by the learning rate, so the output of a last layer of
/// 64 channels moves a quarter as far as that of the paper's 256, and runs on a CPU have thousands of steps instead of hundreds of
/// thousands: with the paper's 0.01 the motion had not reached its size when they ended, and depth had taken on a shape that
/// suits too little motion (docs/measurements/lidar_motion_intrinsics.md).
pub const POSE_SCALE: f64 = 0.1;
