//! What can go wrong with the things that travel, each with a hint about what to do next.

use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate: what was expected, what was found, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action}: {source}: {}", path.display())]
    Io {
        /// What was being done, as an infinitive without "to".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another program of ours writes there.
    #[error("another program of Parallax is writing into it: {}", path.display())]
    InUse {
        /// The file or folder.
        path: PathBuf,
    },
    /// A picture file could not be decoded or encoded.
    #[error("cannot decode picture: {reason}: {}", path.display())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// How to put it right.
        hint: &'static str,
    },
    /// A frame's bytes do not fit its format and size.
    #[error("a {width}x{height} {format} frame has {expected} bytes, got {found}")]
    FrameBytes {
        /// Name of the pixel format.
        format: &'static str,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes that format and size ask for.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// A compressed frame cannot be decoded.
    #[error("a {width}x{height} {format} frame cannot be decoded: {reason}")]
    FramePicture {
        /// Name of the pixel format.
        format: &'static str,
        /// Width in pixels that the frame should have.
        width: u32,
        /// Height in pixels that the frame should have.
        height: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// A camera's numbers cannot be right.
    #[error("{what}: {}", path.as_deref().unwrap_or(Path::new("(given values)")).display())]
    Camera {
        /// Expected and found, such as `focal lengths must be positive, got fx = 0`.
        what: String,
        /// The camera file, where there is one.
        path: Option<PathBuf>,
    },
    /// A file is not in the form it should have.
    #[error("{what}: {}", path.display())]
    Malformed {
        /// Expected and found.
        what: String,
        /// The file.
        path: PathBuf,
        /// How to put it right.
        hint: &'static str,
    },
    /// A recording lacks something that was asked of it.
    #[error("{what}: {}", path.display())]
    Recording {
        /// What is missing or wrong.
        what: String,
        /// The recording.
        path: PathBuf,
        /// How to put it right.
        hint: &'static str,
    },
    /// A training run cannot be used for this.
    #[error("{what}: {}", path.display())]
    Run {
        /// Expected and found.
        what: String,
        /// The run folder or the file in it.
        path: PathBuf,
        /// How to put it right.
        hint: &'static str,
    },
    /// A labelled set is not usable.
    #[error("{what}: {}", path.display())]
    Labels {
        /// Expected and found.
        what: String,
        /// The label file, image or folder.
        path: PathBuf,
        /// How to put it right.
        hint: &'static str,
    },
    /// A bundle is not usable.
    #[error("{what}: {}", path.display())]
    Bundle {
        /// Expected and found.
        what: String,
        /// The bundle or the file in it.
        path: PathBuf,
        /// How to put it right.
        hint: &'static str,
    },
    /// Pictures come from another camera than the one that was expected.
    #[error("expected camera {expected}, found camera {found}: {}", path.display())]
    OtherCamera {
        /// Identities of the cameras that would have been right.
        expected: String,
        /// Identity of the camera found.
        found: String,
        /// Where it was found.
        path: PathBuf,
    },
    /// Two things that must have the same size do not.
    #[error("{what}: expected {expected:?}, found {found:?}")]
    SizeMismatch {
        /// What was compared.
        what: &'static str,
        /// Expected width and height.
        expected: (u32, u32),
        /// Found width and height.
        found: (u32, u32),
    },
    /// A network gave a NaN or an infinity where the largest logit decides about a class: there is no mask.
    #[error("the network gives {value} where numbers are expected, in {count} of {of} places")]
    NonFiniteLogits {
        /// The first such value.
        value: f32,
        /// Pixels without a number; of an int8 model, values that were to become integers.
        count: usize,
        /// Of so many.
        of: usize,
    },
}

/// What to do about pictures that cannot be written.
const NOT_WRITTEN: &str = "the picture is damaged, or its pixels have a form that the file's form lacks";

impl Error {
    /// What a user can do about it, where there is something general to say.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull => Some("the disk is full: free space or choose another --out"),
                std::io::ErrorKind::NotFound => Some("check the path; relative paths start at the current folder"),
                std::io::ErrorKind::AlreadyExists => Some("it is kept as it is: remove it or choose another name"),
                std::io::ErrorKind::PermissionDenied => Some("you lack permission: choose a folder you may use"),
                _ => None,
            },
            Self::InUse { .. } => Some("wait for it, stop it, or choose another folder"),
            Self::Camera { .. } => {
                Some("make the camera file anew for these pictures: `parallax-calib convert --help`")
            }
            Self::Picture { hint, .. }
            | Self::Malformed { hint, .. }
            | Self::Recording { hint, .. }
            | Self::Run { hint, .. }
            | Self::Labels { hint, .. }
            | Self::Bundle { hint, .. } => Some(hint),
            Self::OtherCamera { .. } => Some(
                "a network knows the camera it learned from: take pictures of that one, train with this one, or give \
                 --any-camera to go on all the same (`parallax-calib show` prints a camera file's identity)",
            ),
            Self::FramePicture { .. } => {
                Some("the picture was damaged on its way: check the cable, or ask for a lower rate")
            }
            Self::NonFiniteLogits { .. } => Some(
                "the weights are damaged, or the training diverged: export and pack the model again from a whole checkpoint",
            ),
            Self::FrameBytes { .. } | Self::SizeMismatch { .. } => None,
        }
    }

    /// Wraps an input/output error with what was being done and where.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// A frame that cannot be written into a recording, and why.
    pub(crate) fn unencodable(path: impl AsRef<Path>) -> impl FnOnce(String) -> Self {
        let path = path.as_ref().to_path_buf();
        move |reason| Self::Picture { path, reason, hint: NOT_WRITTEN }
    }

    /// Wraps a picture encoder's error; a full disk stays recognisable as one.
    pub fn picture(path: impl AsRef<Path>) -> impl FnOnce(image::ImageError) -> Self {
        let path = path.as_ref().to_path_buf();
        move |error| match error {
            image::ImageError::IoError(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
                Self::Io { action: "read or write picture", path, source }
            }
            other => Self::Picture { path, reason: other.to_string(), hint: NOT_WRITTEN },
        }
    }
}
