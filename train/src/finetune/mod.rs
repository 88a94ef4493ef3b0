//! Few-shot segmentation: a network learns a few labelled pictures and is scored on all others.
//!
//! ```text
//! labelled set ── draw(count, seed) ─┬─ chosen ─► samples ─► task (cross-entropy) ─► run folder
//! earlier run ── transfer ───────────┼──────────────────────────┘                       │
//!                                    └─ rest ───► evaluation ◄──────────────────────────┘
//!                                                 location prior
//! ```
//!
//! Protocol of Lao et al., *On the Viability of Monocular Depth Pre-training for Semantic Segmentation*: random
//! pictures, horizontal flips only, nearest-neighbour labels, one confusion matrix over the whole test set.
//!
//! | file | what |
//! |---|---|
//! | [`transfer`] | the network to start from: none, or an earlier run's whole network, encoder, frozen encoder |
//! | [`samples`] | the drawn pictures as the network sees them; which of them are in which batch |
//! | [`cross_entropy`] | the loss |
//! | [`task`] | the three above as a task for the training loop |
//! | [`run`] | `parallax-train finetune` as a library: settings, run folder, resume |
//! | [`evaluation`] | masks against labels, without the pictures the run was trained on |
//! | [`location_prior`] | what can be known without looking at a picture |

pub mod cross_entropy;
pub mod evaluation;
pub mod location_prior;
pub mod run;
pub mod samples;
pub mod task;
pub mod transfer;

pub use evaluation::{EvaluationReport, evaluate};
pub use run::{FinetuneConfig, FinetunedRun, TrainedOn, finetune, resume};
