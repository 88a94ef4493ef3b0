//! A board that somebody moves about before a camera, rendered: held still, on its way, out of focus, gone.

#![allow(dead_code, unused_imports, reason = "each test program uses its part")]

mod film;

pub(crate) use film::{BOARD, Film, Held, SIZE, STILL};
