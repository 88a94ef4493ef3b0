//! How far one camera can be trusted.

use super::coverage::Coverage;
use super::next_view::NextView;
use super::projection::ProjectionMap;
use super::verdict::{Reason, Verdict};

/// How far one camera can be trusted.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Where corners were seen.
    pub coverage: Coverage,
    /// How far pixels may be off; none when the numbers are not determined.
    pub projection: Option<ProjectionMap>,
    /// Median over views of the root mean square error with which a fit without them predicts them, pixels: infinite when
    /// most cannot be predicted; none with fewer than four views.
    pub held_out_px: Option<f64>,
    /// The view that would help most.
    pub next_view: Option<NextView>,
    /// All of this in a word.
    pub verdict: Verdict,
    /// What stands between this calibration and a better verdict, the gravest first.
    pub reasons: Vec<Reason>,
}
