//! What stands behind a live source: a device that is looked at again and again, and how it is opened.

use crate::{Description, Fault, Result, Shot};
use std::time::Duration;

/// What one look at a device gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A new picture is in the shot.
    Fresh,
    /// No picture within the patience.
    Nothing,
    /// A picture came that is of no use: short, torn, or marked as wrong by the driver.
    Corrupt,
    /// There will be no more, and that is no fault.
    End,
}

/// An open device.
///
/// Its frames carry its own time stamps on [`crate::now`]'s clock, 0 for none, and its own sequence numbers.
pub(crate) trait Device: Send {
    /// Waits for a picture, `patience` at most, and writes the newest one into `shot`, whose buffers it uses again.
    ///
    /// # Errors
    /// The device has to be opened again.
    fn look(&mut self, shot: &mut Shot, patience: Duration) -> Result<Look, Fault>;
}

/// Knows how to open a device, the first time and every time it was lost.
pub(crate) trait Opener: Send {
    /// Opens it. What takes its time asks now and then whether it still `goes_on`.
    ///
    /// # Errors
    /// Why it cannot be opened now.
    fn open(&mut self, goes_on: &dyn Fn() -> bool) -> Result<Opened>;
}

/// A device that was just opened.
pub(crate) struct Opened {
    pub(crate) device: Box<dyn Device>,
    pub(crate) description: Description,
}
