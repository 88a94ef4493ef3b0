//! The command line: one subcommand per file of [`crate::commands`], no logic here.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use parallax_edge::framing::Region;
use parallax_edge::policy::{Rule, rule};
use parallax_edge::settings;
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
    Run(Box<RunArgs>),
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
  parallax-edge run --from photos/ --bundle slim.tar --out masks --json | jq .stages_ms.infer
  parallax-edge run --from /dev/video0 --bundle slim.bundle --http --foxglove --log logs --rate 15
  parallax-edge run --from /dev/video0 --bundle slim.bundle --json --thermal 'above 80: rate 5'
  parallax-edge run --config edge.toml")]
pub(crate) struct RunArgs {
    /// A configuration file with any of the following; flags go before it. docs/board.md lists its keys.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A camera (v4l2:DEVICE, cmd:COMMAND, http://HOST/PATH, stereo:LEFT|RIGHT), a recording, a folder of pictures or
    /// a picture; docs/cameras.md says what options each takes.
    #[arg(long, value_name = "URI", value_parser = source_uri, required_unless_present = "config")]
    pub(crate) from: Option<String>,
    /// The bundle: a folder or a .tar.
    #[arg(long, required_unless_present = "config")]
    pub(crate) bundle: Option<PathBuf>,
    /// The folder to write: masks/, overlays/, frames.jsonl, summary.json.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Which of the bundle's models to run (the first one by default).
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Frames at most; a camera otherwise goes on until Ctrl-C.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Frames to work on at once [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Write masks only.
    #[arg(long)]
    pub(crate) no_overlays: bool,
    /// Frames a second at most.
    #[arg(long, value_name = "FPS", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Look at this part of the picture only; outside of it masks say "ignore".
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = region)]
    pub(crate) roi: Option<String>,
    /// Take the lens of this camera file out of the pictures first; masks belong to the undistorted pictures.
    #[arg(long, value_name = "CAMERA.yaml")]
    pub(crate) undistort: Option<PathBuf>,
    /// Show each pixel's majority over the last N masks (odd); changes show N / 2 frames late.
    #[arg(long, value_name = "N")]
    pub(crate) smooth: Option<u8>,
    /// What to do when it is hot, such as 'above 80: rate 5' or 'above 85: model small'; several are possible.
    #[arg(long, value_name = "RULE")]
    pub(crate) thermal: Vec<Rule>,
    /// The file with the temperature [default: /sys/class/thermal/thermal_zone0/temp].
    #[arg(long, value_name = "FILE")]
    pub(crate) thermal_sensor: Option<PathBuf>,
    /// Log masks into this folder as MCAP files.
    #[arg(long, value_name = "DIR")]
    pub(crate) log: Option<PathBuf>,
    /// Serve a preview page, MJPEG streams and Prometheus metrics.
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = settings::HTTP)]
    pub(crate) http: Option<SocketAddr>,
    /// The file with the token that --http asks visitors for; needed where others can reach it.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Serve a live view for Foxglove to this machine.
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = settings::FOXGLOVE)]
    pub(crate) foxglove: Option<SocketAddr>,
    /// One JSON object per frame on stdout; the summary goes to stderr.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A rate that makes sense.
fn rate(text: &str) -> Result<f64, String> {
    rule::rate(text)
}

/// A region that makes sense, as it was given.
fn region(text: &str) -> Result<String, String> {
    text.parse::<Region>().map(|region| region.to_string())
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
    /// With --kernels: the instructions to compute integers with (the best that this processor has by default).
    #[arg(long, requires = "kernels", value_name = "ISA", value_parser = isa)]
    pub(crate) isa: Option<Isa>,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
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
  parallax-edge bench --bundle slim.bundle --split 4 --isa avx2 --json")]
pub(crate) struct BenchArgs {
    /// The bundle: a folder or a .tar.
    #[arg(long)]
    pub(crate) bundle: PathBuf,
    /// Frames to measure on each thread.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Frames to work on at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    /// Threads that share each int8 operator of a frame.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) split: u16,
    /// Which of the bundle's models to run (the first one by default).
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The instructions to compute integers with (the best that this processor has by default).
    #[arg(long, value_name = "ISA", value_parser = isa)]
    pub(crate) isa: Option<Isa>,
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
