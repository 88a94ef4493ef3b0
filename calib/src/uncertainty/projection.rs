//! How far a pixel may be off because the camera's numbers are not known better.
//!
//! For a fixed direction in front of the camera the pixel moves by `J δ` when the numbers change by δ. A part of that is
//! a rotation of the camera, which no user of a calibration notices, because the pose absorbs it (a shift of the
//! principal point is nearly a rotation). The rotation that fits best over the whole picture is taken off:
//!
//! ```text
//! J' = J - Jω M,    M = (Σ JωᵀJω)⁻¹ Σ JωᵀJ,    σ² = largest eigenvalue of J' Σ J'ᵀ
//! ```
//!
//! Reference: Kogan's mrcal documentation, *Projection uncertainty* (there the rotation is found by a Procrustes fit; to
//! first order it is the same).

use super::coverage::{COLUMNS, ROWS};
use crate::solve::SolvedCamera;
use nalgebra::{DMatrix, Matrix2x3, Matrix3, Point2, SMatrix, Vector3};

/// How far pixels may be off, over the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectionMap {
    /// Points along the width.
    pub columns: usize,
    /// Points along the height.
    pub rows: usize,
    /// Standard deviation in the worst direction at each point, pixels, row by row; the points are the middles of equal
    /// fields. NaN where the lens model shows nothing.
    pub sigma_px: Vec<f64>,
}

impl ProjectionMap {
    /// The value that a part of the picture stays below: 0.5 is the median, 1 the worst.
    pub fn quantile_px(&self, part: f64) -> f64 {
        let mut known: Vec<f64> = self.sigma_px.iter().copied().filter(|sigma| !sigma.is_nan()).collect();
        known.sort_by(f64::total_cmp);
        known
            .get(((known.len() as f64 * part) as usize).min(known.len().saturating_sub(1)))
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// The part of the points where the lens model shows nothing.
    pub fn empty_part(&self) -> f64 {
        let empty = self.sigma_px.iter().filter(|sigma| sigma.is_nan()).count();
        empty as f64 / self.sigma_px.len().max(1) as f64
    }

    /// The pixel of point `index`.
    pub fn pixel(&self, index: usize, size: (u32, u32)) -> Point2<f64> {
        point(index, self.columns, self.rows, size)
    }
}

/// Points along the width and height: twice as fine as coverage.
const POINTS: (usize, usize) = (2 * COLUMNS, 2 * ROWS);

fn point(index: usize, columns: usize, rows: usize, size: (u32, u32)) -> Point2<f64> {
    let at =
        |position: usize, count: usize, length: u32| (position as f64 + 0.5) / count as f64 * f64::from(length) - 0.5;
    Point2::new(at(index % columns, columns, size.0), at(index / columns, rows, size.1))
}

/// The map with what is needed to ask how it would change.
pub(super) struct Map {
    pub(super) sigmas: ProjectionMap,
    /// Mean of J'ᵀJ' over the picture: the trace of its product with a covariance is the mean variance of a pixel.
    pub(super) mean_square: DMatrix<f64>,
}

impl Map {
    pub(super) fn new(solved: &SolvedCamera, covariance: &DMatrix<f64>) -> Self {
        let (columns, rows) = POINTS;
        let size = (solved.camera.width, solved.camera.height);
        let derivatives: Vec<_> =
            (0..columns * rows).map(|index| derivatives(solved, point(index, columns, rows, size))).collect();
        let count = solved.numbers.len();
        let (mut square, mut cross) = (Matrix3::zeros(), DMatrix::zeros(3, count));
        for (by_numbers, by_rotation) in derivatives.iter().flatten() {
            square += by_rotation.transpose() * by_rotation;
            cross += by_rotation.transpose() * by_numbers;
        }
        let inverse = square.try_inverse().unwrap_or_else(Matrix3::zeros);
        let absorbed: DMatrix<f64> = DMatrix::from_iterator(3, 3, inverse.iter().copied()) * cross;
        let mut mean_square = DMatrix::zeros(count, count);
        let mut seen = 0.0;
        let sigma_px = derivatives
            .iter()
            .map(|derivatives| {
                let Some((by_numbers, by_rotation)) = derivatives else { return f64::NAN };
                let left = by_numbers - by_rotation * &absorbed;
                mean_square += left.transpose() * &left;
                seen += 1.0;
                let variance = &left * covariance * left.transpose();
                let variance = SMatrix::<f64, 2, 2>::from_iterator(variance.iter().copied());
                variance.symmetric_eigenvalues().max().max(0.0).sqrt()
            })
            .collect();
        mean_square /= f64::max(seen, 1.0);
        Self { sigmas: ProjectionMap { columns, rows, sigma_px }, mean_square }
    }
}

/// The derivatives of a pixel by the camera's numbers and by a rotation of the camera, for the direction seen there.
fn derivatives(solved: &SolvedCamera, pixel: Point2<f64>) -> Option<(DMatrix<f64>, Matrix2x3<f64>)> {
    let ray: Vector3<f64> = solved.camera.unproject(pixel)?.normalize();
    let projection = solved.lens.project(&solved.numbers, &ray)?;
    let count = solved.numbers.len();
    let by_numbers = DMatrix::from_fn(2, count, |axis, number| projection.by_numbers[number][axis]);
    Some((by_numbers, projection.by_point * -ray.cross_matrix()))
}
