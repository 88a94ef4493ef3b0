//! `parallax-calib solve`: pictures of a board → camera files.

use super::Outcome;
use super::looking::{Seen, look};
use crate::cli::{LensName, Required, SolveArgs, TaskArgs};
use parallax_calib::formats;
use parallax_calib::solve::{BoardShape, Fate, Lens, Solution, SolveConfig, solve};
use parallax_calib::uncertainty::Verdict;
use parallax_calib::{CameraPair, Error, report, summary};
use parallax_core::board::Board;
use parallax_core::camera::{Camera, ros_yaml};
use parallax_core::files;
use parallax_core::program::print;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What is solved, and where it goes.
pub(super) struct Task<'a> {
    pub(super) board: &'a Board,
    pub(super) config: SolveConfig,
    pub(super) seen: Seen,
    /// The camera file.
    pub(super) out: &'a Path,
    pub(super) report: Option<&'a Path>,
    /// The verdict that is asked for.
    pub(super) require: Required,
}

/// What came of it.
pub(super) struct Solved {
    pub(super) solution: Solution,
    pub(super) written: Vec<PathBuf>,
    pub(super) outcome: Outcome,
}

pub(crate) fn run(args: &SolveArgs) -> anyhow::Result<Outcome> {
    answered(args.json, solve_pictures(args))
}

/// With --json an error is an object too: whoever reads it need not look at stderr to know why there is no camera.
pub(super) fn answered<T>(json: bool, result: anyhow::Result<T>) -> anyhow::Result<T> {
    if let (true, Err(error)) = (json, &result) {
        let hint = error.chain().find_map(|cause| cause.downcast_ref::<Error>()?.hint());
        let object = serde_json::json!({ "error": format!("{error:#}"), "hint": hint, "wrote": [] });
        print(object);
    }
    result
}

fn solve_pictures(args: &SolveArgs) -> anyhow::Result<Outcome> {
    let Some(seen) = look(&args.images, &args.right, &args.task.board)? else {
        return Err(Error::Stopped { path: args.out.clone() }.into());
    };
    let solved = conclude(Task {
        board: &args.task.board,
        config: config(&args.task),
        seen,
        out: &args.out,
        report: args.report.as_deref(),
        require: args.task.require,
    })?;
    if args.json {
        let mut object = solved.json();
        if args.corners {
            summary::add_corners(&mut object, &solved.solution);
        }
        print(object);
    } else {
        print(solved.text().trim_end());
    }
    Ok(solved.outcome)
}

/// Solves, and writes the camera files and the report, whatever the verdict: it stands in them.
pub(super) fn conclude(task: Task<'_>) -> anyhow::Result<Solved> {
    let Task { board, config, seen, out, report, require } = task;
    // Before the work, not after it.
    files::check_output(out, files::OutputKind::CameraFile, &[])?;
    report.map_or(Ok(()), |report| files::check_output(report, files::OutputKind::Html, &[]))?;
    let solution = solve(board, &seen.sizes, &seen.views, &config)?;
    let mut written = Vec::new();
    if let Some(path) = report {
        files::write_bytes(path, report::page(&solution).as_bytes())?;
        written.push(path.to_path_buf());
    }
    let cameras = CameraPair {
        left: solution.cameras[0].camera.clone(),
        right: solution.cameras.get(1).map(|solved| solved.camera.clone()),
    };
    // Numbers that no camera has are in no file: nothing here would read it.
    let possible = cameras.left.validate().and_then(|()| cameras.right.as_ref().map_or(Ok(()), Camera::validate));
    let is_missed = possible.is_err() || solution.verdict() < required(require);
    match possible {
        Ok(()) => drop(written.splice(0..0, formats::write_solved(out, &cameras, &comment(&solution))?)),
        Err(error) => tracing::warn!("{} is not written: {error}", out.display()),
    }
    if is_missed {
        let reason = solution.reasons().first().map_or_else(String::new, |reason| format!(": {}", reason.what));
        tracing::warn!("the verdict is {}{reason}", solution.verdict());
    }
    let has_dropped = solution.views.iter().any(|view| matches!(view.fate, Fate::Dropped(_)));
    let outcome = if seen.lost || has_dropped || is_missed { Outcome::DoneWithLostInput } else { Outcome::Done };
    Ok(Solved { solution, written, outcome })
}

/// What the camera files say of themselves at their head.
fn comment(solution: &Solution) -> String {
    let reasons = solution.reasons();
    ros_yaml::trust_comment(&solution.verdict().to_string(), reasons.iter().map(|reason| reason.what.as_str()))
}

impl Solved {
    pub(super) fn json(&self) -> Value {
        let mut object = summary::json(&self.solution);
        object["wrote"] = serde_json::json!(self.written);
        object
    }

    pub(super) fn text(&self) -> String {
        let written = self.written.iter().map(|path| format!("wrote {}\n", path.display()));
        summary::text(&self.solution) + &written.collect::<String>()
    }
}

const fn required(name: Required) -> Verdict {
    match name {
        Required::Usable => Verdict::Usable,
        Required::Good => Verdict::Good,
    }
}

pub(super) const fn config(task: &TaskArgs) -> SolveConfig {
    SolveConfig { lens: lens(task.model), board: if task.bent { BoardShape::Bent } else { BoardShape::Flat } }
}

const fn lens(name: LensName) -> Lens {
    match name {
        LensName::PlumbBob => Lens::PlumbBob,
        LensName::RationalPolynomial => Lens::RationalPolynomial,
        LensName::Equidistant => Lens::Equidistant,
    }
}
