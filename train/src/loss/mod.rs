//! What pre-training minimises. For depth: a sum of terms, each a way to know depth, and Monodepth2's smoothness.
//!
//! ```text
//! loss = mean over scales of ( Σ_photometric λ · reprojection + λ · |depth − range| + 1e-3 / 2^s · smoothness ) + λ · speed
//! ```
//!
//! | term | what is known | what is learned |
//! |---|---|---|
//! | video | neighbouring frames; their motion, where poses are given | depth; the motion, where they are not; the intrinsics, if asked |
//! | stereo | the other eye of a pair, the baseline | depth |
//! | range | what a range sensor measured | depth |
//! | speed | how far the wheels went | the length of learned motions, and so metres |
//!
//! Terms are summed (Lao et al., eq. 1); within a photometric term the minimum over its source frames is taken (Godard
//! et al., ICCV 2019, eq. 4).
//!
//! | file | what |
//! |---|---|
//! | [`depth`] | disparity ↔ depth, and the unit of length |
//! | [`ssim`], [`photometric`], [`smoothness`] | the parts of the photometric loss, on tensors |
//! | [`reprojection`] | the photometric loss, on tensors: any device |
//! | [`range`], [`speed`] | the other terms, on tensors |
//! | [`flow`] | the photometric loss of optical flow, depth's rival |
//! | [`host`] | all but speed in plain loops with their gradients: the CPU |

pub mod depth;
pub mod flow;
pub mod host;
pub mod photometric;
pub mod range;
pub mod reprojection;
pub mod smoothness;
pub mod speed;
pub mod ssim;

pub use depth::depth_from_disparity;
