//! What a run was asked for: defaults, a configuration file over them, flags over both.
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

mod run;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parallax_core::reading::{MOST_CONFIGURATION, read_text};
use serde::{Deserialize, Serialize};

use crate::policy::Rule;
use crate::{EdgeError, Result};

pub use run::Run;

/// Version of the configuration's form.
pub const SCHEMA: u32 = 1;
/// Where the live views are unless told otherwise.
pub const HTTP: &str = "127.0.0.1:8080";
/// Where Foxglove looks for a robot by default.
pub const FOXGLOVE: &str = "127.0.0.1:8765";

/// What was asked for, as far as it was: a configuration file, or the flags of a command line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Version of the form.
    pub schema: Option<u32>,
    /// The source of frames.
    pub from: Option<String>,
    /// The bundle.
    pub bundle: Option<PathBuf>,
    /// Which of the bundle's models.
    pub model: Option<String>,
    /// The folder to write masks into.
    pub out: Option<PathBuf>,
    /// MB that this folder may take.
    pub out_budget_mb: Option<f64>,
    /// Whether overlays are written beside the masks.
    pub overlays: Option<bool>,
    /// Frames at most.
    pub limit: Option<usize>,
    /// Frames to work on at once.
    pub threads: Option<u16>,
    /// Frames a second at most.
    pub rate: Option<f64>,
    /// The part of the picture to look at, `x,y,width,height`.
    pub roi: Option<String>,
    /// The camera file to undistort with.
    pub undistort: Option<PathBuf>,
    /// Masks to take the majority of.
    pub smooth: Option<u8>,
    /// What to do when it is hot.
    pub thermal: Thermal,
    /// Whether pictures of another camera than the bundle's are taken.
    pub any_camera: Option<bool>,
    /// Whether the bundle's golden frame has to give its mask before the first frame.
    pub golden: Option<bool>,
    /// How the network is computed.
    pub engine: EngineSettings,
    /// Footage for pre-training, collected beside the masks.
    pub record: Record,
    /// Masks as MCAP files.
    pub log: Log,
    /// Preview page and metrics.
    pub http: Http,
    /// Foxglove's live view.
    pub foxglove: Foxglove,
}

/// `[thermal]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thermal {
    /// The file with the temperature.
    pub sensor: Option<PathBuf>,
    /// Degrees below its threshold at which a rule ends.
    pub hysteresis: Option<f64>,
    /// The rules; those of a command line replace those of a file.
    pub rules: Vec<Rule>,
}

/// `[engine]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Threads that share each int8 operator of a frame.
    pub split: Option<u16>,
    /// Whether each of them keeps to a core of its own.
    pub pin: Option<bool>,
    /// The instructions to compute integers with.
    pub isa: Option<String>,
}

/// `[record]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// The folder.
    pub folder: Option<PathBuf>,
    /// Whether all frames are recorded, not only those that teach depth.
    pub all: Option<bool>,
    /// MB that the folder may take.
    pub budget_mb: Option<f64>,
    /// MB that stay free on its disk.
    pub keep_free_mb: Option<f64>,
}

/// `[log]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The folder.
    pub folder: Option<PathBuf>,
    /// MiB after which a new file begins.
    pub file_mib: Option<u32>,
    /// MiB of all files together.
    pub budget_mib: Option<u32>,
}

/// `[http]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port.
    pub bind: Option<SocketAddr>,
    /// The file with the token that visitors need.
    pub token_file: Option<PathBuf>,
}

/// `[foxglove]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Foxglove {
    /// Address and port.
    pub bind: Option<SocketAddr>,
    /// Whose pages may connect, beside Foxglove's own; those of a command line come to those of a file.
    pub allow_origin: Vec<String>,
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

    /// These settings, and those of `file` where these say nothing.
    #[must_use]
    pub fn over(self, file: Self) -> Self {
        Self {
            schema: self.schema.or(file.schema),
            from: self.from.or(file.from),
            bundle: self.bundle.or(file.bundle),
            model: self.model.or(file.model),
            out: self.out.or(file.out),
            out_budget_mb: self.out_budget_mb.or(file.out_budget_mb),
            overlays: self.overlays.or(file.overlays),
            limit: self.limit.or(file.limit),
            threads: self.threads.or(file.threads),
            rate: self.rate.or(file.rate),
            roi: self.roi.or(file.roi),
            undistort: self.undistort.or(file.undistort),
            smooth: self.smooth.or(file.smooth),
            thermal: Thermal {
                sensor: self.thermal.sensor.or(file.thermal.sensor),
                hysteresis: self.thermal.hysteresis.or(file.thermal.hysteresis),
                rules: if self.thermal.rules.is_empty() { file.thermal.rules } else { self.thermal.rules },
            },
            any_camera: self.any_camera.or(file.any_camera),
            golden: self.golden.or(file.golden),
            engine: EngineSettings {
                split: self.engine.split.or(file.engine.split),
                pin: self.engine.pin.or(file.engine.pin),
                isa: self.engine.isa.or(file.engine.isa),
            },
            record: Record {
                folder: self.record.folder.or(file.record.folder),
                all: self.record.all.or(file.record.all),
                budget_mb: self.record.budget_mb.or(file.record.budget_mb),
                keep_free_mb: self.record.keep_free_mb.or(file.record.keep_free_mb),
            },
            log: Log {
                folder: self.log.folder.or(file.log.folder),
                file_mib: self.log.file_mib.or(file.log.file_mib),
                budget_mib: self.log.budget_mib.or(file.log.budget_mib),
            },
            http: Http {
                bind: self.http.bind.or(file.http.bind),
                token_file: self.http.token_file.or(file.http.token_file),
            },
            foxglove: Foxglove {
                bind: self.foxglove.bind.or(file.foxglove.bind),
                allow_origin: [self.foxglove.allow_origin, file.foxglove.allow_origin].concat(),
            },
        }
    }
}

fn refuse(what: impl Into<String>, hint: &'static str) -> EdgeError {
    EdgeError::Settings { what: what.into(), path: None, hint }
}
