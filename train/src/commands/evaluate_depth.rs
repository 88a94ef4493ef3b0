//! `parallax-train evaluate RUN --depth`: predicted depth against true depth, beside what needs no network.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use parallax_core::files::{write_bytes, write_picture};
use parallax_core::model_input::ModelInput;
use parallax_core::program::print;
use parallax_train::data::Footage;
use parallax_train::device::{DeviceChoice, Inspector, choose};
use parallax_train::evaluation::{
    Crop, DepthEvaluation, DepthReport, DepthScore, Neighbours, Predictor, Scaling, Spread, TrajectoryReport,
    TruthSource, draw_worst, evaluate_depth, evaluate_trajectory,
};
use parallax_train::pretraining::prediction::Views;
use parallax_train::pretraining::{DepthModel, PretrainConfig, config_of, footage};
use parallax_train::training::RunFolder;
use serde::Serialize;

use super::{BadArguments, Outcome};

/// Where these flags stand in the help; see [`super::loop_args`].
const HEADING: &str = "Depth";

/// Arguments of `evaluate` that are about depth.
#[derive(Debug, Args)]
pub(crate) struct DepthArgs {
    /// Score depth against true depth, and learned motion against poses where there are any.
    #[arg(long, help_heading = HEADING, requires = "data", conflicts_with = "labels")]
    pub(crate) depth: bool,
    /// Score depth by how well it rebuilds frames from their neighbours: needs poses or a stereo pair, and no true depth.
    #[arg(long, help_heading = HEADING, requires = "data", conflicts_with_all = ["labels", "depth"])]
    pub(crate) reconstruction: bool,
    /// Recording or folder to score on; may be given several times.
    #[arg(long, help_heading = HEADING, value_name = "PATH", conflicts_with = "labels")]
    pub(crate) data: Vec<PathBuf>,
    /// Camera file for footage that has none.
    #[arg(long, help_heading = HEADING, value_name = "FILE", requires = "data")]
    pub(crate) camera: Option<PathBuf>,
    /// The same for the right camera.
    #[arg(long, help_heading = HEADING, value_name = "FILE", requires = "data")]
    pub(crate) right_camera: Option<PathBuf>,
    /// Frames to score at most, spread evenly.
    #[arg(long, help_heading = HEADING, default_value_t = 200)]
    pub(crate) frames: usize,
    /// Frames between a frame and those it is rebuilt from, and between those of a snippet; the run's own unless told.
    #[arg(long, help_heading = HEADING, value_name = "N", requires = "data", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) frame_gap: Option<u16>,
    /// Frames of a snippet whose learned motion is scored as one, 3 or 5 in the literature.
    #[arg(long, help_heading = HEADING, value_name = "FRAMES", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) snippet: u16,
    /// Truth beyond this many metres is left out; predictions are capped to it.
    #[arg(long, help_heading = HEADING, value_name = "METRES", default_value_t = 80.0)]
    pub(crate) cap: f32,
    /// Truth nearer than this is left out; predictions are raised to it.
    #[arg(long, help_heading = HEADING, value_name = "METRES", default_value_t = 0.1)]
    pub(crate) min_depth: f32,
    /// The part of the picture that counts; garg and eigen are those of published numbers on KITTI.
    #[arg(long, help_heading = HEADING, value_enum, default_value_t)]
    pub(crate) crop: Crop,
    /// Which of the recording's depths is the truth.
    #[arg(long, help_heading = HEADING, value_enum, default_value_t)]
    pub(crate) truth: TruthSource,
    /// How predictions are brought to the truth's scale: median or none (stereo runs are metric).
    #[arg(long, help_heading = HEADING, value_name = "median|none", default_value = "median", value_parser = parse_scaling)]
    pub(crate) scaling: Scaling,
    /// With --reconstruction: the frames before and after with the recording's poses, or the other eye.
    #[arg(long, help_heading = HEADING, value_enum, default_value_t)]
    pub(crate) neighbours: Neighbours,
    /// Score the mean of the disparities of the picture and of its mirror image; a board runs the picture alone.
    #[arg(long, help_heading = HEADING, requires = "data")]
    pub(crate) flip_average: bool,
    /// Folder for a report and pictures: the worst frames, or frames as they were rebuilt.
    #[arg(long, help_heading = HEADING, value_name = "DIR", requires = "data")]
    pub(crate) out: Option<PathBuf>,
}

/// Decoded frames that are kept, bytes: each is looked at as a target and as its neighbours' neighbour.
const MEMORY: usize = 256 << 20;

/// A run and footage, ready to score.
pub(super) struct Opened {
    pub(super) config: PretrainConfig,
    input: ModelInput,
    footage: Footage,
    model: DepthModel,
    pub(super) views: Views,
    device: Device,
}

impl Opened {
    pub(super) fn new(run: &Path, args: &DepthArgs, device: DeviceChoice) -> anyhow::Result<Self> {
        if args.frames == 0 {
            return Err(BadArguments::error("--frames must be at least 1", "leave it out for the default"));
        }
        let folder = RunFolder::open(run)?;
        let description = folder.description()?;
        let config = config_of(&folder, &description)?;
        let footage = footage(&PretrainConfig {
            data: super::recordings(&args.data)?,
            camera: args.camera.clone(),
            right_camera: args.right_camera.clone(),
            memory: MEMORY,
            ..config.clone()
        })?;
        let config = PretrainConfig { frame_gap: args.frame_gap.map_or(config.frame_gap, usize::from), ..config };
        let device = choose(device, &Inspector::of_this_program()?)?.device;
        let has_pose = folder.path().join("pose.safetensors").is_file();
        let model = DepthModel::load(folder.path(), has_pose, &device)?;
        Ok(Self { config, input: description.input, footage, model, views: super::views(args.flip_average), device })
    }

    pub(super) fn predictor(&self) -> Predictor<'_> {
        let Self { input, footage, model, views, device, .. } = self;
        Predictor { model, input, footage, views: *views, device }
    }

    /// The learned motion's score; none without pose network or poses.
    pub(super) fn trajectory(&self, args: &DepthArgs) -> anyhow::Result<Option<TrajectoryReport>> {
        Ok(evaluate_trajectory(&self.predictor(), usize::from(args.snippet), self.config.frame_gap)?)
    }
}

/// A report with what its predictions were made from and the learned motion's beside it.
#[derive(Serialize)]
pub(super) struct WithTrajectory<Report> {
    #[serde(flatten)]
    pub(super) report: Report,
    pub(super) views: Views,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trajectory: Option<TrajectoryReport>,
}

/// Runs the depth part of `evaluate`.
pub(crate) fn run(run: &Path, args: &DepthArgs, device: DeviceChoice, json: bool) -> anyhow::Result<Outcome> {
    if !(args.min_depth > 0.0 && args.cap.is_finite() && args.cap > args.min_depth) {
        let message = format!("expected 0 < --min-depth < --cap, got {} and {}", args.min_depth, args.cap);
        return Err(BadArguments::error(message, "leave them out for 0.1 and 80 m"));
    }
    let opened = Opened::new(run, args, device)?;
    if args.scaling == Scaling::None && opened.config.metres_per_unit.is_none() {
        let hint = "depth from video alone has no metres: leave --scaling out";
        return Err(BadArguments::error("the run does not know its scale", hint));
    }
    let settings = DepthEvaluation {
        nearest: args.min_depth,
        farthest: args.cap,
        crop: args.crop,
        truth: args.truth,
        scaling: args.scaling,
        metres_per_unit: opened.config.metres_per_unit.unwrap_or(1.0) as f32,
        frames: args.frames,
    };
    let report = evaluate_depth(&opened.predictor(), &settings)?;
    let picture = args.out.is_some().then(|| draw_worst(&opened.predictor(), &settings, &report.worst)).transpose()?;
    let report = WithTrajectory { report, views: opened.views, trajectory: opened.trajectory(args)? };
    if let (Some(out), Some(picture)) = (&args.out, picture) {
        write_report(out, &report, &[("worst.png", picture)])?;
    }
    show(&report, args, json)?;
    Ok(Outcome::Done)
}

/// Writes `report.json` and pictures into a folder.
pub(super) fn write_report(
    out: &Path,
    report: &impl Serialize,
    pictures: &[(&str, image::RgbImage)],
) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).map_err(parallax_core::Error::io("create", out))?;
    for (name, picture) in pictures {
        write_picture(&out.join(name), &picture.clone().into())?;
    }
    write_bytes(&out.join("report.json"), &serde_json::to_vec_pretty(report)?)?;
    Ok(())
}

fn show(report: &WithTrajectory<DepthReport>, args: &DepthArgs, json: bool) -> anyhow::Result<()> {
    if json {
        print(serde_json::to_string(report)?);
        return Ok(());
    }
    let DepthReport { score, baselines, bins, frames, pixels, nearest_m, farthest_m, .. } = &report.report;
    print(format_args!("{frames} frames, {pixels} pixels with truth from {nearest_m} m to {farthest_m} m"));
    print(format_args!(
        "median of truth / prediction: {:.3}, spread {:.3}",
        report.report.scale, report.report.scale_spread
    ));
    print(format_args!(
        "{:<14} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7}",
        "", "Abs Rel", "Sq Rel", "RMSE", "RMSElog", "δ1", "δ2", "δ3"
    ));
    let rows = [
        ("network", score),
        ("constant", &baselines.constant),
        ("ground plane", &baselines.ground_plane),
        ("row median", &baselines.row_median),
    ];
    for (name, score) in rows {
        let DepthScore { abs_rel, sq_rel, rmse, rmse_log, delta1, delta2, delta3 } = score;
        print(format_args!(
            "{name:<14} {abs_rel:>8.4} {sq_rel:>8.3} {rmse:>8.3} {rmse_log:>8.4} {delta1:>7.4} {delta2:>7.4} {delta3:>7.4}"
        ));
    }
    print(format_args!("\n{:<14} {:>8} {:>8} {:>7} {:>10}", "true distance", "Abs Rel", "RMSE", "δ1", "pixels"));
    for bin in bins {
        let range = format!("{} to {} m", bin.from_m, bin.to_m);
        print(format_args!(
            "{range:<14} {:>8.4} {:>8.3} {:>7.4} {:>10}",
            bin.abs_rel, bin.rmse, bin.delta1, bin.pixels
        ));
    }
    show_trajectory(report.trajectory.as_ref());
    if let Some(out) = &args.out {
        print(format_args!("wrote {}", out.display()));
    }
    Ok(())
}

/// The learned motion's errors.
pub(super) fn show_trajectory(report: Option<&TrajectoryReport>) {
    let Some(report) = report else { return };
    let TrajectoryReport { snippet_frames, frame_gap, snippets, length_m, .. } = report;
    print(format_args!(
        "\n{snippets} snippets of {snippet_frames} frames, {frame_gap} apart, {length_m:.2} m long on average"
    ));
    let rows = [
        ("pose network", report.ate_m),
        ("standing still", report.standing_still_m),
        ("mean motion", report.mean_motion_m),
    ];
    for (name, Spread { mean, std }) in rows {
        print(format_args!("{name:<14} ATE {mean:.4} ± {std:.4} m"));
    }
}

fn parse_scaling(text: &str) -> Result<Scaling, String> {
    match text {
        "median" => Ok(Scaling::Median),
        "none" => Ok(Scaling::None),
        _ => Err(format!("expected median or none, got `{text}`")),
    }
}
