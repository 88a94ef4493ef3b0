//! The projective map between two planes.
//!
//! `q ~ H p`, estimated by the normalised direct linear transform: Hartley and Zisserman, *Multiple View Geometry*,
//! 2nd edition, algorithm 4.2.

use nalgebra::{DMatrix, Matrix3, Point2, Vector3};

/// A projective map from one plane to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homography(pub Matrix3<f64>);

impl Homography {
    /// The map that takes each first point nearest to its second one, in the algebraic sense; none for fewer than four
    /// pairs or when they lie on a line.
    pub fn fit(pairs: &[(Point2<f64>, Point2<f64>)]) -> Option<Self> {
        if pairs.len() < 4 {
            return None;
        }
        let from = normalising(pairs.iter().map(|pair| pair.0))?;
        let to = normalising(pairs.iter().map(|pair| pair.1))?;
        let mut rows = DMatrix::zeros(2 * pairs.len(), 9);
        for (index, (p, q)) in pairs.iter().enumerate() {
            let (p, q) = (from * Vector3::new(p.x, p.y, 1.0), to * Vector3::new(q.x, q.y, 1.0));
            for axis in 0..3 {
                rows[(2 * index, axis)] = p[axis];
                rows[(2 * index, 6 + axis)] = -q.x * p[axis];
                rows[(2 * index + 1, 3 + axis)] = p[axis];
                rows[(2 * index + 1, 6 + axis)] = -q.y * p[axis];
            }
        }
        // The eigenvector of AᵀA of the smallest eigenvalue is the right singular vector of the smallest singular value.
        let eigen = (rows.transpose() * &rows).symmetric_eigen();
        let h = eigen.eigenvectors.column(eigen.eigenvalues.imin()).into_owned();
        let h = Matrix3::from_row_slice(h.as_slice());
        let matrix = to.try_inverse()? * h * from;
        let scale = matrix.norm();
        let is_usable =
            matrix.iter().all(|value| value.is_finite()) && matrix.determinant().abs() > 1e-14 * scale.powi(3);
        is_usable.then(|| Self(matrix / scale))
    }

    /// Where the map takes a point; none for a point on its horizon.
    pub fn apply(&self, point: Point2<f64>) -> Option<Point2<f64>> {
        let q = self.0 * Vector3::new(point.x, point.y, 1.0);
        (q.z.abs() > 1e-12).then(|| Point2::new(q.x / q.z, q.y / q.z))
    }
}

/// Moves the centroid to the origin and scales the mean distance from it to √2.
fn normalising(points: impl Iterator<Item = Point2<f64>> + Clone) -> Option<Matrix3<f64>> {
    let count = points.clone().count() as f64;
    let center = points.clone().map(|point| point.coords).sum::<nalgebra::Vector2<f64>>() / count;
    let distance = points.map(|point| (point.coords - center).norm()).sum::<f64>() / count;
    let scale = std::f64::consts::SQRT_2 / distance;
    let matrix = Matrix3::new(scale, 0.0, -scale * center.x, 0.0, scale, -scale * center.y, 0.0, 0.0, 1.0);
    (distance > 1e-12).then_some(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_map_is_found_again() {
        let truth = Homography(Matrix3::new(1.2, 0.1, 30.0, -0.2, 0.9, 40.0, 1e-3, -5e-4, 1.0));
        let points = (0..12).map(|index| Point2::new(f64::from(index % 4) * 20.0, f64::from(index / 4) * 30.0));
        let pairs: Vec<_> = points.map(|point| (point, truth.apply(point).unwrap())).collect();
        let found = Homography::fit(&pairs).unwrap();
        for (p, q) in pairs {
            assert!((found.apply(p).unwrap() - q).norm() < 1e-9);
        }
    }

    #[test]
    fn points_on_a_line_have_no_map() {
        let pairs: Vec<_> = (0..6).map(|i| (Point2::new(f64::from(i), 0.0), Point2::new(f64::from(i), 1.0))).collect();
        assert_eq!(Homography::fit(&pairs), None);
        assert_eq!(Homography::fit(&pairs[..3]), None);
    }
}
