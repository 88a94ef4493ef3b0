//! The report of a calibration: one HTML page without anything outside of it.
//!
//! | file | draws |
//! |---|---|
//! | `page` | the page, from top to bottom |
//! | `charts` | residuals, residuals over the picture, fields of numbers, bars |
//!
//! Everything on the page is also in the JSON object of [`crate::summary`], so that a number looked at can be had.

mod charts;
mod page;

pub use page::page;
