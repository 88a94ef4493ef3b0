//! What can be chosen for pictures of a board.

use super::lens::Lens;
use super::picture::PictureConfig;
use crate::{Error, Result};
use parallax_core::board::Board;
use serde::{Deserialize, Serialize};

/// Everything that decides what is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardsConfig {
    /// Version of this form; 1.
    pub schema: u32,
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// The board as text, such as `chessboard:9x6:25mm`.
    pub board: String,
    /// Number of views.
    pub views: usize,
    /// Width of every picture.
    pub width: u32,
    /// Height of every picture.
    pub height: u32,
    /// Model of the lens; its numbers follow from the seed.
    pub lens: Lens,
    /// Distance of a right camera in metres; none renders one camera. The right one is turned a little, as real ones are.
    pub baseline_m: Option<f64>,
    /// The farthest that the board is tilted away from facing the camera, degrees.
    pub tilt_degrees: f64,
    /// Whether the board may reach out of the picture; two fifths of its corners stay inside.
    pub partial: bool,
    /// How the pictures are taken.
    pub picture: PictureConfig,
}

impl BoardsConfig {
    /// Whole boards tilted by up to 45 degrees in front of an ordinary lens.
    pub fn new(seed: u64, board: &Board, views: usize, (width, height): (u32, u32)) -> Self {
        Self {
            schema: 1,
            seed,
            board: board.to_string(),
            views,
            width,
            height,
            lens: Lens::PlumbBob,
            baseline_m: None,
            tilt_degrees: 45.0,
            partial: false,
            picture: PictureConfig::default(),
        }
    }

    /// Checks the numbers and reads the board.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first number out of range.
    pub fn check(&self) -> Result<Board> {
        let wrong = |what: String| Err(Error::Setting { what });
        if self.views == 0 {
            return wrong("views must be at least 1, got 0".into());
        }
        if !(64..=8192).contains(&self.width) || !(64..=8192).contains(&self.height) {
            return wrong(format!("width and height must be 64 to 8192 pixels, got {}x{}", self.width, self.height));
        }
        if !(0.0..=70.0).contains(&self.tilt_degrees) {
            return wrong(format!("the tilt must be 0 to 70 degrees, got {}", self.tilt_degrees));
        }
        if let Some(baseline) = self.baseline_m.filter(|baseline| !(0.01..=2.0).contains(baseline)) {
            return wrong(format!("the baseline must be 0.01 to 2 metres, got {baseline}"));
        }
        if self.seed > i64::MAX as u64 {
            return wrong(format!("the seed must be below 2^63, got {}", self.seed));
        }
        self.picture.check()?;
        self.board.parse().map_err(|what| Error::Setting { what })
    }
}
