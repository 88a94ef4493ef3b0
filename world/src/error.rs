//! What can go wrong with a place on its way to disk.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The output folder is in use.
    #[error("output folder is not empty: {}", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A number in the configuration cannot be used.
    #[error("{what}")]
    Setting {
        /// Expected and found.
        what: String,
    },
    /// The user stopped the work.
    #[error("stopped; nothing was left under {}", path.display())]
    Stopped {
        /// The folder that would have been written.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Core(#[from] parallax_core::Error),
}

impl Error {
    /// What a user can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Occupied { .. } => Some("choose another --out, or --force to replace what is there"),
            Self::Setting { .. } => Some("see `parallax-world render --help` for the ranges"),
            Self::Stopped { .. } => None,
            Self::Core(error) => error.hint(),
        }
    }
}
