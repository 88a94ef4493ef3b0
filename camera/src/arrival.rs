//! What a source answers when it is asked for a frame.

use std::time::Duration;

/// What came of asking for the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A frame that was not handed out before.
    Fresh {
        /// Frames missing between the last one handed out and this one, by their numbers.
        dropped: u64,
        /// How long the source was lost just before this frame.
        away: Option<Duration>,
    },
    /// Nothing new within the patience.
    Nothing,
    /// No frame will come any more.
    End,
}
