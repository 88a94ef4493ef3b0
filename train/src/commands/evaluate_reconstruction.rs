//! `parallax-train evaluate RUN --reconstruction`: frames rebuilt from their neighbours with the predicted depth.

use std::path::Path;

use parallax_core::program::print;
use parallax_train::device::DeviceChoice;
use parallax_train::evaluation::{
    Neighbours, RebuildingError, ReconstructionEvaluation, ReconstructionReport, evaluate_reconstruction,
};

use super::Outcome;
use super::evaluate_depth::{DepthArgs, Opened, WithTrajectory, show_trajectory, write_report};

/// Runs the reconstruction part of `evaluate`.
pub(crate) fn run(run: &Path, args: &DepthArgs, device: DeviceChoice, json: bool) -> anyhow::Result<Outcome> {
    let opened = Opened::new(run, args, device)?;
    let settings = ReconstructionEvaluation {
        neighbours: args.neighbours,
        frame_gap: opened.config.frame_gap,
        metres_per_unit: opened.config.metres_per_unit,
        frames: args.frames,
    };
    let (report, sheet) = evaluate_reconstruction(&opened.predictor(), &settings)?;
    let report = WithTrajectory { report, views: opened.views, trajectory: opened.trajectory(args)? };
    if let Some(out) = &args.out {
        write_report(out, &report, &[("reconstruction.png", sheet)])?;
    }
    show(&report, args, json)?;
    Ok(Outcome::Done)
}

fn show(report: &WithTrajectory<ReconstructionReport>, args: &DepthArgs, json: bool) -> anyhow::Result<()> {
    if json {
        print(serde_json::to_string(report)?);
        return Ok(());
    }
    let ReconstructionReport { network, baselines, pairs, counted, metres_per_unit, frame_gap, .. } = &report.report;
    let from = match report.report.neighbours {
        Neighbours::Stereo => "the other eye".to_owned(),
        Neighbours::Auto | Neighbours::Poses => {
            format!("the frames {frame_gap} before and after, with the given poses")
        }
    };
    print(format_args!("{pairs} pairs, rebuilt from {from}; {:.1} % of the pixels count", 100.0 * counted));
    let known = if report.report.scale_fitted { "fitted" } else { "the run's own" };
    print(format_args!("a depth unit is {metres_per_unit:.3} m ({known})"));
    print(format_args!("{:<16} {:>11} {:>8}", "", "photometric", "L1"));
    let plane = &baselines.plane;
    let notes = [
        String::new(),
        format!("horizon at {:.2}, wall at {:.1} m", plane.horizon, plane.wall),
        format!("{:.1} m", baselines.constant_m),
        String::new(),
    ];
    let rows = [
        ("network", network),
        ("ground plane", &baselines.ground_plane),
        ("constant", &baselines.constant),
        ("standing still", &baselines.standing_still),
    ];
    for ((name, RebuildingError { photometric, l1 }), note) in rows.into_iter().zip(notes) {
        print(format!("{name:<16} {photometric:>11.4} {l1:>8.4}  {note}").trim_end());
    }
    show_trajectory(report.trajectory.as_ref());
    if let Some(out) = &args.out {
        print(format_args!("wrote {}", out.display()));
    }
    Ok(())
}
