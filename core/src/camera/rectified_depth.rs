//! Measured depth, brought into the rectified frame.
//!
//! Measurements belong to the picture as it was taken. Each goes through the lens, the rectification and the resize to the
//! place where the rectified frame shows its point; there it keeps its true z (which a rectifying rotation changes). Nothing is
//! mixed or filled in: a pixel takes the measurement nearest to its centre, of equally near ones the nearer surface, and a
//! pixel without one stays unmeasured. So sparse measurements stay about as dense as they were when a picture shrinks.

use super::{Camera, Intrinsics};
use crate::depth::DepthMap;
use nalgebra::{Point2, Vector3};

/// Measurements as the rectified camera has them, at `width` x `height` pixels.
///
/// `camera` is the lens that took the picture; without one the picture is taken as it is.
#[must_use]
pub fn rectified_depth(measured: &DepthMap, camera: Option<&Camera>, width: u32, height: u32) -> DepthMap {
    let (columns, rows) = (width as usize, height as usize);
    let lens = camera.filter(|camera| camera.needs_rectification());
    let place = |x: usize, y: usize, metres: f32| {
        let shares = ((x as f64 + 0.5) / f64::from(measured.width), (y as f64 + 0.5) / f64::from(measured.height));
        match lens {
            None => Some((shares.0 * f64::from(width) - 0.5, shares.1 * f64::from(height) - 0.5, metres)),
            Some(camera) => rectified(camera, shares, metres, width, height),
        }
    };
    let mut ranges = vec![0.0_f32; columns * rows];
    let mut offsets = vec![f64::INFINITY; columns * rows];
    for (at, metres) in measured.metres.iter().enumerate().filter(|(_, metres)| **metres > 0.0) {
        let (x, y) = (at % measured.width as usize, at / measured.width as usize);
        let Some((u, v, z)) = place(x, y, *metres) else { continue };
        let (column, row) = (u.round(), v.round());
        if column < 0.0 || row < 0.0 || column >= f64::from(width) || row >= f64::from(height) {
            continue;
        }
        let pixel = row as usize * columns + column as usize;
        let offset = (u - column).abs().max((v - row).abs());
        let equally_near = (offset - offsets[pixel]).abs() < SAME_OFFSET_PX;
        if (equally_near && z < ranges[pixel]) || (!equally_near && offset < offsets[pixel]) {
            ranges[pixel] = z;
            offsets[pixel] = offset;
        }
    }
    DepthMap { width, height, metres: ranges }
}

/// Offsets from a pixel's centre that count as equal: rounding must not choose the surface.
const SAME_OFFSET_PX: f64 = 1e-6;

fn rectified(camera: &Camera, shares: (f64, f64), metres: f32, width: u32, height: u32) -> Option<(f64, f64, f32)> {
    let raw = Point2::new(shares.0 * f64::from(camera.width) - 0.5, shares.1 * f64::from(camera.height) - 0.5);
    let point: Vector3<f64> = camera.rectification * camera.unproject(raw)? * f64::from(metres);
    let Intrinsics { fx, fy, cx, cy } = camera.rectified().resized(width, height).intrinsics;
    (point.z > 0.0).then(|| (fx * point.x / point.z + cx, fy * point.y / point.z + cy, point.z as f32))
}

#[cfg(test)]
mod tests {
    use super::super::Distortion;
    use super::*;
    use nalgebra::Point3;

    #[test]
    fn a_dense_map_of_the_frame_s_size_stays_as_it_is() {
        let metres: Vec<f32> = (0..12).map(|i| if i == 5 { 0.0 } else { i as f32 + 1.0 }).collect();
        let map = DepthMap { width: 4, height: 3, metres: metres.clone() };
        assert_eq!(rectified_depth(&map, None, 4, 3).metres, metres);
    }

    #[test]
    fn shrinking_keeps_every_lonely_measurement_and_the_nearer_of_two() {
        let mut map = DepthMap::unmeasured(4, 2);
        map.metres = vec![0.0, 9.0, 0.0, 0.0, 0.0, 3.0, 7.0, 0.0];
        assert_eq!(rectified_depth(&map, None, 2, 1).metres, [3.0, 7.0]);
    }

    #[test]
    fn a_measurement_goes_where_the_rectified_camera_sees_its_point() {
        let intrinsics = Intrinsics { fx: 80.0, fy: 80.0, cx: 63.5, cy: 31.5 };
        let turn = nalgebra::Rotation3::from_euler_angles(0.02, -0.05, 0.03);
        let camera = Camera {
            distortion: Distortion::PlumbBob([-0.2, 0.03, 1e-3, 0.0, 0.0]),
            rectification: turn.into_inner(),
            ..Camera::pinhole("left", 128, 64, intrinsics)
        };
        let mut map = DepthMap::unmeasured(128, 64);
        map.metres[20 * 128 + 30] = 6.0;
        let ranges = rectified_depth(&map, Some(&camera), 64, 32).metres;
        let point = camera.unproject(Point2::new(30.0, 20.0)).unwrap() * 6.0;
        let seen = camera.rectified().resized(64, 32).project(&Point3::from(turn * point)).unwrap();
        let at = seen.y.round() as usize * 64 + seen.x.round() as usize;
        assert!((f64::from(ranges[at]) - (turn * point).z).abs() < 1e-5);
        assert_eq!(ranges.iter().filter(|range| **range > 0.0).count(), 1);
    }
}
