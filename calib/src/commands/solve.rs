//! `parallax-calib solve`: pictures of a board → camera files.

use super::Outcome;
use crate::cli::{LensName, SolveArgs};
use indicatif::{ProgressBar, ProgressStyle};
use parallax_calib::formats::{self, Format};
use parallax_calib::solve::{BoardShape, Fate, Lens, Solution, SolveConfig, View, solve};
use parallax_calib::survey::{Survey, Watch, survey};
use parallax_calib::uncertainty::Verdict;
use parallax_calib::{CameraPair, Error, pictures, summary};
use parallax_core::board::Board;
use parallax_core::program;
use parallax_core::recording::Eye;
use std::io::Write;
use std::sync::atomic::Ordering;

pub(crate) fn run(args: &SolveArgs) -> anyhow::Result<Outcome> {
    let left = look(args, Eye::Left)?;
    let right = if args.right.is_empty() { None } else { Some(look(args, Eye::Right)?) };
    let lost = std::iter::once(&left).chain(right.as_ref()).any(has_lost_input);
    let mut sizes = vec![left.size];
    sizes.extend(right.as_ref().map(|right| right.size));
    let views = views(&args.board, &left, right.as_ref())?;
    let config =
        SolveConfig { lens: lens(args.model), board: if args.bent { BoardShape::Bent } else { BoardShape::Flat } };
    let solution = solve(&args.board, &sizes, &views, &config)?;
    refuse_undetermined(&solution)?;
    let cameras = CameraPair {
        left: solution.cameras[0].camera.clone(),
        right: solution.cameras.get(1).map(|solved| solved.camera.clone()),
    };
    let written = formats::write(&args.out, &cameras, Format::Ros)?;
    let mut stdout = std::io::stdout().lock();
    if args.json {
        let mut object = summary::json(&solution);
        if args.corners {
            summary::add_corners(&mut object, &solution);
        }
        object["wrote"] = serde_json::json!(written);
        writeln!(stdout, "{object}")?;
    } else {
        write!(stdout, "{}", summary::text(&solution))?;
        for path in &written {
            writeln!(stdout, "wrote {}", path.display())?;
        }
    }
    let has_dropped = solution.views.iter().any(|view| matches!(view.fate, Fate::Dropped(_)));
    Ok(if lost || has_dropped { Outcome::DoneWithLostInput } else { Outcome::Done })
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

/// Finds the board in the pictures of one camera, with a bar on a terminal.
fn look(args: &SolveArgs, eye: Eye) -> anyhow::Result<Survey> {
    let paths = if eye == Eye::Left { &args.images } else { &args.right };
    let pictures = pictures::find(paths, eye)?;
    let style = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} pictures, {eta} left")?;
    let bar = ProgressBar::new(pictures.len() as u64).with_style(style).with_prefix("looking for the board");
    let stop = program::stop_on_signal();
    let found = survey(&pictures, &args.board, Watch { on_picture: &|| bar.inc(1), stop })?;
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Stopped { path: args.out.clone() }.into());
    }
    Ok(found)
}

fn has_lost_input(survey: &Survey) -> bool {
    survey.pictures.iter().any(|picture| picture.found.as_ref().is_err_and(|miss| miss.is_lost_input()))
}

/// The pictures of one camera as views, or those of two, paired in their order.
fn views(board: &Board, left: &Survey, right: Option<&Survey>) -> Result<Vec<View>, Error> {
    let detections =
        |survey: &Survey, index: usize| survey.pictures[index].found.clone().map_err(|miss| miss.describe(board));
    if let Some(right) = right
        && right.pictures.len() != left.pictures.len()
    {
        return Err(Error::Pair {
            what: format!("{} left pictures and {} right ones are no pairs", left.pictures.len(), right.pictures.len()),
            hint: "give as many right pictures as left ones, in the same order".to_owned(),
        });
    }
    let view = |index: usize| {
        let mut found = vec![detections(left, index)];
        found.extend(right.map(|right| detections(right, index)));
        let name = &left.pictures[index].name;
        let name = right.map_or(name.clone(), |right| format!("{name} | {}", right.pictures[index].name));
        View { name, detections: found }
    };
    Ok((0..left.pictures.len()).map(view).collect())
}

const fn lens(name: LensName) -> Lens {
    match name {
        LensName::PlumbBob => Lens::PlumbBob,
        LensName::RationalPolynomial => Lens::RationalPolynomial,
        LensName::Equidistant => Lens::Equidistant,
    }
}
