//! From a depth map to the source frame's pixels, differentiably.
//!
//! ```text
//! depth ── back-project ──▶ points (target camera) ── pose ──▶ points (source camera) ── project ──▶ pixels ── sample ──▶ warped frame
//! ```
//!
//! Camera frame: x right, y down, z forward. Pixel centres at integers. Lengths are in the run's *depth units*
//! (see [`crate::loss::depth`]). Small fixed matrices are written as products of their entries: it costs nothing, and no
//! step then depends on a device's matrix product.

mod pinhole;
mod pose;
mod warp;

pub use parallax_models::layers::upsample_bilinear as upsample;
pub use pinhole::{NEAREST_Z, Pinholes, Pixels, Points, back_project, project};
pub use pose::{NO_MOTION, Poses, RigidMotion, shifted};
pub use warp::sample;
