//! What depth and flow pre-training minimise: Monodepth2's loss, per supervising term.
//!
//! ```text
//! loss = mean over scales of ( Σ_terms λ · reprojection(term) + 1e-3 / 2^s · smoothness )
//! ```
//!
//! A term is one way to know where the target's pixels are in other frames: the video's neighbours with a learned motion, or
//! the other eye of a stereo pair with a known one. Terms are summed (Lao et al., eq. 1); within a term the minimum over its
//! source frames is taken (Godard et al., eq. 4).
//!
//! | file | what |
//! |---|---|
//! | [`depth`] | disparity ↔ depth, and the unit of length |
//! | [`ssim`], [`photometric`], [`smoothness`] | the parts, on tensors |
//! | [`reprojection`] | the whole, on tensors: any device |
//! | [`flow`] | the same for optical flow |
//! | [`host`] | both in plain loops with their gradients: the CPU |

pub mod depth;
pub mod flow;
pub mod host;
pub mod photometric;
pub mod reprojection;
pub mod smoothness;
pub mod ssim;

pub use depth::depth_from_disparity;
