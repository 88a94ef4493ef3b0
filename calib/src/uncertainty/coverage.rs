//! Where in the picture corners were seen. Distortion is only known where there were some.

use crate::solve::Solution;
use nalgebra::Point2;

/// Fields over the picture's width. A field of an eighth is small enough that a lens bends little within it.
pub(crate) const COLUMNS: usize = 8;
/// Fields over its height.
pub(crate) const ROWS: usize = 6;

/// Corners in use by field of the picture, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Fields along the width.
    pub columns: usize,
    /// Fields along the height.
    pub rows: usize,
    /// Corners in each field.
    pub corners: Vec<u32>,
}

impl Coverage {
    /// The part of the fields in which a corner was seen.
    pub fn part(&self) -> f64 {
        let covered = self.corners.iter().filter(|&&count| count > 0).count();
        covered as f64 / self.corners.len().max(1) as f64
    }

    /// Counts pixels of a picture of this size.
    pub fn count(size: (u32, u32), pixels: impl Iterator<Item = Point2<f64>>) -> Self {
        let mut corners = vec![0; COLUMNS * ROWS];
        let field = |at: f64, length: u32, fields: usize| {
            let part = (at + 0.5) / f64::from(length) * fields as f64;
            (part.max(0.0) as usize).min(fields - 1)
        };
        for pixel in pixels {
            corners[field(pixel.y, size.1, ROWS) * COLUMNS + field(pixel.x, size.0, COLUMNS)] += 1;
        }
        Self { columns: COLUMNS, rows: ROWS, corners }
    }
}

pub(super) fn of(solution: &Solution, camera: usize) -> Coverage {
    let size = (solution.cameras[camera].camera.width, solution.cameras[camera].camera.height);
    let corners = solution.used_views().flat_map(|view| &view.corners);
    let used = corners.filter(|corner| corner.camera == camera && corner.is_used);
    Coverage::count(size, used.map(|corner| corner.pixel))
}
