//! Why an operator cannot be made.

/// The result of making an operator.
pub type Result<T, E = KernelError> = std::result::Result<T, E>;

/// An operator that these kernels do not compute exactly, or whose parts do not fit together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum KernelError {
    /// A size is zero, or larger than what is addressed with 32 bits.
    Size {
        /// What has the size.
        what: &'static str,
        /// The size.
        found: usize,
    },
    /// Two parts do not fit together.
    Mismatch {
        /// What has the wrong length.
        what: &'static str,
        /// The length that fits.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// The window is larger than the padded picture.
    WindowTooLarge {
        /// Extent of the window, with its dilation.
        window: usize,
        /// Extent of the picture, with its padding.
        picture: usize,
    },
    /// Reflected padding as wide as the picture.
    ReflectionTooWide {
        /// Width of the padding.
        padding: usize,
        /// Extent of the picture.
        picture: usize,
    },
    /// The sum of an output channel may leave 32 bits.
    Overflow {
        /// The channel.
        channel: usize,
    },
    /// A scale or multiplier that is not a positive, finite number.
    Scale {
        /// What has the scale.
        what: &'static str,
        /// The scale.
        found: f32,
    },
}

impl std::fmt::Display for KernelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Size { what, found } => write!(f, "expected a size from 1 to 2^31 for {what}, got {found}"),
            Self::Mismatch { what, expected, found } => write!(f, "expected {expected} {what}, got {found}"),
            Self::WindowTooLarge { window, picture } => {
                write!(f, "a window of {window} does not fit into a padded picture of {picture}")
            }
            Self::ReflectionTooWide { padding, picture } => {
                write!(f, "reflected padding of {padding} does not fit a picture of {picture}")
            }
            Self::Overflow { channel } => write!(f, "the sum of output channel {channel} may not fit into 32 bits"),
            Self::Scale { what, found } => write!(f, "expected a positive, finite {what}, got {found}"),
        }
    }
}

impl std::error::Error for KernelError {}
