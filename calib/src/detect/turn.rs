//! Quarter turns of a lattice.

/// A place turned clockwise (y down) about the origin.
pub(super) const fn turned((x, y): (i32, i32), quarters: usize) -> (i32, i32) {
    match quarters % 4 {
        0 => (x, y),
        1 => (-y, x),
        2 => (-x, -y),
        _ => (y, -x),
    }
}
