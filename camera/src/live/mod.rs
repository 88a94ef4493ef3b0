//! Live sources: a capture thread that never lets the consumer see an old picture.
//!
//! ```text
//! device ─▶ [capture]: looks, judges, opens again ─▶ [mailbox]: the newest picture ─▶ Live::next_into
//! ```

mod capture;
mod counters;
mod device;
mod mailbox;
mod source;

pub use counters::Counters;
pub(crate) use device::{Device, Look, Opened, Opener};
pub(crate) use source::Live;
