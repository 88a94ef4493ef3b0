//! The command line: one subcommand per file of [`crate::commands`], no logic here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use parallax_core::recording::Encoding;
use parallax_edge::arguments::{Roll, bytes, duration, encoding, roll, size, source_uri};
use parallax_edge::settings::{EngineSettings, Flags};

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
    /// Collect footage for pre-training: the frames of a camera that teach depth.
    Record(Box<RecordArgs>),
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
    /// A configuration file with any of the following; flags override the file. docs/board.md lists its keys.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// One JSON object per frame on stdout; the summary goes to stderr.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `record`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-edge record --from '/dev/video0?size=640x480&fps=30' --camera camera.yaml --size 640x192 --out field
  parallax-edge record --from 'cmd:rpicam-vid -n -t 0 --codec mjpeg -o -' --budget 4GB --keep-free 1GB --out field
  parallax-edge record --from 'stereo:v4l2:/dev/video0|v4l2:/dev/video2' --camera l.yaml --right-camera r.yaml --out field
  parallax-edge record --from everything.mcap --out chosen --json

Then: parallax-train doctor field; parallax-train pretrain --from video --data field ...
Exit code: 0 done, 3 stopped because there was no room for more, or frames were lost, 1 failed, or no frame was worth
keeping. A file that a crash or a power loss left torn is made whole at the next start. docs/recording.md tells more.")]
pub(crate) struct RecordArgs {
    /// A camera, a recording or a folder of pictures, as for `run`.
    #[arg(long, value_name = "URI", value_parser = source_uri)]
    pub(crate) from: String,
    /// The folder to write: 000000.mcap, 000001.mcap ... beside those of earlier runs.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Calibration of the left or only camera: it is recorded, and turns on the spot are told better with it.
    #[arg(long, value_name = "FILE")]
    pub(crate) camera: Option<PathBuf>,
    /// Calibration of the right camera.
    #[arg(long, value_name = "FILE")]
    pub(crate) right_camera: Option<PathBuf>,
    /// Size that training will have: frames are judged in its pixels [default: the frames' own, at most 640 wide].
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub(crate) size: Option<(u32, u32)>,
    /// Keep all frames.
    #[arg(long)]
    pub(crate) all: bool,
    /// Bytes that the folder may take, such as 4GB; beyond it the files that are worth least are removed.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) budget: Option<u64>,
    /// Bytes that stay free on the disk.
    #[arg(long, value_name = "BYTES", value_parser = bytes, default_value = "200MB")]
    pub(crate) keep_free: u64,
    /// When a file ends and the next begins: a time, a size, or both such as 5min,500MB.
    #[arg(long, value_name = "TIME|BYTES", value_parser = roll, default_value = "5min,500MB")]
    pub(crate) roll: Roll,
    /// How pictures are stored that are not JPEG yet: png, or jpeg and a quality such as jpeg:95.
    #[arg(long, value_name = "FORM", value_parser = encoding, default_value = "jpeg:95")]
    pub(crate) encoding: Encoding,
    /// Frames to look at, at most.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Time to record at most, such as 30s, 10min or 2h.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// One JSON object on stdout at the end.
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
    pub(crate) engine: EngineSettings,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
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
    pub(crate) engine: EngineSettings,
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
    pub(crate) engine: EngineSettings,
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
