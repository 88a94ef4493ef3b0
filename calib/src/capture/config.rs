//! What is captured, and how.

use super::adviser::Pace;
use crate::solve::SolveConfig;
use parallax_core::board::Board;

/// What is captured, and how.
#[derive(Clone, Debug)]
pub struct CaptureConfig {
    /// The board.
    pub board: Board,
    /// What will be solved.
    pub solve: SolveConfig,
    /// Views to take at least.
    pub views: usize,
    /// Whether pictures follow each other closely.
    pub footage: Footage,
    /// The widest edges of a view, see [`super::sharpness`], pixels.
    pub widest_edge_px: f64,
    /// Whether the next picture waits for the adviser.
    pub pace: Pace,
}

/// What successive pictures have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footage {
    /// A camera that runs: a board that is held still is at the same place in two successive pictures.
    Film,
    /// Single photographs: nothing follows from the picture before.
    Stills,
}
