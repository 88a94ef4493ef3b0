//! The command line of `parallax-world`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use parallax_core::board::Board;
use std::path::PathBuf;

/// A rendered place with known truth.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Drives a robot through a place and writes what its cameras see, with depth, poses and labels.
    Render(Box<RenderArgs>),
}

const EXAMPLES: &str = "\
Examples:
  parallax-world render --seed 1 --frames 300 --size 256x128 --stereo --labels 150 --out world
  parallax-world render --seed 1 --frames 100 --size 640x192 --lidar --out video
  parallax-world render --seed 2 --frames 0 --labels 100 --places 5 --size 256x128 --out test

Labelled pictures are never frames of the recording. For scores on places never driven through, render a test set
with another seed.

Calibration boards before a camera that is known:
  parallax-world render --boards chessboard:9x6:25mm --frames 20 --size 640x480 --out boards
  parallax-world render --boards aprilgrid:6x6:80mm:0.3 --frames 30 --size 1280x800 --lens equidistant --partial --out boards";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch on the command line")]
pub(crate) struct RenderArgs {
    /// Which place; the same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Frames of the recording; 0 for labelled pictures only.
    #[arg(long, default_value_t = 300)]
    pub(crate) frames: usize,
    /// Size of the pictures.
    #[arg(long, value_name = "WxH", default_value = "640x192", value_parser = parse_size)]
    pub(crate) size: (u32, u32),
    /// Record a right camera too, rectified.
    #[arg(long)]
    pub(crate) stereo: bool,
    /// Distance between the two cameras in metres.
    #[arg(long, value_name = "METRES", default_value_t = 0.16, requires = "stereo")]
    pub(crate) baseline: f64,
    /// Record sparse ranges too, as a rotating sensor gives them.
    #[arg(long)]
    pub(crate) lidar: bool,
    /// Labelled pictures, from other drives than the recorded one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) labels: usize,
    /// Places the labelled pictures come from; the first is that of the recording.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) places: usize,
    /// Folder to write.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Replace an earlier output in that folder.
    #[arg(long)]
    pub(crate) force: bool,
    /// What a place holds, how it is photographed, how the robot drives: the world.toml of an earlier output or a part of
    /// one (`[drive]`, `camera_height_m = 1.65`). Flags given here count more.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Frames per second.
    #[arg(long)]
    pub(crate) fps: Option<f64>,
    /// Mean speed of the robot, m/s.
    #[arg(long)]
    pub(crate) speed: Option<f64>,
    /// Where on the path the drive starts, metres.
    #[arg(long, value_name = "METRES")]
    pub(crate) start: Option<f64>,
    /// Nobody walks and no car drives.
    #[arg(long)]
    pub(crate) no_movers: bool,
    /// No sensor noise and no wandering exposure.
    #[arg(long)]
    pub(crate) no_noise: bool,
    /// Print one JSON object that names what was written.
    #[arg(long)]
    pub(crate) json: bool,
    /// Instead of a drive, --frames views of this calibration board, with --stereo by two cameras.
    #[arg(long, value_name = "BOARD", conflicts_with_all = ["lidar", "labels", "places", "config", "fps", "speed", "start", "no_movers"])]
    pub(crate) boards: Option<Board>,
    #[command(flatten)]
    pub(crate) board_views: BoardViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BoardViewArgs {
    /// Lens of the camera that sees the boards.
    #[arg(long, value_enum, requires = "boards", default_value_t = LensName::PlumbBob)]
    pub(crate) lens: LensName,
    /// The farthest that boards are tilted.
    #[arg(long, value_name = "DEGREES", requires = "boards", default_value_t = 45.0)]
    pub(crate) tilt: f64,
    /// Boards may reach out of the picture.
    #[arg(long, requires = "boards")]
    pub(crate) partial: bool,
    /// Blur of the lens, standard deviation in pixels.
    #[arg(long, value_name = "PIXELS", requires = "boards")]
    pub(crate) blur: Option<f64>,
    /// Noise of the sensor, standard deviation in grey levels.
    #[arg(long, value_name = "LEVELS", requires = "boards", conflicts_with = "no_noise")]
    pub(crate) noise: Option<f64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum LensName {
    /// An ordinary lens of about 65 degrees.
    PlumbBob,
    /// A wide one of about 95 degrees.
    RationalPolynomial,
    /// A fisheye of about 140 degrees.
    Equidistant,
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("a size is WIDTHxHEIGHT such as 640x192, got {text}");
    let (width, height) = text.split_once('x').ok_or_else(wrong)?;
    Ok((width.parse().map_err(|_| wrong())?, height.parse().map_err(|_| wrong())?))
}
