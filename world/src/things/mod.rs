//! What stands and moves in a place, one file per kind. Each builds solids from a few choices; where things go is `layout`'s part.

pub(crate) mod building;
pub(crate) mod fence;
pub(crate) mod person;
pub(crate) mod plant;
pub(crate) mod pole;
pub(crate) mod vehicle;
