//! From measurements to verdicts. Every threshold stands beside its reason, here and in `docs/doctor.md`.

pub mod camera;
pub mod extent;
pub mod motion;
pub mod pictures;
pub mod stereo;
pub mod timing;

/// Parts of a hundred, for a person.
pub(super) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.01 { format!("{:.1} %", 100.0 * share) } else { format!("{:.0} %", 100.0 * share) }
}
