//! What no pre-training run may exceed.

use parallax_models::Network;

use crate::Error;

/// Larger frames than any network here is meant for; most likely a typing error.
const LARGEST_SIDE: usize = 4096;

/// Beyond this a batch no longer fits any machine at useful sizes.
const LARGEST_BATCH: usize = 512;

/// Checks the size that a network works at.
///
/// # Errors
/// When it is no size of the network, or larger than makes sense.
pub fn check_size(network: Network, (width, height): (usize, usize)) -> Result<(), Error> {
    network.check_size(width, height)?;
    if width.max(height) > LARGEST_SIDE {
        let what = format!("expected a size of at most {LARGEST_SIDE} pixels, got {width}x{height}");
        return Err(Error::Settings { what, hint: "training works on reduced frames, for example 640x192" });
    }
    Ok(())
}

/// Checks the number of images per step.
///
/// # Errors
/// When it is 0, or larger than makes sense.
pub fn check_batch(batch: usize) -> Result<(), Error> {
    if (1..=LARGEST_BATCH).contains(&batch) {
        return Ok(());
    }
    let what = format!("expected a batch of 1 to {LARGEST_BATCH}, got {batch}");
    Err(Error::Settings { what, hint: "the paper trains with 12; leave --batch out for the default" })
}
