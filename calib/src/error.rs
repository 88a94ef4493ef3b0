//! What can go wrong with a calibration, each with its remedy.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pictures cannot be used together.
    #[error("{what}")]
    Pictures {
        /// Expected and found.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// The board is not found, or is another one.
    #[error("{what}")]
    Board {
        /// Expected and found.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// The views do not determine a camera.
    #[error("{what}")]
    NotDetermined {
        /// What is missing.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// The two cameras of a pair do not fit together.
    #[error("{what}")]
    Pair {
        /// Expected and found.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// Views cannot be taken, or not here.
    #[error("{what}")]
    Capture {
        /// Expected and found.
        what: String,
        /// The remedy.
        hint: String,
    },
    /// The user stopped the work.
    #[error("stopped; {} was not written", path.display())]
    Stopped {
        /// The file that would have been written.
        path: PathBuf,
    },
    /// A source of pictures cannot be used.
    #[error(transparent)]
    Camera(#[from] parallax_camera::Error),
    /// Reading or writing failed.
    #[error(transparent)]
    Core(#[from] parallax_core::Error),
}

impl Error {
    pub(crate) fn capture(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Capture { what: what.into(), hint: hint.into() }
    }

    /// What a user can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Pictures { hint, .. }
            | Self::Board { hint, .. }
            | Self::NotDetermined { hint, .. }
            | Self::Pair { hint, .. }
            | Self::Capture { hint, .. } => Some(hint),
            Self::Stopped { .. } => None,
            Self::Camera(error) => error.hint(),
            Self::Core(error) => error.hint(),
        }
    }
}
