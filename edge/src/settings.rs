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

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parallax_camera::preview::{Visitors, visitors};
use parallax_core::camera::{Camera, ros_yaml};
use parallax_core::files::read_text;
use parallax_kernels::Isa;
use serde::{Deserialize, Serialize};

use crate::drive::{DriveConfig, Overlays};
use crate::framing::Region;
use crate::policy::thermal::{HYSTERESIS_C, SENSOR};
use crate::policy::{Effect, Rule, ThermalConfig, rule};
use crate::publish::mask_log::MaskLogConfig;
use crate::record::{Choice, RecordConfig};
use crate::{EdgeError, EngineConfig, Placement, Result};

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
}

/// A run that makes sense: everything checked that can be without opening the source.
#[derive(Debug, Clone)]
pub struct Run {
    /// The source of frames.
    pub from: String,
    /// The bundle.
    pub bundle: PathBuf,
    /// Which of the bundle's models; the first one by default.
    pub model: Option<String>,
    /// Whether pictures of another camera than the bundle's are taken.
    pub any_camera: bool,
    /// How the network is computed.
    pub engine: EngineConfig,
    /// The loop.
    pub drive: DriveConfig,
    /// Footage for pre-training.
    pub record: Option<RecordConfig>,
    /// Masks as MCAP files.
    pub log: Option<MaskLogConfig>,
    /// Preview page and metrics.
    pub http: Option<Visitors>,
    /// Foxglove's live view.
    pub foxglove: Option<SocketAddr>,
    /// Everything above as it was asked for, for the record.
    pub effective: Settings,
}

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// It cannot be read, has another schema, unknown keys or values that make no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |what: String, hint| EdgeError::Settings { what, path: Some(path.to_path_buf()), hint };
        let settings: Self = toml::from_str(&read_text(path)?).map_err(|error| {
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
            foxglove: Foxglove { bind: self.foxglove.bind.or(file.foxglove.bind) },
        }
    }

    /// The run that they ask for.
    ///
    /// # Errors
    /// [`EdgeError::Settings`] for what is missing or cannot be; a camera or token file that cannot be read.
    pub fn check(self) -> Result<Run> {
        let effective = Self { schema: Some(SCHEMA), ..self.clone() };
        let from =
            self.from.ok_or_else(|| refuse("expected a source of frames", "give --from URI, or `from` in --config"))?;
        let bundle =
            self.bundle.ok_or_else(|| refuse("expected a bundle", "give --bundle BUNDLE, or `bundle` in --config"))?;
        if let Some(rate) = self.rate {
            rule::rate(&rate.to_string()).map_err(|what| refuse(what, "`rate` is in frames a second"))?;
        }
        let threads = usize::from(self.threads.unwrap_or(1).max(1));
        let engine = engine(self.engine, threads)?;
        let region = self.roi.as_deref().map(str::parse::<Region>).transpose();
        let drive = DriveConfig {
            out: self.out,
            limit: self.limit,
            threads,
            overlays: if self.overlays.unwrap_or(true) { Overlays::Write } else { Overlays::Skip },
            undistort: self.undistort.as_deref().map(read_camera).transpose()?,
            region: region.map_err(|what| refuse(what, "`roi` is in pixels of the camera's picture"))?,
            smoothing: self.smooth.map(|frames| smoothing(frames, threads)).transpose()?,
            rate: self.rate,
            thermal: thermal(self.thermal)?,
        };
        if let Some(address) = self.foxglove.bind.filter(|address| !address.ip().is_loopback()) {
            return Err(refuse(
                format!("Foxglove's protocol knows no tokens, so it is served to this machine only, not on {address}"),
                "bind it to 127.0.0.1:8765 and bring it over with `ssh -L 8765:127.0.0.1:8765 ROBOT`",
            ));
        }
        let record = record(self.record)?;
        let log = log(self.log)?;
        let http = http(self.http)?;
        Ok(Run {
            from,
            bundle,
            model: self.model,
            any_camera: self.any_camera.unwrap_or(false),
            engine,
            drive,
            record,
            log,
            http,
            foxglove: self.foxglove.bind,
            effective,
        })
    }
}

impl Run {
    /// The roles of the models that rules may choose.
    pub fn other_models(&self) -> impl Iterator<Item = &str> {
        let rules = self.drive.thermal.iter().flat_map(|thermal| &thermal.rules);
        rules.filter_map(|rule| match &rule.effect {
            Effect::Model(role) => Some(role.as_str()),
            Effect::Rate(_) => None,
        })
    }
}

fn refuse(what: impl Into<String>, hint: &'static str) -> EdgeError {
    EdgeError::Settings { what: what.into(), path: None, hint }
}

fn read_camera(path: &Path) -> Result<Camera> {
    let camera = ros_yaml::read(path)?;
    if !camera.needs_rectification() {
        tracing::warn!(
            "nothing to undistort: the camera file has neither distortion nor rectification: {}",
            path.display()
        );
    }
    Ok(camera)
}

fn smoothing(frames: u8, threads: usize) -> Result<u8> {
    if !(3..=31).contains(&frames) || frames.is_multiple_of(2) {
        return Err(refuse(
            format!("expected an odd number of masks between 3 and 31 to take the majority of, got {frames}"),
            "an even number has ties, a large one lags: N frames lag N / 2 of them behind",
        ));
    }
    if threads > 1 {
        return Err(refuse(
            format!("smoothing needs the frames in order, got {threads} threads"),
            "leave out --threads, or --smooth",
        ));
    }
    Ok(frames)
}

fn thermal(Thermal { sensor, hysteresis, rules }: Thermal) -> Result<Option<ThermalConfig>> {
    let hysteresis_c = hysteresis.unwrap_or(HYSTERESIS_C);
    if !(0.0..=50.0).contains(&hysteresis_c) {
        return Err(refuse(
            format!("expected a hysteresis between 0 and 50 degrees, got {hysteresis_c}"),
            "5 degrees keep a board from going to and fro",
        ));
    }
    if rules.is_empty() {
        return match sensor {
            None => Ok(None),
            Some(_) => Err(refuse("a thermal sensor without rules does nothing", "add rules: 'above 80: rate 5'")),
        };
    }
    Ok(Some(ThermalConfig { sensor: sensor.unwrap_or_else(|| SENSOR.into()), hysteresis_c, rules }))
}

fn engine(EngineSettings { split, pin, isa }: EngineSettings, threads: usize) -> Result<EngineConfig> {
    let default = EngineConfig::default();
    let pinned = pin.unwrap_or(false);
    if pinned && threads > 1 {
        return Err(refuse(
            format!("one thread can be pinned, got {threads} frames at once"),
            "share a frame's work with `split` instead of working on several frames with `threads`",
        ));
    }
    let known = |name: &String| {
        Isa::named(name).ok_or_else(|| {
            let names: Vec<_> = Isa::available().into_iter().map(Isa::name).collect();
            refuse(
                format!("this processor has no {name} instructions, but {}", names.join(", ")),
                "leave `isa` out to take the best",
            )
        })
    };
    Ok(EngineConfig {
        isa: isa.as_ref().map(known).transpose()?.unwrap_or(default.isa),
        threads: usize::from(split.unwrap_or(1).max(1)),
        placement: if pinned { Placement::Pinned } else { Placement::Anywhere },
        ..default
    })
}

fn record(Record { folder, all, budget_mb, keep_free_mb }: Record) -> Result<Option<RecordConfig>> {
    let Some(folder) = folder else {
        return match (all, budget_mb, keep_free_mb) {
            (None, None, None) => Ok(None),
            _ => Err(refuse("what to record is said, but not where", "give --record DIR, or `folder` in [record]")),
        };
    };
    let default = RecordConfig::of(&folder);
    let bytes = |megabytes: f64| (megabytes * 1e6) as u64;
    Ok(Some(RecordConfig {
        choice: if all.unwrap_or(false) { Choice::All } else { Choice::Gate },
        budget: budget_mb.map(bytes),
        keep_free: keep_free_mb.map_or(default.keep_free, bytes),
        ..default
    }))
}

fn log(Log { folder, file_mib, budget_mib }: Log) -> Result<Option<MaskLogConfig>> {
    let Some(folder) = folder else { return Ok(None) };
    let (file_mib, budget_mib) = (file_mib.unwrap_or(64), budget_mib.unwrap_or(1024));
    if file_mib == 0 || budget_mib < 2 * file_mib {
        return Err(refuse(
            format!(
                "expected a budget of at least two files, got files of {file_mib} MiB and {budget_mib} MiB for all"
            ),
            "`log.file_mib` and `log.budget_mib` are in MiB",
        ));
    }
    let bytes = |mib: u32| u64::from(mib) << 20;
    Ok(Some(MaskLogConfig { folder, file_bytes: bytes(file_mib), budget_bytes: bytes(budget_mib) }))
}

/// The address and the token; an address that others reach needs one.
fn http(Http { bind, token_file }: Http) -> Result<Option<Visitors>> {
    visitors(bind, token_file.as_deref()).map_err(|error| match error {
        parallax_camera::Error::Preview { what, hint } => refuse(what, hint),
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    const LEAST: &str = "schema = 1\nfrom = 'drive.mcap'\nbundle = 'slim.bundle'\n";

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let file = settings(&format!(
            "{LEAST}rate = 15\nsmooth = 5\n[thermal]\nrules = ['above 80: rate 5']\n[log]\nfolder = 'log'\n"
        ))
        .unwrap();
        let flags = Settings { rate: Some(7.0), from: Some("/dev/video0".into()), ..Settings::default() };
        let run = flags.over(file).check().unwrap();
        assert_eq!((run.drive.rate, run.drive.smoothing, run.from.as_str()), (Some(7.0), Some(5), "/dev/video0"));
        let thermal = run.drive.thermal.unwrap();
        assert_eq!((thermal.sensor, thermal.hysteresis_c), (PathBuf::from(SENSOR), 5.0));
        assert_eq!(run.log.unwrap().budget_bytes, 1 << 30);
        assert_eq!((run.drive.threads, run.drive.overlays), (1, Overlays::Write));
        let again: Settings = toml::from_str(&toml::to_string(&run.effective).unwrap()).unwrap();
        assert_eq!(again, run.effective);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_name() {
        for (more, said) in [
            ("rat = 5", "rat"),
            ("rate = 0.0", "frames a second"),
            ("roi = '1,2,3'", "x,y,width,height"),
            ("smooth = 4", "odd number"),
            ("smooth = 5\nthreads = 2", "in order"),
            ("[thermal]\nrules = ['above 80: stop']", "above DEGREES"),
            ("[thermal]\nsensor = '/x'", "without rules"),
            ("[thermal]\nhysteresis = -1.0\nrules = ['above 80: rate 5']", "hysteresis"),
            ("[log]\nfolder = 'x'\nbudget_mib = 64", "two files"),
            ("threads = 2\n[engine]\npin = true", "pinned"),
            ("[engine]\nisa = 'z80'", "z80"),
            ("[record]\nbudget_mb = 5", "not where"),
            ("[http]\nbind = '0.0.0.0:8080'", "token"),
            ("[http]\nbind = 'localhost'", "bind"),
            ("[foxglove]\nbind = '0.0.0.0:8765'", "tokens"),
            ("[htpt]\nbind = '127.0.0.1:1'", "htpt"),
        ] {
            let error = settings(&format!("{LEAST}{more}\n")).and_then(Settings::check).unwrap_err();
            assert!(error.to_string().contains(said) && error.hint().is_some(), "{more}: {error}");
            assert!(matches!(error, EdgeError::Settings { .. }), "{more}: {error:?}");
        }
        for text in ["from = 'x'", "schema = 2"] {
            assert!(settings(text).unwrap_err().to_string().contains("schema = 1"), "{text}");
        }
        assert!(Settings::default().check().unwrap_err().to_string().contains("source of frames"));
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token_that_cannot_be_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("token");
        let check = |token: &str| {
            std::fs::write(&token_file, token).unwrap();
            let http = Http { bind: Some("0.0.0.0:8080".parse().unwrap()), token_file: Some(token_file.clone()) };
            super::http(http).map(|http| http.unwrap().token.unwrap())
        };
        assert_eq!(check("0123456789abcdef\n").unwrap(), "0123456789abcdef");
        assert!(check("short").is_err() && check("0123456789 abcdef").is_err() && check("").is_err());
        let loopback = Http { bind: Some(HTTP.parse().unwrap()), token_file: None };
        assert_eq!(super::http(loopback).unwrap().unwrap().token, None);
    }
}
