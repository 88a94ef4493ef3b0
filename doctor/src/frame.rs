//! One frame by itself.

use parallax_vision::footage::Exposure;

/// What one frame says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameMeasure {
    /// Frame number.
    pub index: usize,
    /// 0 sharp to 1 without edges; see [`mod@parallax_vision::footage::blur`].
    pub blur: Option<f64>,
    /// How light is spread.
    pub exposure: Exposure,
}
