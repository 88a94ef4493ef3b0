//! Why bytes are no picture, for people.

use super::{MAX_PIXELS, MAX_SIDE};
use crate::Error;
use std::borrow::Cow;
use std::path::Path;

/// Why bytes are no picture, or none that may be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureFault {
    /// There are none.
    #[error("it is empty (0 bytes)")]
    Empty,
    /// Neither PNG nor JPEG nor BMP.
    #[error("it is no PNG, JPEG or BMP{}", looks_like.map(|what| format!(" but looks like {what}")).unwrap_or_default())]
    Unknown {
        /// What it may be instead.
        looks_like: Option<&'static str>,
    },
    /// Cut off or contradictory.
    #[error("{reason}")]
    Damaged {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// A kind of picture that is not read.
    #[error("{what}")]
    Unsupported {
        /// Which.
        what: Cow<'static, str>,
    },
    /// No pixels, or too many.
    #[error("it says that it has {width}x{height} pixels, expected 1 to {MAX_PIXELS}, {MAX_SIDE} a side at most")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// More bytes than a picture can have.
    #[error("the file has more than {} bytes", super::MAX_FILE_BYTES)]
    FileSize,
    /// Gray values of 16 bits where a picture is wanted.
    #[error("its one channel has 16 bits: that is depth, not a picture")]
    Depth,
    /// Several pictures in one file.
    #[error("it is an animation of {frames} pictures")]
    Animated {
        /// How many.
        frames: u32,
    },
}

impl PictureFault {
    pub(crate) fn damaged(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Damaged { reason: reason.into() }
    }

    pub(crate) fn unsupported(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsupported { what: what.into() }
    }

    /// What a user can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::Damaged { .. } => "the file is damaged or not a picture: replace or remove it",
            Self::Unknown { .. } => "save it as PNG or JPEG (its content counts, not its extension), or remove it",
            Self::Unsupported { .. } => "save it as 8-bit RGB or gray, PNG or baseline JPEG",
            Self::Size { .. } | Self::FileSize => {
                "a damaged header says so, or scale the picture down: docs/formats.md"
            }
            Self::Depth => {
                "name a folder or topic of pictures; depth belongs into depth/ beside them; a gray picture has 8 bits"
            }
            Self::Animated { .. } => "save the pictures of the animation one by one",
        }
    }

    /// As an error about a file.
    pub(crate) fn at(self, path: impl AsRef<Path>) -> Error {
        Error::Picture { path: path.as_ref().to_path_buf(), reason: self.to_string(), hint: self.hint() }
    }
}

impl From<&'static str> for PictureFault {
    fn from(reason: &'static str) -> Self {
        Self::damaged(reason)
    }
}
