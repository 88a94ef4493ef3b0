//! What a run was asked for: a configuration file overrides the defaults, flags override the file.
//!
//! ```toml
//! schema = 1
//! from = "v4l2:/dev/video0?size=640x480&fps=30"
//! bundle = "/var/lib/parallax/slim.bundle"
//! rate = 15
//!
//! [thermal]
//! rules = ["above 75: rate 10", "above 82: model small"]
//!
//! [http]
//! bind = "127.0.0.1:8080"
//! ```
//! docs/board.md explains each key.

mod flags;
mod run;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use parallax_core::reading::{MOST_CONFIGURATION, read_text};
use serde::{Deserialize, Serialize};

use crate::arguments::{isa, megabytes, rate, region, source_uri};
use crate::policy::Rule;
use crate::{EdgeError, Result};

pub use flags::Flags;
pub use run::Run;

/// Version of the configuration's form.
pub const SCHEMA: u32 = 1;
/// Where the live views are unless told otherwise.
pub const HTTP: &str = "127.0.0.1:8080";
/// Where Foxglove looks for a robot by default.
pub const FOXGLOVE: &str = "127.0.0.1:8765";

/// What was asked for, as far as it was. A field is a key of the configuration file and a flag of the command line; its
/// comment is the flag's help.
///
/// *Invariant*: no field has a default here. A flag that nobody gave must not override the file.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Version of the form.
    #[arg(skip)]
    pub schema: Option<u32>,
    /// A camera (v4l2:DEVICE, cmd:COMMAND, http://HOST/PATH, stereo:LEFT|RIGHT), a recording, a folder of pictures or
    /// a picture; docs/cameras.md says what options each takes.
    #[arg(long, value_name = "URI", value_parser = source_uri, required_unless_present = "config")]
    pub from: Option<String>,
    /// The bundle: a folder or a .tar.
    #[arg(long, required_unless_present = "config")]
    pub bundle: Option<PathBuf>,
    /// The folder to write: masks/, overlays/, frames.jsonl, summary.json.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Bytes that this folder may take, such as 4GB; when they are used up no more masks are written, and the exit code is 3.
    #[arg(long = "budget", value_name = "BYTES", value_parser = megabytes)]
    pub out_budget_mb: Option<f64>,
    /// Which of the bundle's models to run (the first one by default).
    #[arg(long)]
    pub model: Option<String>,
    /// Frames at most; a camera otherwise goes on until Ctrl-C.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Frames to work on at once [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), conflicts_with = "pin")]
    pub threads: Option<u16>,
    /// How the network is computed.
    #[command(flatten)]
    pub engine: EngineSettings,
    /// Write masks only.
    #[arg(long = "no-overlays", action = ArgAction::SetFalse)]
    pub overlays: Option<bool>,
    /// Frames a second at most.
    #[arg(long, value_name = "FPS", value_parser = rate)]
    pub rate: Option<f64>,
    /// Look at this part of the picture only; outside of it masks say "ignore".
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = region)]
    pub roi: Option<String>,
    /// Take the lens of this camera file out of the pictures first; masks belong to the undistorted pictures.
    #[arg(long, value_name = "CAMERA.yaml")]
    pub undistort: Option<PathBuf>,
    /// Take pictures of another camera than the one that the bundle has learned from.
    #[arg(long, action = ArgAction::SetTrue)]
    pub any_camera: Option<bool>,
    /// Start although the bundle's golden frame gives another mask here than it was packed with, or none.
    #[arg(long = "no-golden", action = ArgAction::SetFalse)]
    pub golden: Option<bool>,
    /// Show each pixel's majority over the last N masks (odd); changes show N / 2 frames late.
    #[arg(long, value_name = "N")]
    pub smooth: Option<u8>,
    /// What to do when it is hot.
    #[command(flatten)]
    pub thermal: Thermal,
    /// Masks as MCAP files.
    #[command(flatten)]
    pub log: Log,
    /// Preview page and metrics.
    #[command(flatten)]
    pub http: Http,
    /// Foxglove's live view.
    #[command(flatten)]
    pub foxglove: Foxglove,
    /// Footage for pre-training, collected beside the masks.
    #[command(flatten)]
    pub record: Record,
}

/// `[engine]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Threads that share each int8 operator of a frame [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub split: Option<u16>,
    /// Keep each of these threads on a processor core of its own.
    #[arg(long, action = ArgAction::SetTrue)]
    pub pin: Option<bool>,
    /// The instructions to compute integers with (the best that this processor has by default).
    #[arg(long, value_name = "ISA", env = "PARALLAX_KERNELS", value_parser = isa)]
    pub isa: Option<String>,
}

/// `[thermal]`
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thermal {
    /// What to do when it is hot, such as 'above 80: rate 5' or 'above 85: model small'; several are possible.
    #[arg(long = "thermal", value_name = "RULE")]
    pub rules: Vec<Rule>,
    /// The file with the temperature [default: /sys/class/thermal/thermal_zone0/temp].
    #[arg(long = "thermal-sensor", value_name = "FILE")]
    pub sensor: Option<PathBuf>,
    /// Degrees below its threshold at which a rule ends.
    #[arg(skip)]
    pub hysteresis: Option<f64>,
}

/// `[log]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Log masks into this folder as MCAP files.
    #[arg(id = "log", long = "log", value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// MiB after which a new file begins.
    #[arg(skip)]
    pub file_mib: Option<u32>,
    /// MiB of all files together.
    #[arg(skip)]
    pub budget_mib: Option<u32>,
}

/// `[http]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Serve a preview page, MJPEG streams and Prometheus metrics.
    #[arg(id = "http", long = "http", value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = HTTP)]
    pub bind: Option<SocketAddr>,
    /// The file with the token that --http asks visitors for; needed where others can reach it.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// `[foxglove]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Foxglove {
    /// Serve a live view for Foxglove to this machine.
    #[arg(id = "foxglove", long = "foxglove", value_name = "ADDRESS:PORT")]
    #[arg(num_args = 0..=1, default_missing_value = FOXGLOVE)]
    pub bind: Option<SocketAddr>,
    /// Let pages of this origin, such as http://localhost:3000, connect there beside Foxglove's own; several are possible.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
}

/// `[record]`
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// Collect footage for pre-training into this folder beside it, as `record` does, of the frames that are segmented.
    #[arg(id = "record", long = "record", value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Record all frames, not only those that teach depth.
    #[arg(long = "record-all", action = ArgAction::SetTrue)]
    pub all: Option<bool>,
    /// Bytes that this folder may take.
    #[arg(long = "record-budget", value_name = "BYTES", value_parser = megabytes)]
    pub budget_mb: Option<f64>,
    /// Bytes that recording leaves free on the disk [default: 200MB].
    #[arg(long = "keep-free", value_name = "BYTES", value_parser = megabytes)]
    pub keep_free_mb: Option<f64>,
}

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// It cannot be read, has another schema, unknown keys or values that make no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |what: String, hint| EdgeError::Settings { what, path: Some(path.to_path_buf()), hint };
        let settings: Self = toml::from_str(&read_text(path, MOST_CONFIGURATION)?).map_err(|error| {
            refuse(error.to_string().trim_end().to_owned(), "docs/board.md lists the keys of a configuration")
        })?;
        match settings.schema {
            Some(SCHEMA) => Ok(settings),
            found => Err(refuse(
                format!("expected schema = {SCHEMA}, found {}", found.map_or("none".to_owned(), |n| n.to_string())),
                "a configuration begins with `schema = 1`; another number is for another version of this program",
            )),
        }
    }
}

fn refuse(what: impl Into<String>, hint: &'static str) -> EdgeError {
    EdgeError::Settings { what: what.into(), path: None, hint }
}
