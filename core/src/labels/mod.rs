//! The labelled set: pictures, their label maps, and the classes.
//!
//! ```text
//! SET/images/NAME.png|jpg     the pictures
//! SET/labels/NAME.png         pictures of the same size whose pixels are ids or colours of classes
//! SET/classes.toml            what each index means (see docs/formats.md)
//! ```
//!
//! | file | what |
//! |---|---|
//! | `classes` | the classes of a set and their values in label pictures |
//! | `label_map` | one label picture as dense class indices |
//! | `label_picture` | from ids or colours to classes |
//! | `pairing` | which labels belong to which picture, by their names |
//! | `set` | the folder: reading, drawing few at random, writing |

mod classes;
mod label_map;
mod label_picture;
mod pairing;
mod set;
#[cfg(test)]
mod tests;

pub use classes::{Class, Classes, Unlisted};
pub use label_map::LabelMap;
pub use set::{LabelledSet, LabelledSetWriter, Split};

/// The value in a [`LabelMap`] of a pixel that has no class and counts nowhere.
pub const IGNORE: u8 = 255;
