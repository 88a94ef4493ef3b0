//! The networks, their weights in and out, and their ONNX form.
//!
//! | file | what |
//! |---|---|
//! | [`network`] | the name of a network and what follows from it; makes those below |
//! | [`depth`] | picture → disparity at four scales |
//! | [`pose`] | two pictures → camera motion |
//! | [`segmentation`] | picture → logits; the depth network with its last layer replaced |
//! | [`flow`] | two pictures → optical flow between them, with a siamese encoder |
//! | [`inpainting`] | picture with holes → whole picture |
//! | [`contrastive`] | picture → a direction, and the momentum network it is compared with |
//! | [`backbone`] | encoder and decoder: what one network takes over from another |
//! | [`encoder`] | residual encoders; torchvision's weights |
//! | [`decoder`] | the U-Net behind them |
//! | [`slim`] | the numbers of the small network, and why |
//! | [`weights`] | safetensors in and out |
//! | [`onnx`] | the float ONNX model |
//! | [`layers`] | convolution, batch norm, activation, upsampling |
//!
//! Takes a network's name and a device, gives networks. Knows nothing of data, training or cameras.

pub mod backbone;
pub mod contrastive;
pub mod decoder;
pub mod depth;
pub mod encoder;
mod error;
pub mod flow;
pub mod inpainting;
pub mod layers;
pub mod network;
pub mod onnx;
pub mod pose;
pub mod segmentation;
pub mod slim;
pub mod weights;

pub use backbone::Backbone;
pub use contrastive::{ContrastiveNetwork, Keys};
pub use depth::DepthNetwork;
pub use error::{ModelError, Result};
pub use flow::FlowNetwork;
pub use inpainting::InpaintingNetwork;
pub use network::{Network, SIZE_MULTIPLE};
pub use pose::PoseNetwork;
pub use segmentation::SegmentationNetwork;
