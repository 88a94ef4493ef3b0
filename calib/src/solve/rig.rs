//! What is solved for: cameras, where the board was in each view, and the shape of the board.
//!
//! A point of the board goes to a pixel over
//!
//! ```text
//! board --rig_from_board--> rig --camera_from_rig--> camera --lens--> pixel
//! ```
//!
//! The rig's frame is the first camera's. Small changes of a pose are a rotation vector ω and a translation t on its
//! left: p' = p + ω × p + t.

use super::lens::Lens;
use nalgebra::{Isometry3, Matrix3, Matrix3x6, Point2, Translation3, UnitQuaternion, Vector2, Vector3, Vector6};
use parallax_core::board::Board;

/// One camera of a rig.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RigCamera {
    pub(crate) lens: Lens,
    /// fx, fy, cx, cy and the lens's coefficients.
    pub(crate) numbers: Vec<f64>,
    /// The identity for the first camera.
    pub(crate) camera_from_rig: Isometry3<f64>,
}

/// Everything that is estimated.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "poses are named to_from throughout, and the rig is one of the frames")]
pub(crate) struct Rig {
    pub(crate) cameras: Vec<RigCamera>,
    /// For each view, where the board was.
    pub(crate) rig_from_board: Vec<Isometry3<f64>>,
    /// How far the board's middle stands out of its plane, towards z, by its curvature along x and along y, metres.
    pub(crate) warp_m: [f64; 2],
}

/// One seen corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Observation {
    pub(crate) camera: usize,
    pub(crate) number: usize,
    pub(crate) pixel: Point2<f64>,
}

/// The corners of a board with the parabolas along which a board bends.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    flat: Vec<Vector3<f64>>,
    /// 1 - (2 x / width)² and the same for y, x and y counted from the middle: 1 in the middle, 0 at the edges.
    bend: Vec<[f64; 2]>,
}

impl Target {
    pub(crate) fn new(board: &Board) -> Self {
        let flat: Vec<Vector3<f64>> = board.corners().iter().map(|corner| corner.coords).collect();
        let last = flat.last().copied().unwrap_or_else(Vector3::zeros);
        let parabola = |value: f64, length: f64| 1.0 - (2.0 * value / length - 1.0).powi(2);
        let bend = flat.iter().map(|corner| [parabola(corner.x, last.x), parabola(corner.y, last.y)]).collect();
        Self { flat, bend }
    }

    pub(crate) fn point(&self, number: usize, warp_m: [f64; 2]) -> Vector3<f64> {
        let [along_x, along_y] = self.bend[number];
        self.flat[number] + Vector3::z() * (warp_m[0] * along_x + warp_m[1] * along_y)
    }

    pub(crate) fn bend(&self, number: usize) -> [f64; 2] {
        self.bend[number]
    }

    /// The middle of the print.
    pub(crate) fn middle(&self) -> Vector3<f64> {
        self.flat.last().map_or_else(Vector3::zeros, |last| last / 2.0)
    }

    /// The place of a corner on the flat print.
    pub(crate) fn on_print(&self, number: usize) -> Point2<f64> {
        self.flat[number].xy().into()
    }
}

/// Where the numbers that all views share stand in the vector of unknowns.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Index of each camera's first number.
    pub(crate) numbers: Vec<usize>,
    /// Index of each further camera's pose.
    pub(crate) poses: Vec<Option<usize>>,
    /// Index of the board's two warps.
    pub(crate) warp: usize,
    pub(crate) count: usize,
}

impl Layout {
    pub(crate) fn of(rig: &Rig) -> Self {
        let (mut numbers, mut poses, mut count) = (Vec::new(), Vec::new(), 0);
        for (index, camera) in rig.cameras.iter().enumerate() {
            numbers.push(count);
            count += camera.numbers.len();
            poses.push((index > 0).then_some(count));
            count += if index > 0 { 6 } else { 0 };
        }
        Self { numbers, poses, warp: count, count: count + 2 }
    }
}

/// The error of one corner and its derivatives.
pub(crate) struct Linearised {
    /// Seen minus expected pixel.
    pub(crate) error: Vector2<f64>,
    /// The derivative of the expected pixel by shared unknowns: pairs of index and change.
    pub(crate) by_shared: Vec<(usize, Vector2<f64>)>,
    /// The same by the view's pose: ω, t.
    pub(crate) by_pose: nalgebra::Matrix2x6<f64>,
}

impl Rig {
    /// The expected pixel of a corner; none when it is not in front of the camera.
    pub(crate) fn pixel(&self, target: &Target, view: usize, camera: usize, number: usize) -> Option<Point2<f64>> {
        let RigCamera { lens, numbers, camera_from_rig } = &self.cameras[camera];
        let in_rig = self.rig_from_board[view] * nalgebra::Point3::from(target.point(number, self.warp_m));
        Some(lens.project(numbers, &(camera_from_rig * in_rig).coords)?.pixel)
    }

    /// The error of an observation with derivatives; none when the corner is not in front of the camera.
    pub(crate) fn linearise(
        &self,
        target: &Target,
        layout: &Layout,
        view: usize,
        seen: &Observation,
    ) -> Option<Linearised> {
        let RigCamera { lens, numbers, camera_from_rig } = &self.cameras[seen.camera];
        let rig_from_board = &self.rig_from_board[view];
        let on_board = target.point(seen.number, self.warp_m);
        let in_rig = (rig_from_board * nalgebra::Point3::from(on_board)).coords;
        let in_camera = (camera_from_rig * nalgebra::Point3::from(in_rig)).coords;
        let projection = lens.project(numbers, &in_camera)?;
        let by_rig = projection.by_point * camera_from_rig.rotation.to_rotation_matrix().into_inner();
        let mut by_shared = Vec::with_capacity(numbers.len() + 8);
        let first = layout.numbers[seen.camera];
        by_shared.extend(projection.by_numbers[..numbers.len()].iter().enumerate().map(|(i, by)| (first + i, *by)));
        if let Some(pose) = layout.poses[seen.camera] {
            let by_pose = projection.by_point * by_change(&in_camera);
            by_shared.extend((0..6).map(|i| (pose + i, by_pose.column(i).into_owned())));
        }
        let by_height = by_rig * (rig_from_board.rotation * Vector3::z());
        for (axis, bend) in target.bend(seen.number).into_iter().enumerate() {
            by_shared.push((layout.warp + axis, by_height * bend));
        }
        let by_pose = by_rig * by_change(&in_rig);
        Some(Linearised { error: seen.pixel - projection.pixel, by_shared, by_pose })
    }

    /// This rig with the shared unknowns changed.
    pub(crate) fn change_shared(&mut self, layout: &Layout, change: &[f64]) {
        for (index, camera) in self.cameras.iter_mut().enumerate() {
            for (number, delta) in camera.numbers.iter_mut().zip(&change[layout.numbers[index]..]) {
                *number += delta;
            }
            if let Some(pose) = layout.poses[index] {
                camera.camera_from_rig =
                    changed(&camera.camera_from_rig, &Vector6::from_column_slice(&change[pose..pose + 6]));
            }
        }
        for axis in 0..2 {
            self.warp_m[axis] += change[layout.warp + axis];
        }
    }
}

/// A pose after a small change on its left.
pub(crate) fn changed(pose: &Isometry3<f64>, change: &Vector6<f64>) -> Isometry3<f64> {
    let rotation = UnitQuaternion::from_scaled_axis(Vector3::new(change[0], change[1], change[2]));
    let mut pose = Isometry3::from_parts(
        Translation3::from(rotation * pose.translation.vector + Vector3::new(change[3], change[4], change[5])),
        rotation * pose.rotation,
    );
    pose.rotation.renormalize();
    pose
}

/// The derivative of a point by a small change of the pose that brought it there: `[-[p]×, I]`.
fn by_change(point: &Vector3<f64>) -> Matrix3x6<f64> {
    let mut by = Matrix3x6::zeros();
    by.fixed_view_mut::<3, 3>(0, 0).copy_from(&-point.cross_matrix());
    by.fixed_view_mut::<3, 3>(0, 3).copy_from(&Matrix3::identity());
    by
}
