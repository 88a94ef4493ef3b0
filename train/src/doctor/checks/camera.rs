//! Is the camera file that of this camera?

use parallax_core::camera::{Camera, Intrinsics, baseline_of_pair};

use super::super::drive::{CameraSource, Drive};
use super::super::report::{Check, Verdict};
use super::super::self_calibration::LensEstimate;
use parallax_core::recording::Eye;

/// Fields of view that cameras of robots have, degrees from side to side. Outside, a file is more often wrong than
/// rare; above, a pinhole picture wastes its pixels on the corners.
const FIELD_OF_VIEW_DEG: [f64; 2] = [20.0, 120.0];
/// Square pixels, unless pictures were stretched.
const MOST_STRETCH: f64 = 0.1;
/// Distance of the principal point from the middle, as a part of the side; more comes from a crop or a wrong file.
const MOST_OFF_CENTRE: f64 = 0.15;
/// Deviation of ln s up to which the footage determines the focal length.
const DETERMINED: f64 = 0.06;
/// Errors of the focal length that are worth a word. Depth's shape suffers in proportion; KITTI's drives
/// come out 3 to 5 % short.
const FOCAL_WARN: f64 = 0.08;
const FOCAL_FAIL: f64 = 0.15;
/// Displacement at the left and right border that counts as distortion left in, as a part of the width: 16 px of 640. A
/// webcam bends by 30 and more; KITTI, which is rectified, comes out at up to 9.
const BEND_WARN: f64 = 0.025;
const BEND_FAIL: f64 = 0.05;
/// Deviation of that displacement up to which the footage determines it.
const BEND_DETERMINED: f64 = 0.008;
/// How many deviations a focal length must be off for a finding.
const CERTAIN: f64 = 3.0;
/// The same for distortion, which takes up what tracks near the borders do wrong: on clean rendered footage of 256 px it
/// comes out at up to 4.
const BEND_CERTAIN: f64 = 5.0;

/// The camera file by itself.
#[must_use]
pub fn file(drive: &Drive) -> Check {
    const NAME: &str = "camera file";
    const REMEDY: &str = "make the camera file anew for these frames: `parallax-calib convert --help`";
    if let CameraSource::Assumed(why) = &drive.camera_source {
        let finding = format!("{why}; a field of view of 60 degrees is assumed for the other checks");
        return Check::new(NAME, Verdict::Fail, finding).or_else_do(REMEDY);
    }
    let Some(camera) = drive.recording.camera(Eye::Left) else {
        return Check::new(NAME, Verdict::Fail, "there is no camera file").or_else_do(REMEDY);
    };
    let looks = Looks::of(camera);
    let mut faults = looks.faults();
    if let Some(right) = drive.recording.camera(Eye::Right) {
        faults.extend(faults_of_pair(camera, right));
    }
    let verdict = if faults.is_empty() { Verdict::Pass } else { Verdict::Warn };
    let mut finding = format!(
        "{}x{}, field of view {:.0} degrees, fx/fy {:.3}, principal point {:+.1} % and {:+.1} % off the middle",
        camera.width,
        camera.height,
        looks.field_of_view_deg,
        looks.stretch,
        100.0 * looks.off_centre[0],
        100.0 * looks.off_centre[1]
    );
    for fault in faults {
        finding += "; ";
        finding += &fault;
    }
    Check::new(NAME, verdict, finding).or_else_do(REMEDY).with_numbers([
        ("field_of_view_deg", looks.field_of_view_deg),
        ("fx_over_fy", looks.stretch),
        ("off_centre_x", looks.off_centre[0]),
        ("off_centre_y", looks.off_centre[1]),
    ])
}

struct Looks {
    field_of_view_deg: f64,
    stretch: f64,
    off_centre: [f64; 2],
}

impl Looks {
    fn of(camera: &Camera) -> Self {
        let Intrinsics { fx, fy, cx, cy } = camera.rectified().intrinsics;
        let (width, height) = (f64::from(camera.width), f64::from(camera.height));
        Self {
            field_of_view_deg: 2.0 * (0.5 * width / fx).atan().to_degrees(),
            stretch: fx / fy,
            off_centre: [(cx - 0.5 * (width - 1.0)) / width, (cy - 0.5 * (height - 1.0)) / height],
        }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let [narrow, wide] = FIELD_OF_VIEW_DEG;
        if !(narrow..=wide).contains(&self.field_of_view_deg) {
            faults.push(format!(
                "cameras of robots have {narrow:.0} to {wide:.0} degrees: is the file of another picture size?"
            ));
        }
        if (self.stretch - 1.0).abs() > MOST_STRETCH {
            faults.push("pixels are not square: were the pictures stretched, and the file with them?".into());
        }
        if self.off_centre.iter().any(|off| off.abs() > MOST_OFF_CENTRE) {
            faults.push("the principal point is far off: were the pictures cropped, and the file with them?".into());
        }
        faults
    }
}

fn faults_of_pair(left: &Camera, right: &Camera) -> Option<String> {
    match baseline_of_pair(left, right) {
        Err(what) => Some(what),
        Ok(_) => {
            let (a, b) = (left.rectified().intrinsics, right.rectified().intrinsics);
            let apart = (a.fx - b.fx).abs().max((a.cy - b.cy).abs()).max((a.fy - b.fy).abs());
            (apart > 0.5)
                .then(|| format!("the rectified eyes differ by {apart:.1} px in focal length or row of the centre"))
        }
    }
}

/// Focal length and distortion that the footage asks for.
#[must_use]
pub fn lens(estimate: Option<&LensEstimate>, windows: usize, k: &Intrinsics, width: usize) -> [Check; 2] {
    let unknown = |name, why: &str| Check::new(name, Verdict::Unknown, why.to_owned());
    let Some(estimate) = estimate else {
        let why = "no stretch of the footage could be followed long enough";
        return [unknown("focal length", why), unknown("distortion", why)];
    };
    let half = 0.5 * width as f64 / k.fx;
    let bend = |distortion: f64| distortion * half.powi(3) * k.fx / width as f64;
    let [with_bend, distortion_deviation] = estimate.deviations();
    let (displaced, displaced_deviation) = (bend(estimate.value[1]), bend(distortion_deviation));
    let is_bent = displaced.abs() > BEND_CERTAIN * displaced_deviation
        && displaced.abs() > BEND_WARN
        && displaced_deviation < BEND_DETERMINED;
    // Where no distortion shows, the focal length is better determined by believing that there is none.
    let (focal, deviation) = if is_bent { (estimate.value[0], with_bend) } else { estimate.without_distortion() };
    let numbers = [("focal_scale", focal.exp()), ("deviation", deviation), ("windows", windows as f64)];
    let focal_check = if deviation > DETERMINED {
        unknown("focal length", "the footage does not determine it: that takes curves")
    } else {
        let off = if focal.abs() > CERTAIN * deviation { focal.abs() } else { 0.0 };
        let finding =
            format!("the footage asks for {:.2} ± {:.2} of the file's, from {windows} windows", focal.exp(), deviation);
        Check::new("focal length", Verdict::of(off, FOCAL_WARN, FOCAL_FAIL), finding).or_else_do(format!(
            "calibrate again for this lens, zoom and picture size; fx = {:.0} fits these frames at their own size",
            focal.exp() * k.fx
        ))
    };
    let bend_check = if displaced_deviation > BEND_DETERMINED {
        unknown("distortion", "the footage does not determine it: that takes curves and things near the borders")
    } else {
        let off = if is_bent { displaced.abs() } else { 0.0 };
        let finding = format!(
            "{:+.1} ± {:.1} px at the left and right border",
            displaced * width as f64,
            displaced_deviation * width as f64
        );
        Check::new("distortion", Verdict::of(off, BEND_WARN, BEND_FAIL), finding).or_else_do(
            "the lens bends lines: give a camera file with its distortion, or frames that are rectified with it",
        )
    };
    [
        focal_check.with_numbers(numbers),
        bend_check.with_numbers([
            ("border_px", displaced * width as f64),
            ("deviation_px", displaced_deviation * width as f64),
        ]),
    ]
}
