//! The pieces networks are made of: convolution, batch norm, activation, upsampling, their first weights, and
//! taking weights over.

mod activation;
mod batch_norm;
mod bilinear;
mod blend;
mod builder;
mod conv;
mod upsample;

pub use activation::{Activation, elu};
pub(crate) use batch_norm::EPSILON as BATCH_NORM_EPSILON;
pub use batch_norm::{BatchNorm2d, RunningStatistic};
pub use bilinear::upsample_bilinear;
pub use blend::blended;
pub use builder::Builder;
pub(crate) use builder::renumbered;
pub use conv::{Conv2d, ConvShape, InitialSpread};
pub use upsample::upsample_nearest;
