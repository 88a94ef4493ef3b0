//! The command line: one subcommand per file of [`crate::commands`], no logic here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use parallax_kernels::Isa;

use crate::commands::source_uri;

/// Segmentation on the board: a bundle and a camera or recording in, masks out.
#[derive(Debug, Parser)]
#[command(name = "parallax-edge", version, about, propagate_version = true)]
pub(crate) struct Cli {
    /// Say more on stderr.
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Segment the frames of a camera, a recording, a folder of pictures or a picture.
    Run(RunArgs),
    /// Say what a bundle holds and what runs it.
    Inspect(InspectArgs),
    /// Score a bundle on a labelled set.
    Evaluate(EvaluateArgs),
    /// List the cameras of this machine: formats, sizes, rates and controls.
    Devices(DevicesArgs),
    /// Measure how fast a bundle runs here.
    Bench(BenchArgs),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-edge run --from drive.mcap --bundle slim.bundle --out masks
  parallax-edge run --from '/dev/video0?size=640x480&fps=30' --bundle slim.bundle --out masks --limit 300
  parallax-edge run --from 'cmd:rpicam-vid -n -t 0 --codec mjpeg -o -' --bundle slim.bundle --out masks --json
  parallax-edge run --from photos/ --bundle slim.tar --out masks --json | jq .stages_ms.infer")]
pub(crate) struct RunArgs {
    /// A camera (v4l2:DEVICE, cmd:COMMAND, http://HOST/PATH, stereo:LEFT|RIGHT), a recording, a folder of pictures or
    /// a picture; docs/cameras.md says what options each takes.
    #[arg(long, value_name = "URI", value_parser = source_uri)]
    pub(crate) from: String,
    /// The bundle: a folder or a .tar.
    #[arg(long)]
    pub(crate) bundle: PathBuf,
    /// The folder to write: masks/, overlays/, frames.jsonl, summary.json.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Which of the bundle's models to run (the first one by default).
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Frames at most; a camera otherwise goes on until Ctrl-C.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Frames to work on at once.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "pin")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Write masks only.
    #[arg(long)]
    pub(crate) no_overlays: bool,
    /// One JSON object per frame on stdout; the summary goes to stderr.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `devices`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-edge devices
  parallax-edge devices --json | jq '.devices[].path'")]
pub(crate) struct DevicesArgs {
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-edge inspect slim.bundle
  parallax-edge inspect slim.bundle --kernels        exit 3 if a convolution that the file quantises runs in float
  parallax-edge inspect slim.bundle --kernels --json | jq '.operators[] | select(.kernel == \"tract\")'")]
pub(crate) struct InspectArgs {
    /// The bundle: a folder or a .tar.
    pub(crate) bundle: PathBuf,
    /// List what runs each operator of a model, in which type and how fast, instead.
    #[arg(long)]
    pub(crate) kernels: bool,
    /// With --kernels: which of the bundle's models (the first one by default).
    #[arg(long, requires = "kernels")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a model is run.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// Threads that share each int8 operator of a frame.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) split: u16,
    /// Keep each of these threads on a processor core of its own.
    #[arg(long)]
    pub(crate) pin: bool,
    /// The instructions to compute integers with (the best that this processor has by default).
    #[arg(long, value_name = "ISA", env = "PARALLAX_KERNELS", value_parser = isa)]
    pub(crate) isa: Option<Isa>,
}

/// The instructions with a name.
fn isa(name: &str) -> Result<Isa, String> {
    let known = || Isa::available().into_iter().map(Isa::name).collect::<Vec<_>>().join(", ");
    Isa::named(name).ok_or_else(|| format!("this processor has {}", known()))
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "Pictures that the bundle was trained on are left out, by name and content.

Examples:
  parallax-edge evaluate --bundle slim.bundle --labels labelled/
  parallax-edge evaluate --bundle slim.bundle --labels labelled/ --only test_names.txt --json")]
pub(crate) struct EvaluateArgs {
    /// The bundle: a folder or a .tar.
    #[arg(long)]
    pub(crate) bundle: PathBuf,
    /// The labelled set: images/, labels/, classes.toml.
    #[arg(long, value_name = "DIR")]
    pub(crate) labels: PathBuf,
    /// Classes file used instead of the set's own.
    #[arg(long, value_name = "FILE")]
    pub(crate) classes: Option<PathBuf>,
    /// Which of the bundle's models to score (the first one by default).
    #[arg(long)]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Score only the pictures named in this file, one name without extension per line.
    #[arg(long, value_name = "FILE", conflicts_with = "include_training")]
    pub(crate) only: Option<PathBuf>,
    /// Score the pictures that the bundle was trained on as well.
    #[arg(long)]
    pub(crate) include_training: bool,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-edge bench --bundle slim.bundle --runs 200
  parallax-edge bench --bundle slim.bundle --compare float --compare tract
  parallax-edge bench --bundle slim.bundle --split 4 --pin
  PARALLAX_KERNELS=avx2 parallax-edge bench --bundle slim.bundle --json")]
pub(crate) struct BenchArgs {
    /// The bundle: a folder or a .tar.
    #[arg(long)]
    pub(crate) bundle: PathBuf,
    /// Frames to measure on each thread.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Frames to work on at once.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "pin")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Which of the bundle's models to run (the first one by default).
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Run this in turn with the model: the bundle's float model, or the same file in tract alone.
    #[arg(long, value_enum, conflicts_with = "threads")]
    pub(crate) compare: Vec<CompareArg>,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `bench` compares with.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CompareArg {
    /// The bundle's float model, in tract.
    Float,
    /// The same model file, in tract alone, which computes int8 files in float.
    Tract,
}
