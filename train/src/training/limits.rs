//! What no pre-training run may exceed.

use parallax_models::Network;

use super::LoopConfig;
use crate::Error;

/// Larger frames than any network here is meant for; most likely a typing error.
const LARGEST_SIDE: usize = 4096;

/// Beyond this a batch no longer fits any machine at useful sizes.
const LARGEST_BATCH: usize = 512;

/// Checks size, batch and the loop's numbers.
///
/// # Errors
/// Names the first setting that makes no sense.
pub fn check(
    network: Network,
    (width, height): (usize, usize),
    batch: usize,
    training: &LoopConfig,
) -> Result<(), Error> {
    network.check_size(width, height)?;
    let wrong = |what: String, hint| Err(Error::Settings { what, hint });
    let LoopConfig { steps, learning_rate, .. } = *training;
    if width.max(height) > LARGEST_SIDE {
        let what = format!("expected a size of at most {LARGEST_SIDE} pixels, got {width}x{height}");
        return wrong(what, "training works on reduced frames, for example 640x192");
    }
    if steps == 0 || batch == 0 {
        return wrong("--steps and --batch must be at least 1".into(), "leave them out for the defaults");
    }
    if batch > LARGEST_BATCH {
        let what = format!("expected a batch of at most {LARGEST_BATCH}, got {batch}");
        return wrong(what, "the paper trains with 12");
    }
    if !(learning_rate > 0.0 && learning_rate <= 1.0) {
        return wrong(format!("expected a learning rate in (0, 1], got {learning_rate}"), "the paper uses 1e-4");
    }
    Ok(())
}
