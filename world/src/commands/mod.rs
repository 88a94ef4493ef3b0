//! One file per subcommand.

pub(crate) mod boards;
pub(crate) mod render;
