//! A stream of bytes that can be waited for.

use crate::{Fault, Result};
use std::time::Duration;

/// What a read of bytes gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// This many, at least one.
    Some(usize),
    /// None within the patience.
    Nothing,
    /// The stream has ended, and that is no fault.
    End,
}

/// A stream of bytes that can be waited for.
pub(crate) trait ByteStream: Send {
    /// Reads what there is, waiting for it `patience` at most.
    ///
    /// # Errors
    /// The stream is broken.
    fn read(&mut self, buffer: &mut [u8], patience: Duration) -> Result<Bytes, Fault>;
}
