//! Scores of depth against truth.
//!
//! | file | what |
//! |---|---|
//! | [`depth_score`] | Abs Rel and its companions, median scaling |
//! | [`prior`] | what can be said without looking: a constant, a ground plane before a wall |
//! | [`depth`] | a run scored on recordings |

pub mod depth;
pub mod depth_score;
pub mod prior;

pub use depth::{DepthEvaluation, DepthReport, evaluate_depth};
pub use depth_score::{DepthScore, Scaling};
