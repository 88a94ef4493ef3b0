//! The board around one of its corners as the picture shows it: where the corner must be, how the lattice lines run there
//! and how the lens bends them.
//!
//! A homography of the neighbours holds the perspective, a quadratic in the board's coordinates what the lens adds to it:
//!
//! ```text
//! pixel(p) = H(p) + B (1, x, y, x², xy, y²)ᵀ,   (x, y) = (p - corner) / spacing
//! ```
//!
//! Both are least squares over neighbours within a few lattice steps, the quadratic with weights that fall with the
//! distance.

use super::homography::Homography;
use nalgebra::{DMatrix, DVector, Matrix2, Matrix6, Matrix6x2, Point2, SMatrix, Vector2, Vector6};

/// Neighbours that a homography needs: four give any answer, the fifth and sixth contradict a wrong one.
pub(super) const LEAST_NEIGHBOURS: usize = 6;
/// Neighbours from which on the quadratic is fitted as well: twelve unknowns besides the homography's eight are well
/// determined by the 28 numbers of fourteen.
const LEAST_TO_BEND: usize = 14;
/// Counts like a measurement of 0 with this weight against the quadratic, so that neighbours in one row do not leave it
/// open. A neighbour next to the corner counts one half.
const RIDGE: f64 = 1e-3;

/// A map from the board's plane to the picture that holds near one corner.
#[derive(Clone, Debug)]
pub(super) struct LocalMap {
    homography: Homography,
    bend: Matrix6x2<f64>,
    middle: Point2<f64>,
    spacing_m: f64,
}

impl LocalMap {
    /// The map near `middle` from other corners: where they are on the board, metres, and in the picture. None when they
    /// are too few or lie on a line.
    pub(super) fn fit(middle: Point2<f64>, spacing_m: f64, neighbours: &[(Point2<f64>, Point2<f64>)]) -> Option<Self> {
        if neighbours.len() < LEAST_NEIGHBOURS {
            return None;
        }
        let homography = Homography::fit(neighbours)?;
        let mut map = Self { homography, bend: SMatrix::zeros(), middle, spacing_m };
        if neighbours.len() >= LEAST_TO_BEND {
            let (mut square, mut moment) = (Matrix6::identity() * RIDGE, Matrix6x2::zeros());
            for (place, pixel) in neighbours {
                let row = map.powers(*place);
                let weight = 1.0 / (1.0 + row[1] * row[1] + row[2] * row[2]);
                square += row * row.transpose() * weight;
                moment += row * (pixel - homography.apply(*place)?).transpose() * weight;
            }
            map.bend = square.cholesky()?.solve(&moment);
        }
        Some(map)
    }

    fn powers(&self, place: Point2<f64>) -> Vector6<f64> {
        let p = (place - self.middle) / self.spacing_m;
        Vector6::new(1.0, p.x, p.y, p.x * p.x, p.x * p.y, p.y * p.y)
    }

    /// Where a point of the board is seen; none on the horizon.
    pub(super) fn at(&self, place: Point2<f64>) -> Option<Point2<f64>> {
        Some(self.homography.apply(place)? + self.bend.transpose() * self.powers(place))
    }

    /// The lattice lines through the corner, taken as straight.
    pub(super) fn lines(&self) -> Option<Lines> {
        let step = self.spacing_m / 2.0;
        let seen = |x: f64, y: f64| self.at(self.middle + Vector2::new(x, y) * step);
        let right = (seen(1.0, 0.0)? - seen(-1.0, 0.0)?) / (2.0 * step);
        let down = (seen(0.0, 1.0)? - seen(0.0, -1.0)?) / (2.0 * step);
        let axes = Matrix2::from_columns(&[right, down]);
        let is_usable = axes.determinant() > 1e-3 * right.norm() * down.norm();
        is_usable.then_some(Lines { axes, curvatures: [0.0; 2] })
    }
}

/// The two lattice lines through a corner, in the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    /// Columns: pixels for a metre to the right and for a metre down on the board.
    pub(super) axes: Matrix2<f64>,
    /// Curvatures of the line to the right and of the line down, 1/pixels; positive towards the field to the lower right.
    pub(super) curvatures: [f64; 2],
}

impl Lines {
    /// Pixels for a metre along the axis that is seen shorter.
    pub(super) fn least_px_per_m(&self) -> f64 {
        self.axes.column(0).norm().min(self.axes.column(1).norm())
    }

    /// The line along axis `index` (0: right, 1: down) bent so that it goes through other corners on it, given by their
    /// offsets in pixels, the nearest first. A line on the board stays straight in every tilt, so what bends it is the
    /// lens alone.
    pub(super) fn bent(mut self, index: usize, on_line: &[Vector2<f64>]) -> Self {
        let along = self.axes.column(index).normalize();
        let towards = if index == 0 { Vector2::new(-along.y, along.x) } else { Vector2::new(along.y, -along.x) };
        let powers = on_line.len().min(MOST_POWERS);
        if powers < 2 {
            return self;
        }
        // n(t) = a t + b t² + c t³ + d t⁴ through the corners, in units of the farthest one.
        let scale = on_line[..powers].iter().map(nalgebra::Matrix::norm).fold(0.0, f64::max);
        let place = |row: usize| on_line[row].dot(&along) / scale;
        let square = DMatrix::from_fn(powers, powers, |row, power| place(row).powi(power as i32 + 1));
        let aside = DVector::from_fn(powers, |row, _| on_line[row].dot(&towards) / scale);
        if let Some(bent) = square.lu().solve(&aside) {
            // The tangent need not be the axis that was guessed: κ = n″ / (1 + n′²)^{3/2}.
            self.curvatures[index] = 2.0 * bent[1] / scale / (1.0 + bent[0] * bent[0]).powf(1.5);
        }
        self
    }
}

/// Corners on a line that its curvature is taken from: two to each side.
pub(super) const MOST_POWERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use parallax_core::camera::{Camera, Distortion, Intrinsics};

    #[test]
    fn a_corner_at_the_edge_of_a_board_before_a_fisheye_is_predicted() {
        let intrinsics = Intrinsics { fx: 365.0, fy: 365.0, cx: 480.0, cy: 360.0 };
        let distortion = Distortion::Equidistant([-0.02, 0.006, -0.004, 0.0006]);
        let camera = Camera { distortion, ..Camera::pinhole("left", 960, 720, intrinsics) };
        let turn = nalgebra::Rotation3::from_euler_angles(0.5, -0.7, 0.2);
        let seen = |place: Point2<f64>| {
            let point = turn * nalgebra::Point3::new(place.x, place.y, 0.0) + nalgebra::Vector3::new(-0.2, -0.1, 0.35);
            camera.project(&point).unwrap()
        };
        // The lattice of an AprilGrid, tags of 50 mm with gaps of 15 mm.
        let line = |index: i32| 0.065 * f64::from(index / 2) + 0.05 * f64::from(index % 2);
        let known = (0..25).map(|index| Point2::new(line(index % 5), line(1 + index / 5)));
        let pairs: Vec<_> = known.map(|place| (place, seen(place))).collect();
        for column in 0..5 {
            let missing = Point2::new(line(column), 0.0);
            let map = LocalMap::fit(missing, 0.015, &pairs).unwrap();
            let off = (map.at(missing).unwrap() - seen(missing)).norm();
            assert!(off < 2.0, "column {column}: {off} px");
        }
    }

    #[test]
    fn a_line_through_points_of_a_circle_has_its_curvature() {
        let (radius, turn) = (600.0, nalgebra::Rotation2::new(0.3));
        let point = |t: f64| turn * Vector2::new(radius * (t / radius).sin(), radius - radius * (t / radius).cos());
        // The axis is a little off the tangent.
        let axes = nalgebra::Rotation2::new(0.32).into_inner() * 1000.0;
        let lines = Lines { axes, curvatures: [0.0; 2] };
        for places in [&[40.0, -40.0, 80.0, -80.0][..], &[40.0, 80.0, 120.0, 160.0]] {
            let on_line: Vec<_> = places.iter().map(|&t| point(t)).collect();
            let bent = lines.bent(0, &on_line);
            assert!((bent.curvatures[0] * radius - 1.0).abs() < 0.01, "{:?}", bent.curvatures);
        }
        assert_eq!(lines.bent(1, &[point(40.0)]).curvatures, [0.0; 2]);
    }
}
