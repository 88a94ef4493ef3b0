//! Why frames do not come, and what to do about it.

use parallax_core::Error as CoreError;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a source of frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URI asks for a live camera.
    #[error("live cameras are not in this version, got a {kind}: {uri}")]
    Live {
        /// What kind of live source it is.
        kind: &'static str,
        /// The URI as given.
        uri: String,
    },
    /// The source cannot be opened.
    #[error(transparent)]
    Open(CoreError),
    /// One frame cannot be read; the next one may be fine.
    #[error("lost frame {index}: {source}")]
    LostFrame {
        /// Its place in the source, from 0 on.
        index: usize,
        /// Why.
        source: CoreError,
    },
}

impl Error {
    /// What a user can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Live { .. } => Some("record first, then give the recording, a folder of images or one image"),
            Self::Open(error) | Self::LostFrame { source: error, .. } => error.hint(),
        }
    }
}
