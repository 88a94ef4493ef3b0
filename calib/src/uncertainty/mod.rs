//! How far a calibration can be trusted.
//!
//! | file | says |
//! |---|---|
//! | `projection` | how far a pixel may be off, over the picture |
//! | `coverage` | where in the picture corners were seen |
//! | `held_out` | how well views are predicted that took no part |
//! | `next_view` | which view would help most |
//! | `verdict`, `reasons` | good, usable or not determined, and why |
//! | `trust`, `judge` | all of this of one camera, and how it is asked |

mod coverage;
mod held_out;
mod judge;
mod next_view;
mod projection;
mod reasons;
mod trust;
mod verdict;

pub use coverage::Coverage;
pub use next_view::{NextView, Side};
pub use projection::ProjectionMap;
pub use trust::Trust;
pub use verdict::{Reason, Verdict};

pub(crate) use judge::judge;
pub(crate) use next_view::{Knowledge, TILT_DEGREES, place_in_words, pose as pose_of_next_view};

#[cfg(test)]
mod tests;
