//! The pieces networks are made of: convolution, batch norm, activation, upsampling and their first weights.

mod activation;
mod batch_norm;
mod builder;
mod conv;
mod upsample;

pub use activation::{Activation, elu};
pub(crate) use batch_norm::EPSILON as BATCH_NORM_EPSILON;
pub use batch_norm::{BatchNorm2d, RunningStatistic};
pub use builder::Builder;
pub(crate) use builder::renumbered;
pub use conv::{Conv2d, ConvShape, InitialSpread};
pub use upsample::upsample_nearest;
