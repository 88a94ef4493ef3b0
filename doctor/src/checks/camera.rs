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
/// What windows of one drive err alike, so that their scatter does not show it: KITTI's streets, whose focal length is
/// known, come out 3 to 5 % short whatever the window.
const SYSTEMATIC: f64 = 0.04;
/// Errors of the focal length that are worth a word. Depth's shape suffers in proportion.
const FOCAL_WARN: f64 = 0.08;
const FOCAL_FAIL: f64 = 0.15;
/// Displacement at the left and right border that counts as distortion left in, as a part of the width: 16 px of 640. A
/// webcam bends by 30 and more; KITTI, which is rectified, comes out at up to 9.
const BEND_WARN: f64 = 0.025;
const BEND_FAIL: f64 = 0.05;
/// Deviation of that displacement up to which the footage determines it.
const BEND_DETERMINED: f64 = 0.008;
/// Windows that must say something before it is told without a camera file, where nothing else can confirm it.
const CONFIRMED: usize = 2;
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
    if let Err(what) = baseline_of_pair(left, right) {
        return Some(what);
    }
    let (a, b) = (left.rectified().intrinsics, right.rectified().intrinsics);
    let apart = (a.fx - b.fx).abs().max((a.cy - b.cy).abs()).max((a.fy - b.fy).abs());
    (apart > 0.5).then(|| format!("the rectified eyes differ by {apart:.1} px in focal length or row of the centre"))
}

/// What the footage says about the lens, and what that is held against.
#[derive(Debug, Clone, Copy)]
pub struct LensQuestion<'a> {
    /// All windows together; none where no stretch could be followed.
    pub estimate: Option<&'a LensEstimate>,
    /// Windows that said something.
    pub windows: usize,
    /// Intrinsics that it was measured with, at training size.
    pub intrinsics: &'a Intrinsics,
    /// Whether they are those of a camera file, or assumed.
    pub source: &'a CameraSource,
    /// Width at training size, and of the frames as they are.
    pub widths: [usize; 2],
}

/// Focal length and distortion that the footage asks for.
#[must_use]
pub fn lens(question: &LensQuestion<'_>) -> [Check; 2] {
    let unknown = |name, why: &str| Check::new(name, Verdict::Unknown, why.to_owned());
    let Some(estimate) = question.estimate else {
        let why = "the motion does not tell: that takes curves, followed over many frames";
        return [unknown("focal length", why), unknown("distortion", why)];
    };
    if matches!(question.source, CameraSource::Assumed(_)) && question.windows < CONFIRMED {
        let why = "the motion does not tell: a single stretch says something, and nothing confirms it";
        return [unknown("focal length", why), unknown("distortion", why)];
    }
    let k = question.intrinsics;
    let width = question.widths[0] as f64;
    let half = 0.5 * width / (k.fx * estimate.value[0].exp());
    let bend = |distortion: f64| 0.5 * distortion * half.powi(2);
    let [with_bend, distortion_deviation] = estimate.deviations();
    let (displaced, displaced_deviation) = (bend(estimate.value[1]), bend(distortion_deviation));
    let is_bent = displaced.abs() > BEND_CERTAIN * displaced_deviation
        && displaced.abs() > BEND_WARN
        && displaced_deviation < BEND_DETERMINED;
    // Where no distortion shows, the focal length is better determined by believing that there is none.
    let (focal, scatter) = if is_bent { (estimate.value[0], with_bend) } else { estimate.without_distortion() };
    let focal_check = if scatter > DETERMINED {
        unknown("focal length", "the motion does not tell: that takes curves")
    } else {
        focal_length(question, focal, scatter.hypot(SYSTEMATIC))
    };
    let bend_check = if displaced_deviation > BEND_DETERMINED {
        unknown("distortion", "the motion does not tell: that takes curves, and things near the borders")
    } else {
        let off = if is_bent { displaced.abs() } else { 0.0 };
        let finding =
            format!("{:+.1} ± {:.1} px at the left and right border", displaced * width, displaced_deviation * width);
        // A focal length that is assumed, far from the true one, passes on some of its error: rectified pictures of KITTI came
        // out at 18 ± 3 px.
        let verdict = match question.source {
            CameraSource::Assumed(_) => Verdict::Unknown,
            CameraSource::Given => Verdict::of(off, BEND_WARN, BEND_FAIL),
        };
        Check::new("distortion", verdict, finding)
            .or_else_do(
                "the lens bends lines: give a camera file with its distortion, or frames that are rectified with it",
            )
            .with_numbers([("border_px", displaced * width), ("deviation_px", displaced_deviation * width)])
    };
    [focal_check, bend_check]
}

/// `focal` is the ln of what the footage asks for, as a part of what it was measured with.
fn focal_length(question: &LensQuestion<'_>, focal: f64, deviation: f64) -> Check {
    const NAME: &str = "focal length";
    let [width, own_width] = question.widths;
    let own_px = focal.exp() * question.intrinsics.fx * own_width as f64 / width as f64;
    let in_pixels = format!("fx = {own_px:.0} ± {:.0} px at the frames' own width of {own_width}", own_px * deviation);
    let windows = question.windows;
    let numbers = [
        ("focal_scale", focal.exp()),
        ("deviation", deviation),
        ("fx_px", own_px),
        ("fx_deviation_px", own_px * deviation),
        ("windows", windows as f64),
    ];
    if let CameraSource::Assumed(_) = question.source {
        let finding = format!("there is no camera file to hold it against; the motion asks for {in_pixels}");
        return Check::new(NAME, Verdict::Unknown, finding).with_numbers(numbers);
    }
    let off = if focal.abs() > CERTAIN * deviation { focal.abs() } else { 0.0 };
    let scale = focal.exp();
    let finding = format!("the footage asks for {scale:.2} ± {deviation:.2} of the file's, from {windows} windows");
    Check::new(NAME, Verdict::of(off, FOCAL_WARN, FOCAL_FAIL), finding)
        .or_else_do(format!("calibrate again for this lens, zoom and picture size; {in_pixels} fits these frames"))
        .with_numbers(numbers)
}
