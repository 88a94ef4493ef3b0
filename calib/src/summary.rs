//! A calibration told in a few lines, and as one JSON object for programs.

use crate::solve::{Fate, Solution, SolvedCamera};
use crate::stereo::Pair;
use crate::uncertainty::Reason;
use serde_json::{Value, json};
use std::fmt::Write;

/// Lines for people: numbers with their σ, what was left out and why, the verdict, and what to do next.
pub fn text(solution: &Solution) -> String {
    let mut text = String::new();
    let used = solution.used_views().count();
    let whole = solution.views.len();
    let _ = writeln!(
        text,
        "{used} of {whole} views used, rms {:.3} px, σ of a corner {:.3} px",
        solution.rms_px, solution.sigma_px
    );
    for solved in &solution.cameras {
        camera_text(&mut text, solved);
    }
    if let Some([along_x, along_y]) = solution.warp_m {
        let mm = |(value, sigma): (f64, f64)| format!("{:.2} ± {:.2} mm", value * 1e3, sigma * 1e3);
        let _ = writeln!(text, "board bent by {} along its width and {} along its height", mm(along_x), mm(along_y));
    }
    if let Some(pair) = &solution.pair {
        pair_text(&mut text, pair);
    }
    for view in &solution.views {
        match &view.fate {
            Fate::Used => {}
            Fate::NoBoard(reasons) => {
                let _ = writeln!(text, "not used: {}: {}", view.name, reasons.join("; "));
            }
            Fate::Dropped(reason) => {
                let _ = writeln!(text, "left out: {}: {reason}", view.name);
            }
        }
    }
    for (view, corner) in solution.dropped_corners() {
        let off = corner.error.map_or(f64::NAN, |error| error.norm());
        let (u, v) = (corner.pixel.x, corner.pixel.y);
        let (number, eye) = (corner.number, &solution.cameras[corner.camera].camera.name);
        let _ = writeln!(text, "left out: {view}: corner {number} at ({u:.0}, {v:.0}) of the {eye}, {off:.1} px off");
    }
    for (view, error) in solution.lone_views() {
        let _ = writeln!(text, "alone: {view}: {}; add views beside it", lone(error));
    }
    for solved in &solution.cameras {
        let trust = &solved.trust;
        let _ = writeln!(text, "{}: {}", solved.camera.name, trust.verdict);
        reasons_text(&mut text, &trust.reasons);
        if let Some(next) = &trust.next_view {
            let gain = (1.0 - next.improvement) * 100.0;
            let _ = writeln!(text, "  next view that helps most: {next} (pixels {gain:.0} % more certain)");
        }
    }
    if let Some(pair) = &solution.pair {
        let _ = writeln!(text, "the pair: {}", pair.verdict);
        reasons_text(&mut text, &pair.reasons);
    }
    text
}

fn reasons_text(text: &mut String, reasons: &[Reason]) {
    for reason in reasons {
        let _ = writeln!(text, "  {}: {}", reason.what, reason.remedy);
    }
}

/// How a view is predicted that stands alone.
pub(crate) fn lone(error_px: f64) -> String {
    if error_px.is_finite() {
        format!("the other views predict it to {error_px:.1} px only")
    } else {
        "the other views cannot predict it at all".to_owned()
    }
}

fn camera_text(text: &mut String, solved: &SolvedCamera) {
    let camera = &solved.camera;
    let _ = writeln!(text, "{} {}x{}, {}:", camera.name, camera.width, camera.height, solved.lens.name());
    for (index, name) in solved.lens.parameter_names().iter().enumerate() {
        let digits = if index < 4 { 3 } else { 5 };
        let _ = write!(text, "  {name} {:.digits$} ± {:.digits$}", solved.numbers[index], solved.sigma[index]);
        if index % 4 == 3 || index + 1 == solved.numbers.len() {
            text.push('\n');
        }
    }
    let trust = &solved.trust;
    let _ =
        write!(text, "  rms {:.3} px, corners in {:.0} % of the picture", solved.rms_px, trust.coverage.part() * 100.0);
    if let Some(held_out) = trust.held_out_px {
        let _ = write!(text, ", views left out are predicted to {held_out:.3} px (median)");
    }
    if let Some(map) = &trust.projection {
        let _ =
            write!(text, ", σ of a pixel {:.2} typically, {:.2} at worst", map.quantile_px(0.5), map.quantile_px(1.0));
    }
    text.push('\n');
}

fn pair_text(text: &mut String, pair: &Pair) {
    let (baseline, sigma) = (pair.baseline_m() * 1e3, pair.baseline_sigma_m() * 1e3);
    let _ = writeln!(
        text,
        "baseline {baseline:.2} ± {sigma:.2} mm, turned by {:.3} degrees",
        pair.rotation_rad().to_degrees()
    );
    let (before, after) = (pair.before, pair.after);
    let _ = writeln!(
        text,
        "rows of the same corner apart: {:.2} px as taken, {:.3} px rectified (mean of the median view; worst {:.2})",
        before.typical_px, after.typical_px, after.worst_px
    );
}

/// One object. A pair's `fx` and so on are the left camera's, its `verdict` and `reasons` those of the whole; each camera's
/// own are under `cameras`.
pub fn json(solution: &Solution) -> Value {
    let cameras: Vec<Value> = solution.cameras.iter().map(camera_json).collect();
    let views: Vec<Value> = solution
        .views
        .iter()
        .map(|view| {
            let (fate, reason) = match &view.fate {
                Fate::Used => ("used", None),
                Fate::NoBoard(reasons) => ("no_board", Some(reasons.join("; "))),
                Fate::Dropped(reason) => ("dropped", Some(reason.clone())),
            };
            json!({
                "name": view.name,
                "fate": fate,
                "reason": reason,
                "rms_px": view.rms_px,
                "held_out_px": view.held_out_px,
                "corners": view.corners.iter().filter(|corner| corner.is_used).count(),
                "corners_found": view.corners.len(),
                "tilt_degrees": view.tilt_rad.map(f64::to_degrees),
                "distance_m": view.camera_from_board.map(|pose| pose.translation.vector.norm()),
            })
        })
        .collect();
    let mut object = cameras[0].clone();
    object["verdict"] = json!(solution.verdict().to_string());
    object["reasons"] = reasons_json(&solution.reasons());
    object["lone_views"] = json!(solution.lone_views().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    object["board"] = json!(solution.board.to_string());
    object["rms_px"] = json!(solution.rms_px);
    object["corner_sigma_px"] = json!(solution.sigma_px);
    object["views_used"] = json!(solution.used_views().count());
    object["views_given"] = json!(solution.views.len());
    object["views"] = json!(views);
    object["board_warp_mm"] = json!(solution.warp_m.map(|warp| warp.map(|(value, _)| value * 1e3)));
    object["stereo"] = solution.pair.as_ref().map_or(Value::Null, pair_json);
    object["cameras"] = json!(cameras);
    object
}

/// Adds `board_corners_m` and, for each view, `corners_used`: camera, number, column and row of each.
pub fn add_corners(object: &mut Value, solution: &Solution) {
    let corners: Vec<[f64; 3]> = solution.board.corners().iter().map(|corner| [corner.x, corner.y, corner.z]).collect();
    object["board_corners_m"] = json!(corners);
    for (index, view) in solution.views.iter().enumerate() {
        let used = view.corners.iter().filter(|corner| corner.is_used);
        let used: Vec<Value> =
            used.map(|corner| json!([corner.camera, corner.number, corner.pixel.x, corner.pixel.y])).collect();
        object["views"][index]["corners_used"] = json!(used);
    }
}

fn camera_json(solved: &SolvedCamera) -> Value {
    let names = solved.lens.parameter_names();
    let sigma: serde_json::Map<String, Value> =
        names.iter().zip(&solved.sigma).map(|(name, sigma)| ((*name).to_owned(), json!(sigma))).collect();
    let k = solved.camera.intrinsics;
    let trust = &solved.trust;
    let better = solved.better_lens.map(
        |better| json!({ "model": better.lens.name(), "rms_px": better.typical_px, "instead_of_px": better.asked_px }),
    );
    json!({
        "name": solved.camera.name,
        "width": solved.camera.width,
        "height": solved.camera.height,
        "fx": k.fx,
        "fy": k.fy,
        "cx": k.cx,
        "cy": k.cy,
        "distortion_model": solved.lens.name(),
        "distortion_coefficients": solved.camera.distortion.coefficients(),
        "sigma": sigma,
        "rms_px": solved.rms_px,
        "held_out_px": trust.held_out_px,
        "covered": trust.coverage.part(),
        "pixel_sigma_px": trust.projection.as_ref().map(|map| json!({
            "median": map.quantile_px(0.5),
            "worst": map.quantile_px(1.0),
        })),
        "verdict": trust.verdict.to_string(),
        "reasons": reasons_json(&trust.reasons),
        "better_model": better,
        "next_view": trust.next_view.map(|next| next.to_string()),
    })
}

fn reasons_json(reasons: &[Reason]) -> Value {
    let reason =
        |reason: &Reason| json!({ "what": reason.what, "remedy": reason.remedy, "allows": reason.allows.to_string() });
    reasons.iter().map(reason).collect()
}

fn pair_json(pair: &Pair) -> Value {
    let epipolar = |rows: crate::stereo::Epipolar| json!({ "typical": rows.typical_px, "rms": rows.rms_px, "mean": rows.mean_px, "worst": rows.worst_px });
    json!({
        "baseline_m": pair.baseline_m(),
        "baseline_sigma_m": pair.baseline_sigma_m(),
        "rotation_degrees": pair.rotation_rad().to_degrees(),
        "translation_m": pair.right_from_left.translation.vector.as_slice(),
        "epipolar_before_px": epipolar(pair.before),
        "epipolar_after_px": epipolar(pair.after),
        "verdict": pair.verdict.to_string(),
        "reasons": reasons_json(&pair.reasons),
    })
}
