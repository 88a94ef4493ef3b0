//! Pictures for people, over HTTP: what every page of ours has in common.
//!
//! | file | what it does |
//! |---|---|
//! | `visitors` | which address may be served, and the token that it needs |
//! | `access` | who may see it (feature `preview`) |
//! | `newest` | the newest picture of a view, as Motion-JPEG for as many visitors as there are (feature `preview`) |
//! | `listener`, `patient` | how many may come, and how long one may not read (feature `preview`) |
//! | `door` | the door of a page, and what holds for every answer (feature `preview`) |
//!
//! Behind a feature, because `axum` makes a build of the whole workspace compile burn anew (docs/decisions/0018).

#[cfg(feature = "live")]
mod access;
#[cfg(feature = "live")]
mod door;
#[cfg(feature = "live")]
mod listener;
#[cfg(feature = "live")]
mod newest;
#[cfg(feature = "live")]
mod patient;
mod visitors;

#[cfg(feature = "live")]
pub use access::is_this_machine;
#[cfg(feature = "live")]
pub use door::{Door, json, text};
#[cfg(feature = "live")]
pub use listener::{Listener, Visit};
#[cfg(feature = "live")]
pub use newest::{Jpeg, Newest};
pub use visitors::{Visitors, visitors};
