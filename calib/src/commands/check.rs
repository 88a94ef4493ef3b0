//! `parallax-calib check`: whether a camera still is what its file says.

use super::Outcome;
use super::looking::look;
use super::solve::answered;
use crate::cli::CheckArgs;
use parallax_calib::check::{Check, Finding, check};
use parallax_calib::formats::{self, Unsaid};
use parallax_calib::{CameraPair, Error};
use parallax_core::program::print;
use serde_json::json;

pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<Outcome> {
    answered(args.json, check_pictures(args))
}

fn check_pictures(args: &CheckArgs) -> anyhow::Result<Outcome> {
    let cameras = formats::read(&args.camera, &Unsaid::default())?;
    if !args.right.is_empty() && cameras.right.is_none() {
        return Err(Error::Pair {
            what: format!("there is no right camera beside {}", args.camera.display()),
            hint: "name the left camera's file of a pair that `solve --right` has written, or leave out --right"
                .to_owned(),
        }
        .into());
    }
    let Some(seen) = look(&args.images, &args.right, &args.board)? else {
        return Err(Error::Stopped { path: args.camera.clone() }.into());
    };
    let found = check(&args.board, &cameras, &seen.sizes, &seen.views)?;
    if args.json {
        print(json_of(&found, &cameras));
    } else {
        print(text(&found, &cameras));
    }
    Ok(if found.finding == Finding::Unchanged && !seen.lost { Outcome::Done } else { Outcome::DoneWithLostInput })
}

const fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Unchanged => "unchanged",
        Finding::Changed => "changed",
        Finding::Unclear => "unclear",
    }
}

fn names(cameras: &CameraPair) -> [String; 2] {
    let right = cameras.right.as_ref().map_or_else(String::new, |right| right.name.clone());
    [cameras.left.name.clone(), right]
}

fn text(found: &Check, cameras: &CameraPair) -> String {
    let mut lines = vec![format!("{} views with the board", found.views_used)];
    for (check, name) in found.cameras.iter().zip(names(cameras)) {
        let worst = check.worst_view.as_ref();
        let worst = worst.map_or_else(String::new, |(view, rms)| format!(" (worst {rms:.3}: {view})"));
        let (finding, rms) = (word(check.finding), check.file_rms_px);
        lines.push(format!("{name}: {finding}, rms of the median view {rms:.3} px with the file's numbers{worst}"));
        match &check.difference {
            Err(why) => lines.push(format!("  the pictures' own numbers are not known: {why}")),
            Ok(difference) => {
                lines.push(format!(
                "  {:.3} px with numbers of the pictures' own; pixels move by {:.2} px typically, {:.2} at worst ({:.2} may be \
                 chance)",
                difference.own_rms_px, difference.typical_px, difference.worst_px, difference.limit_px
            ));
                for (number, file, own, sigma) in &difference.numbers {
                    lines.push(format!("  {number:>3}  file {file:.4}  now {own:.4} ± {sigma:.4}"));
                }
            }
        }
    }
    if let Some(rows) = found.rows {
        lines.push(format!(
            "rows of the same corner apart after rectification: {:.3} px (mean of the median view; of all {:.3}, worst {:.2})",
            rows.typical_px, rows.mean_px, rows.worst_px
        ));
    } else if found.cameras.len() == 2 {
        lines.push(
            "no view shows the same corner to both cameras: how they stand to each other is not known".to_owned(),
        );
    }
    lines.push(
        match found.finding {
            Finding::Unchanged => "the calibration still holds",
            Finding::Changed => "the camera has changed: calibrate it again (`parallax-calib solve`)",
            Finding::Unclear => {
                "the pictures cannot tell: take ten or more, with the board tilted and near every edge of the picture"
            }
        }
        .to_owned(),
    );
    lines.join("\n")
}

fn json_of(found: &Check, cameras: &CameraPair) -> serde_json::Value {
    let of_cameras = found.cameras.iter().zip(names(cameras)).map(|(check, name)| {
        let difference = check.difference.as_ref().ok().map(|difference| {
            let numbers = difference.numbers.iter().map(|(number, file, own, sigma)| {
                ((*number).to_owned(), json!({ "file": file, "now": own, "sigma": sigma }))
            });
            json!({
                "own_rms_px": difference.own_rms_px,
                "typical_px": difference.typical_px,
                "worst_px": difference.worst_px,
                "limit_px": difference.limit_px,
                "numbers": numbers.collect::<serde_json::Map<_, _>>(),
            })
        });
        json!({
            "name": name,
            "finding": word(check.finding),
            "file_rms_px": check.file_rms_px,
            "worst_view": check.worst_view.as_ref().map(|(view, rms)| json!({ "name": view, "rms_px": rms })),
            "difference": difference,
            "open": check.difference.as_ref().err(),
        })
    });
    let rows = found.rows.map(
        |rows| json!({ "typical": rows.typical_px, "mean": rows.mean_px, "rms": rows.rms_px, "worst": rows.worst_px }),
    );
    json!({
        "finding": word(found.finding),
        "views_used": found.views_used,
        "cameras": of_cameras.collect::<Vec<_>>(),
        "rows_apart_px": rows,
    })
}
