//! One file for each subcommand.

pub(crate) mod board;
pub(crate) mod capture;
pub(crate) mod check;
pub(crate) mod convert;
mod looking;
pub(crate) mod show;
pub(crate) mod solve;
pub(crate) mod undistort;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was done.
    Done,
    /// It was done, but some input was lost (pictures that cannot be read or do not belong), or the purpose was missed: the
    /// verdict is not what was asked for.
    DoneWithLostInput,
}
