//! Depth pre-training, few-shot segmentation and scores.
//!
//! The program `parallax-train` also looks at footage (`doctor`), quantizes and packs: with the crates of those names.
//!
//! In reading order:
//!
//! | module | what it does |
//! |---|---|
//! | [`data`] | from recordings to batches |
//! | [`geometry`] | from a depth map to another frame's pixels, differentiably |
//! | [`loss`] | what depth pre-training minimises |
//! | [`pretraining`] | depth pre-training: networks, batches and loss put together |
//! | [`rivals`] | the other pre-trainings that depth is compared with: optical flow, inpainting, contrastive |
//! | [`inheritance`] | what a new run takes over from `--init`, whatever that was |
//! | [`lesson`] | whether the pictures of a run can teach anything |
//! | [`evaluation`] | depth scores |
//! | [`finetune`] | masks from a few labelled pictures |
//! | [`device`] | which device to train on, proven |
//! | [`training`] | the loop, checkpoints, log and resuming, shared by everything that learns |

pub mod data;
pub mod device;
mod error;
pub mod evaluation;
pub mod finetune;
pub mod geometry;
pub mod inheritance;
pub mod lesson;
pub mod loss;
pub mod pretraining;
pub mod rivals;
pub mod training;

pub use error::Error;
