//! The page: the live picture with what was found in it, what is covered, and the view to take next.
//!
//! | address | what |
//! |---|---|
//! | `/` | the page |
//! | `/stream` | Motion-JPEG, for any viewer |
//! | `/status.json` | [`Status`](super::Status), and `lost`: what happened to the camera |
//!
//! One thread serves, whatever the number of visitors. Pictures are drawn and encoded only while somebody looks.

mod drawing;
mod server;

pub use server::Page;
