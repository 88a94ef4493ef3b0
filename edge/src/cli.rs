//! The command line: one subcommand per file of [`crate::commands`], no logic here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use parallax_core::recording::Encoding;
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
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
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
    /// Bytes that this folder may take, such as 4GB; when they are used up no more masks are written, and the exit code is 3.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) budget: Option<u64>,
    /// Which of the bundle's models to run (the first one by default).
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Frames at most; a camera otherwise goes on until Ctrl-C.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Frames to work on at once [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), conflicts_with = "pin")]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
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
    /// Take pictures of another camera than the one that the bundle has learned from.
    #[arg(long)]
    pub(crate) any_camera: bool,
    /// Start although the bundle's golden frame gives another mask here than it was packed with, or none.
    #[arg(long)]
    pub(crate) no_golden: bool,
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
    /// Let pages of this origin, such as http://localhost:3000, connect there beside Foxglove's own; several are possible.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Collect footage for pre-training into this folder beside it, as `record` does, of the frames that are segmented.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Record all frames, not only those that teach depth.
    #[arg(long)]
    pub(crate) record_all: bool,
    /// Bytes that this folder may take.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) record_budget: Option<u64>,
    /// Bytes that recording leaves free on the disk [default: 200MB].
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) keep_free: Option<u64>,
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

/// When a file ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roll {
    pub(crate) time: Duration,
    pub(crate) bytes: u64,
}

fn roll(text: &str) -> Result<Roll, String> {
    let mut roll = Roll { time: Duration::MAX, bytes: u64::MAX };
    for part in text.split(',') {
        match (duration(part), bytes(part)) {
            (Ok(time), _) => roll.time = time,
            (_, Ok(bytes)) => roll.bytes = bytes,
            _ => return Err(format!("expected a time or a size, such as 5min or 500MB, got `{part}`")),
        }
    }
    Ok(roll)
}

/// The number before one of the units, times what the unit stands for.
fn number_with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, factor) = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let value = number.trim().parse::<f64>().ok()? * factor;
    (value.is_finite() && value > 0.0).then_some(value)
}

fn bytes(text: &str) -> Result<u64, String> {
    let units =
        [("GiB", f64::from(1 << 30)), ("MiB", f64::from(1 << 20)), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)];
    if text == "0" {
        return Ok(0);
    }
    let value = number_with_unit(text, &units);
    value.map(|value| value as u64).ok_or_else(|| format!("expected a size such as 500MB or 4GB, got `{text}`"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let value = number_with_unit(text, &[("min", 60.0), ("h", 3600.0), ("s", 1.0)]);
    let value = value.filter(|secs| *secs <= 1e7).map(Duration::from_secs_f64);
    value.ok_or_else(|| format!("expected a time such as 30s, 5min or 2h, got `{text}`"))
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let fits = |(width, height): &(u32, u32)| (64..=4096).contains(width) && (32..=4096).contains(height);
    sides
        .filter(fits)
        .ok_or_else(|| format!("expected a size from 64x32 to 4096 pixels, such as 640x192, got `{text}`"))
}

fn encoding(text: &str) -> Result<Encoding, String> {
    let quality = text.strip_prefix("jpeg:").and_then(|quality| quality.parse().ok());
    match quality.filter(|quality| (1..=100).contains(quality)) {
        Some(quality) => Ok(Encoding::Jpeg(quality)),
        None if text == "png" => Ok(Encoding::Png),
        None => Err(format!("expected png, or jpeg:95 with a quality from 1 to 100, got `{text}`")),
    }
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
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a model is run.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// Threads that share each int8 operator of a frame [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) split: Option<u16>,
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
