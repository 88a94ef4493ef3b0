//! Two cameras side by side: where they are to each other, and the rectification that puts a point into the same row of
//! both pictures.

mod join;
mod pair;
mod pairing;

pub use crate::rectification::Epipolar;
pub(crate) use join::join;
pub use pair::Pair;
