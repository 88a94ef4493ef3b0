//! `parallax-calib solve`: pictures of a board → camera files.

use super::Outcome;
use super::looking::look;
use crate::cli::{LensName, SolveArgs};
use parallax_calib::formats::{self, Format};
use parallax_calib::solve::{BoardShape, Fate, Lens, Solution, SolveConfig, solve};
use parallax_calib::uncertainty::Verdict;
use parallax_calib::{CameraPair, Error, report, summary};
use parallax_core::files;
use std::io::Write;

pub(crate) fn run(args: &SolveArgs) -> anyhow::Result<Outcome> {
    let Some(seen) = look(&args.images, &args.right, &args.board)? else {
        return Err(Error::Stopped { path: args.out.clone() }.into());
    };
    let config =
        SolveConfig { lens: lens(args.model), board: if args.bent { BoardShape::Bent } else { BoardShape::Flat } };
    let solution = solve(&args.board, &seen.sizes, &seen.views, &config)?;
    // Also of a camera that is refused: the page shows why.
    if let Some(path) = &args.report {
        files::write_bytes(path, report::page(&solution).as_bytes())?;
    }
    refuse_undetermined(&solution)?;
    let cameras = CameraPair {
        left: solution.cameras[0].camera.clone(),
        right: solution.cameras.get(1).map(|solved| solved.camera.clone()),
    };
    let mut written = formats::write(&args.out, &cameras, Format::Ros)?;
    written.extend(args.report.clone());
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
    Ok(if seen.lost || has_dropped { Outcome::DoneWithLostInput } else { Outcome::Done })
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

const fn lens(name: LensName) -> Lens {
    match name {
        LensName::PlumbBob => Lens::PlumbBob,
        LensName::RationalPolynomial => Lens::RationalPolynomial,
        LensName::Equidistant => Lens::Equidistant,
    }
}
