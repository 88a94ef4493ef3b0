//! What can keep the doctor from looking at footage, each with a hint about what to do next.

use std::path::Path;

/// Why footage could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoctorError {
    /// A recording could not be read, or a sheet not be written.
    #[error(transparent)]
    Core(#[from] parallax_core::Error),
    /// Settings that make no sense.
    #[error("{what}")]
    Settings {
        /// Expected and found.
        what: String,
        /// How to put it right.
        hint: &'static str,
    },
}

impl DoctorError {
    /// What a user can do about it, where there is something general to say.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Core(error) => error.hint(),
            Self::Settings { hint, .. } => Some(hint),
        }
    }

    /// Wraps an input/output error with what was being done and where.
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Core(parallax_core::Error::io(action, path)(source))
    }
}
