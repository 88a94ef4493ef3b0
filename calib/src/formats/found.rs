//! What a file says of its cameras, before it is checked and put together.

use super::refusal::FORMS;
use super::unsaid::Unsaid;
use crate::{CameraPair, check_size, rectification};
use nalgebra::{Isometry3, Matrix3, Matrix4};
use parallax_core::camera::{Camera, CameraNumbers, baseline_of_pair, lens_family};
use parallax_core::{Error, Result};
use std::path::Path;

/// Longest baseline in metres that is believed of a file whose unit is not known.
const LONGEST_WITHOUT_UNIT_M: f64 = 5.0;
/// How far two statements about the place of the right camera may lie apart, as a part of the baseline (or radians): files
/// print five digits, and rectified and raw relations of one calibration agree to that.
const SAME_PLACE: f64 = 0.02;

/// The cameras of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// One, or the left and the right one.
    pub(super) cameras: Vec<FoundCamera>,
    /// `x_right = right_from_left · x_left`, metres, where the file says it in one place.
    pub(super) right_from_left: Option<Isometry3<f64>>,
}

/// One camera.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundCamera {
    /// What the file calls it, for messages; empty where it has one camera.
    pub(super) label: String,
    /// Its numbers; a width of 0 where the file does not say the size.
    pub(super) numbers: CameraNumbers,
    /// Where it sees what a body or rig sees: `x_camera = from_rig · x_rig`, metres.
    pub(super) from_rig: Option<Isometry3<f64>>,
}

impl Found {
    pub(super) fn one(numbers: CameraNumbers) -> Self {
        Self { cameras: vec![FoundCamera { numbers, ..FoundCamera::default() }], right_from_left: None }
    }

    /// The cameras, checked; of a pair with its rectification.
    pub(super) fn into_pair(self, path: &Path, unsaid: &Unsaid) -> Result<CameraPair> {
        let malformed = |what: String, hint| Error::Malformed { what, path: path.to_path_buf(), hint };
        let places = self.cameras.iter().map(|camera| camera.from_rig).collect::<Option<Vec<_>>>();
        let named = ["left", "right"];
        let is_pair = self.cameras.len() == 2;
        let cameras = self
            .cameras
            .into_iter()
            .zip(named)
            .map(|(found, name)| checked(found, if is_pair { name } else { "camera" }, path, unsaid));
        let mut cameras = cameras.collect::<Result<Vec<_>>>()?.into_iter();
        let left = cameras.next().ok_or_else(|| malformed("it holds no camera".into(), FORMS))?;
        let Some(right) = cameras.next() else { return Ok(CameraPair { left, right: None }) };
        if (left.width, left.height) != (right.width, right.height) {
            let what = format!(
                "the cameras of a pair must have one size, got {}x{} and {}x{}",
                left.width, left.height, right.width, right.height
            );
            return Err(malformed(what, "make both files for one picture size: `parallax-calib convert --resize`"));
        }
        let of_rig = places.as_deref().map(|places| places[1] * places[0].inverse());
        for relation in self.right_from_left.iter().zip(&of_rig) {
            if !are_same(relation.0, relation.1) {
                let what = "it says twice where the right camera is, and not the same".to_owned();
                return Err(malformed(what, "remove the one that is out of date"));
            }
        }
        paired(left, right, self.right_from_left.or(of_rig), unsaid).map_err(|what| {
            let hint = if what.contains("baseline") && unsaid.metres_per_unit.is_none() {
                "lengths are in the unit of the board's squares: name it, such as --unit mm"
            } else if what.contains("where the right camera is") {
                "name the file that does with --extrinsics (OpenCV's extrinsics.yml with R and T), or calibrate both cameras \
                 together"
            } else {
                "swap the cameras, or calibrate the pair again"
            };
            malformed(what, hint)
        })
    }
}

fn checked(found: FoundCamera, name: &str, path: &Path, unsaid: &Unsaid) -> Result<Camera> {
    let FoundCamera { label, mut numbers, .. } = found;
    let labelled = |what: String| if label.is_empty() { what } else { format!("{label}: {what}") };
    let malformed = |what: String, hint| Error::Malformed { what: labelled(what), path: path.to_path_buf(), hint };
    let own = (numbers.width != 0 && numbers.height != 0).then_some((numbers.width, numbers.height));
    (numbers.width, numbers.height) = check_size(own, unsaid.size, path)?;
    if numbers.name.is_empty() {
        name.clone_into(&mut numbers.name);
    }
    if let Some(model) = unsaid.model {
        if !numbers.model.is_empty() && lens_family(&numbers.model) != lens_family(model) {
            let what = format!("the file says that its lens is {}, --model says {model}", numbers.model);
            return Err(malformed(what, "leave --model out: it is for files that do not say their lens model"));
        }
        if numbers.model.is_empty() {
            model.clone_into(&mut numbers.model);
        }
    }
    if numbers.d.len() == 4 && numbers.model.is_empty() && numbers.d.iter().any(|&number| number != 0.0) {
        return Err(malformed(
            "it has four coefficients and does not say of which lens: k1 k2 p1 p2, or k1 k2 k3 k4 of a fisheye".into(),
            "say it: --model plumb_bob (cv2.calibrateCamera) or --model equidistant (cv2.fisheye.calibrate)",
        ));
    }
    numbers.into_camera().map_err(|what| Error::Camera { what: labelled(what), path: Some(path.to_path_buf()) })
}

/// The pair; from its P where these hold its place, else by a rectification of ours.
fn paired(
    mut left: Camera,
    mut right: Camera,
    relation: Option<Isometry3<f64>>,
    unsaid: &Unsaid,
) -> Result<CameraPair, String> {
    let is_rectified =
        left.projection[(0, 3)] != 0.0 || right.projection[(0, 3)] != 0.0 || right.projection[(1, 3)] != 0.0;
    let pair = if is_rectified {
        let baseline_m = baseline_of_pair(&left, &right)?;
        // A third camera is the origin: what both have in common is not the pair's. Else every bit stays.
        if left.projection[(0, 3)] != 0.0 {
            left.projection[(0, 3)] = 0.0;
            right = right.with_baseline(baseline_m);
        }
        CameraPair { left, right: Some(right) }
    } else {
        let relation = relation.ok_or("nothing says where the right camera is")?;
        rectification::of_pair(left, right, &relation)?
    };
    let (place, right) = (pair.right_from_left(), pair.right.as_ref());
    let baseline_m = right.map_or(Ok(0.0), |right| baseline_of_pair(&pair.left, right))?;
    if unsaid.metres_per_unit.is_none() && baseline_m > LONGEST_WITHOUT_UNIT_M {
        return Err(format!("a baseline of {baseline_m} m is not believed"));
    }
    match relation.zip(place) {
        Some((stated, found)) if !are_same(&stated, &found) => {
            Err("its P and R of rectification put the right camera elsewhere than its R and T".into())
        }
        _ => Ok(pair),
    }
}

fn are_same(one: &Isometry3<f64>, other: &Isometry3<f64>) -> bool {
    let place = |relation: &Isometry3<f64>| relation.inverse().translation.vector;
    let apart = (place(one) - place(other)).norm() / place(one).norm().max(f64::MIN_POSITIVE);
    apart < SAME_PLACE && one.rotation.angle_to(&other.rotation) < SAME_PLACE
}

/// The isometry in a 4×4 matrix, row by row; none when it is something else. 1e-3: files print rotations with few digits.
pub(super) fn rigid(numbers: &[f64]) -> Option<Isometry3<f64>> {
    let numbers: &[f64; 16] = numbers.try_into().ok()?;
    let matrix = Matrix4::from_row_slice(numbers);
    let rotation = matrix.fixed_view::<3, 3>(0, 0).into_owned();
    let last = matrix.row(3);
    let fits = is_rotation(&rotation) && last[3] == 1.0 && last.columns(0, 3).amax() == 0.0;
    fits.then(|| rectification::isometry(&rotation, matrix.fixed_view::<3, 1>(0, 3).into_owned()))
}

pub(super) fn is_rotation(rotation: &Matrix3<f64>) -> bool {
    (rotation * rotation.transpose() - Matrix3::identity()).amax() < 1e-3 && rotation.determinant() > 0.0
}
