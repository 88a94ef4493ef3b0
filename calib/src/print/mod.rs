//! Boards on paper, at true scale.
//!
//! The page carries what a user must know to calibrate with it: the board's text for `--board`, and a line of 100 mm to
//! check the printer with ("fit to page" shrinks boards by a few per cent, and with them every distance).

mod page;
mod paper;
mod pdf;
mod svg;

pub use page::Page;
pub use paper::Paper;
pub use pdf::pdf;
pub use svg::svg;
