//! Scores of a pre-trained run: depth against truth, learned motion against poses, and frames rebuilt from their neighbours.
//!
//! | file | what |
//! |---|---|
//! | [`depth_score`], [`bins`] | Abs Rel and its companions, median scaling; errors by distance |
//! | [`crop`] | the parts of a picture that published numbers are of |
//! | [`prior`] | what can be said without looking: a constant, a ground plane before a wall, a depth for each row |
//! | [`depth`], `worst` | a run scored on recordings with true depth, and a look at where it fails |
//! | [`trajectory`] | the pose network scored on recordings with poses |
//! | [`reconstruction`] | a run scored without true depth, by how well it rebuilds frames |

pub mod bins;
pub mod crop;
pub mod depth;
pub mod depth_score;
pub mod prior;
pub mod reconstruction;
pub mod trajectory;
mod worst;

pub use crop::Crop;
pub use depth::{DepthEvaluation, DepthReport, Predictor, TruthSource, evaluate_depth};
pub use depth_score::{DepthScore, Scaling};
pub use reconstruction::{
    Neighbours, RebuildingError, ReconstructionEvaluation, ReconstructionReport, evaluate_reconstruction,
};
pub use trajectory::{Spread, TrajectoryReport, evaluate_trajectory};
pub use worst::draw_worst;
