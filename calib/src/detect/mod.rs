//! Finding a board in a picture: which corner is where, to a fraction of a pixel.
//!
//! | step | file | result |
//! |---|---|---|
//! | 1 | `junctions` | places where two dark and two light sectors meet, with their edge directions |
//! | 2 | `links` | which junctions are joined by an edge, dark on one side and light on the other all along |
//! | 3 | `lattice` | linked junctions get integer coordinates |
//! | 4 | `markers` | bits of the fields, for boards with markers |
//! | 5 | `place` | which lattice corner is which corner of the board |
//! |   | `fill` | corners that step 1 missed are looked for where their neighbours (`local`) say they must be |
//! | 6 | `subpixel` | final positions, from a window that fits between the neighbours |
//! |   | `search` | all of this, at one scale after the other |
//!
//! Steps 2 and 3 follow edges from corner to corner, so nothing in them assumes straight lines across the picture: wide
//! lenses and tilted boards are found as well.

mod detection;
mod fill;
mod homography;
mod junctions;
mod lattice;
mod links;
mod local;
mod markers;
mod place;
mod search;
mod subpixel;
mod turn;

pub use detection::{Corner, Detection, LEAST_CORNERS};
pub use homography::Homography;
pub use place::NotFound;
pub use search::detect;
