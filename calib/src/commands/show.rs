//! `parallax-calib show`: what a camera file says, after checking it.

use super::Outcome;
use crate::cli::ShowArgs;
use parallax_core::camera::{Camera, CameraIdentity, Distortion, ros_yaml};
use parallax_core::files;
use parallax_core::program::print;

pub(crate) fn run(args: &ShowArgs) -> anyhow::Result<Outcome> {
    let text = files::read_text(&args.file)?;
    let camera = ros_yaml::from_text(&text, &args.file)?;
    let trust = ros_yaml::trust_of(&text);
    if args.json {
        let mut object = json_of(&camera);
        object["calibration"] = serde_json::json!(trust);
        print(object);
    } else {
        let trust = trust.map_or_else(String::new, |trust| format!(", calibration: {trust}"));
        print(describe(&camera) + &trust);
    }
    Ok(Outcome::Done)
}

/// One line for people.
pub(crate) fn describe(camera: &Camera) -> String {
    let k = camera.intrinsics;
    let (across, down) = (view_angle_degrees(camera.width, k.fx), view_angle_degrees(camera.height, k.fy));
    let name = if camera.name.is_empty() { "camera" } else { &camera.name };
    let (width, height) = (camera.width, camera.height);
    let numbers = format!("fx {:.3} fy {:.3} cx {:.3} cy {:.3}", k.fx, k.fy, k.cx, k.cy);
    let lens = match camera.distortion {
        Distortion::None => format!("no distortion, field of view {across:.1} x {down:.1} degrees"),
        lens => lens.ros_name().to_owned(),
    };
    let place = match camera.baseline_m() {
        Some(baseline_m) => format!(", {baseline_m:.4} m to the right of the left camera"),
        None => String::new(),
    };
    let identity = CameraIdentity::of(camera);
    format!("{name} {width}x{height}: {numbers}, {lens}{place}, identity {}", identity.short())
}

/// One object for programs.
pub(crate) fn json_of(camera: &Camera) -> serde_json::Value {
    let k = camera.intrinsics;
    serde_json::json!({
        "name": camera.name,
        "width": camera.width,
        "height": camera.height,
        "fx": k.fx,
        "fy": k.fy,
        "cx": k.cx,
        "cy": k.cy,
        "distortion_model": camera.distortion.ros_name(),
        "distortion_coefficients": camera.distortion.coefficients(),
        "baseline_m": camera.baseline_m(),
        "identity": CameraIdentity::of(camera),
    })
}

/// Of a pinhole; lenses with distortion have no such simple angle.
fn view_angle_degrees(pixels: u32, focal_length_px: f64) -> f64 {
    2.0 * (f64::from(pixels) / 2.0 / focal_length_px).atan().to_degrees()
}
