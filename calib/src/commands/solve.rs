//! `parallax-calib solve`: pictures of a board → camera files.

use super::Outcome;
use super::looking::{Seen, look};
use crate::cli::{LensName, SolveArgs, TaskArgs};
use parallax_calib::formats::{self, Format};
use parallax_calib::solve::{BoardShape, Fate, Lens, Solution, SolveConfig, solve};
use parallax_calib::uncertainty::Verdict;
use parallax_calib::{CameraPair, Error, report, summary};
use parallax_core::board::Board;
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
}

/// What came of it.
pub(super) struct Solved {
    pub(super) solution: Solution,
    pub(super) written: Vec<PathBuf>,
    pub(super) outcome: Outcome,
}

pub(crate) fn run(args: &SolveArgs) -> anyhow::Result<Outcome> {
    let Some(seen) = look(&args.images, &args.right, &args.task.board)? else {
        return Err(Error::Stopped { path: args.out.clone() }.into());
    };
    let solved = conclude(Task {
        board: &args.task.board,
        config: config(&args.task),
        seen,
        out: &args.out,
        report: args.report.as_deref(),
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

/// Solves, and writes the camera files and the report.
pub(super) fn conclude(task: Task<'_>) -> anyhow::Result<Solved> {
    let Task { board, config, seen, out, report } = task;
    let solution = solve(board, &seen.sizes, &seen.views, &config)?;
    // Also of a camera that is refused: the page shows why.
    if let Some(path) = report {
        files::write_bytes(path, report::page(&solution).as_bytes())?;
    }
    refuse_undetermined(&solution)?;
    let cameras = CameraPair {
        left: solution.cameras[0].camera.clone(),
        right: solution.cameras.get(1).map(|solved| solved.camera.clone()),
    };
    let mut written = formats::write(out, &cameras, Format::Ros)?;
    written.extend(report.map(Path::to_path_buf));
    let has_dropped = solution.views.iter().any(|view| matches!(view.fate, Fate::Dropped(_)));
    let outcome = if seen.lost || has_dropped { Outcome::DoneWithLostInput } else { Outcome::Done };
    Ok(Solved { solution, written, outcome })
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

/// A camera that the views leave open is worse than none: whoever reads its file cannot see that.
fn refuse_undetermined(solution: &Solution) -> Result<(), Error> {
    let open = solution.cameras.iter().find(|solved| solved.trust.verdict == Verdict::NotDetermined);
    let Some((solved, reason)) = open.and_then(|solved| Some((solved, solved.trust.reasons.first()?))) else {
        return Ok(());
    };
    let name = &solved.camera.name;
    Err(Error::NotDetermined {
        what: format!("the views do not determine the {name}: {}", reason.what),
        hint: reason.remedy.clone(),
    })
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
