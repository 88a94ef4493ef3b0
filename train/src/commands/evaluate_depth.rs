//! `parallax-train evaluate RUN --depth`: predicted depth against true depth, beside what needs no network.

use std::path::PathBuf;

use clap::Args;
use parallax_train::device::{DeviceChoice, Inspector, choose};
use parallax_train::evaluation::{DepthEvaluation, DepthReport, DepthScore, Scaling, evaluate_depth};
use parallax_train::pretraining::{DepthModel, PretrainConfig, config_of, footage};
use parallax_train::training::RunFolder;

use super::{BadArguments, Outcome};

/// Arguments of `evaluate` that are about depth.
#[derive(Debug, Args)]
pub(crate) struct DepthArgs {
    /// Score depth against true depth.
    #[arg(long, requires = "data", conflicts_with = "labels")]
    pub(crate) depth: bool,
    /// Recording with true depth; may be given several times.
    #[arg(long, value_name = "PATH", requires = "depth")]
    pub(crate) data: Vec<PathBuf>,
    /// Camera file for footage that has none.
    #[arg(long, value_name = "FILE", requires = "depth")]
    pub(crate) camera: Option<PathBuf>,
    /// Truth beyond this many metres is left out; predictions are capped to it.
    #[arg(long, value_name = "METRES", default_value_t = 80.0)]
    pub(crate) cap: f32,
    /// Frames to score at most, spread evenly.
    #[arg(long, default_value_t = 200)]
    pub(crate) frames: usize,
    /// How predictions are brought to the truth's scale: median or none (stereo runs are metric).
    #[arg(long, value_name = "median|none", default_value = "median", value_parser = parse_scaling)]
    pub(crate) scaling: Scaling,
}

/// Truth nearer than this is left out, metres: closer than any camera here stands to anything.
const NEAREST_M: f32 = 0.1;

/// Runs the depth part of `evaluate`.
pub(crate) fn run(
    run: &std::path::Path,
    args: &DepthArgs,
    device: DeviceChoice,
    json: bool,
) -> anyhow::Result<Outcome> {
    if !(args.cap.is_finite() && args.cap > NEAREST_M) || args.frames == 0 {
        return Err(BadArguments::error(
            "--cap must lie above 0.1 m and --frames above 0",
            "leave them out for the defaults",
        ));
    }
    let folder = RunFolder::open(run)?;
    let description = folder.description()?;
    let config = config_of(&folder, &description)?;
    let scaling = match (args.scaling, config.metres_per_unit) {
        (Scaling::None, None) => {
            let hint = "depth from video alone has no metres: leave --scaling out";
            return Err(BadArguments::error("the run does not know its scale", hint));
        }
        (scaling, _) => scaling,
    };
    let settings = DepthEvaluation {
        nearest: NEAREST_M,
        farthest: args.cap,
        scaling,
        metres_per_unit: config.metres_per_unit.unwrap_or(1.0) as f32,
        frames: args.frames,
    };
    let footage =
        footage(&PretrainConfig { data: args.data.clone(), camera: args.camera.clone(), memory: 0, ..config })?;
    let device = choose(device, &Inspector::of_this_program()?)?.device;
    let model = DepthModel::load(folder.path(), false, &device)?;
    let report = evaluate_depth(&model, &description.input, &footage, &settings, &device)?;
    show(&report, json)?;
    Ok(Outcome::Done)
}

#[expect(clippy::print_stdout, reason = "results belong on stdout")]
fn show(report: &DepthReport, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    println!("{} frames, {} pixels with truth up to {} m", report.frames, report.pixels, report.farthest_m);
    println!(
        "{:<14} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7}",
        "", "Abs Rel", "Sq Rel", "RMSE", "RMSElog", "δ1", "δ2", "δ3"
    );
    let rows = [
        ("network", &report.score),
        ("constant", &report.baselines.constant),
        ("ground plane", &report.baselines.ground_plane),
    ];
    for (name, score) in rows {
        let DepthScore { abs_rel, sq_rel, rmse, rmse_log, delta1, delta2, delta3 } = score;
        println!(
            "{name:<14} {abs_rel:>8.4} {sq_rel:>8.3} {rmse:>8.3} {rmse_log:>8.4} {delta1:>7.4} {delta2:>7.4} {delta3:>7.4}"
        );
    }
    Ok(())
}

fn parse_scaling(text: &str) -> Result<Scaling, String> {
    match text {
        "median" => Ok(Scaling::Median),
        "none" => Ok(Scaling::None),
        _ => Err(format!("expected median or none, got `{text}`")),
    }
}
