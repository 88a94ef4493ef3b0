//! One file for each subcommand.

pub(crate) mod convert;
pub(crate) mod show;
pub(crate) mod undistort;
