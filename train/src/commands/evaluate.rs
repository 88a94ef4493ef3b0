//! `parallax-train evaluate`: a run's masks against labels, its depth against true depth or against its own footage.

use std::path::{Path, PathBuf};

use clap::Args;
use parallax_core::labels::LabelledSet;
use parallax_core::program::print;
use parallax_train::device::{DeviceChoice, Inspector, choose};
use parallax_train::finetune::evaluation::Pictures;
use parallax_train::finetune::{FinetunedRun, evaluate};

use super::evaluate_depth::DepthArgs;
use super::{Outcome, evaluate_depth, evaluate_reconstruction};

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train evaluate runs/masks --labels mine
  parallax-train evaluate runs/masks --labels mine --json
  parallax-train evaluate runs/depth --depth --data unseen.mcap
  parallax-train evaluate runs/depth --depth --data kitti --crop garg --min-depth 0.001 --out report
  parallax-train evaluate runs/depth --reconstruction --data odometry --out report")]
pub(crate) struct EvaluateArgs {
    /// The run to score.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Labelled set to score masks on; the pictures that the run was trained on are left out.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["depth", "reconstruction"])]
    pub(crate) labels: Option<PathBuf>,
    /// Classes file of that set [default: the run's own classes].
    #[arg(long, value_name = "FILE", requires = "labels")]
    pub(crate) classes: Option<PathBuf>,
    /// Score the training pictures too.
    #[arg(long, requires = "labels")]
    pub(crate) all: bool,
    /// Depth in place of masks.
    #[command(flatten)]
    pub(crate) depth: DepthArgs,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    pub(crate) device: DeviceChoice,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &EvaluateArgs) -> anyhow::Result<Outcome> {
    match &args.labels {
        Some(labels) => score_masks(args, labels),
        None if args.depth.reconstruction => {
            evaluate_reconstruction::run(&args.run, &args.depth, args.device, args.json)
        }
        None => evaluate_depth::run(&args.run, &args.depth, args.device, args.json),
    }
}

fn score_masks(args: &EvaluateArgs, labels: &Path) -> anyhow::Result<Outcome> {
    let run = FinetunedRun::open(&args.run)?;
    let classes = args.classes.clone().unwrap_or_else(|| run.classes_path());
    let set = LabelledSet::open(labels, Some(&classes))?;
    let device = choose(args.device, &Inspector::of_this_program()?)?;
    let pictures = if args.all { Pictures::All } else { Pictures::Unseen };
    let report = evaluate(&run, &set, pictures, &device.device)?;
    if args.json {
        print(serde_json::to_string(&report)?);
    } else {
        print(report);
    }
    Ok(Outcome::Done)
}
