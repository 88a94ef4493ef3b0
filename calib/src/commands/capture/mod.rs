//! `parallax-calib capture`: a camera and a board in somebody's hands → views, and the camera files.

mod events;
mod page;
mod run;
mod terminal;

pub(crate) use run::run;
