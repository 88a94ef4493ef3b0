//! The run that settings ask for: what each part of the program gets, checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parallax_camera::preview::{Visitors, visitors};
use parallax_core::camera::{Camera, ros_yaml};
use parallax_kernels::Isa;

use super::{EngineSettings, Http, Log, Record, SCHEMA, Settings, Thermal, refuse};
use crate::drive::{DriveConfig, LEAST_OUT_BUDGET, Overlays, WhenFull};
use crate::framing::Region;
use crate::policy::thermal::{HYSTERESIS_C, SENSOR};
use crate::policy::{Effect, ThermalConfig, rule};
use crate::publish::mask_log::MaskLogConfig;
use crate::record::{Choice, RecordConfig};
use crate::{EngineConfig, Placement, Result};

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
    /// Whether the golden frame has to give its mask first.
    pub golden: bool,
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
    /// Whose pages may connect there, beside Foxglove's own.
    pub origins: Vec<String>,
    /// Everything above as it was asked for, for the record.
    pub effective: Settings,
}

impl Settings {
    /// The run that they ask for.
    ///
    /// # Errors
    /// [`crate::EdgeError::Settings`] for what is missing or cannot be; a camera or token file that cannot be read.
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
        let engine = self.engine.config()?;
        if engine.placement == Placement::Pinned && threads > 1 {
            return Err(refuse(
                format!("one thread can be pinned, got {threads} frames at once"),
                "share a frame's work with `split` instead of working on several frames with `threads`",
            ));
        }
        let region = self.roi.as_deref().map(str::parse::<Region>).transpose();
        let record = record(self.record)?;
        let log = log(self.log)?;
        let http = http(self.http)?;
        if let (Some(record), Some(log)) = (&record, &log)
            && record.out == log.folder
        {
            return Err(refuse(
                "footage and masks are to be written into one folder",
                "give --record and --log a folder each: each keeps a budget of its own",
            ));
        }
        let others = record.is_some() || log.is_some() || http.is_some() || self.foxglove.bind.is_some();
        let drive = DriveConfig {
            out_budget: out_budget(self.out.is_some(), self.out_budget_mb)?,
            out: self.out,
            when_full: if others { WhenFull::GoOn } else { WhenFull::End },
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
        if let Some(origin) = self.foxglove.allow_origin.iter().find(|origin| !is_origin(origin)) {
            return Err(refuse(
                format!("expected an origin such as https://robot.example or http://localhost:3000, got {origin:?}"),
                "it is what a browser shows of a page's address up to the path, which is no part of it",
            ));
        }
        if self.foxglove.bind.is_none() && !self.foxglove.allow_origin.is_empty() {
            return Err(refuse("origins without Foxglove's live view allow nothing", "add --foxglove"));
        }
        Ok(Run {
            from,
            bundle,
            model: self.model,
            any_camera: self.any_camera.unwrap_or(false),
            golden: self.golden.unwrap_or(true),
            engine,
            drive,
            record,
            log,
            http,
            foxglove: self.foxglove.bind,
            origins: self.foxglove.allow_origin,
            effective,
        })
    }
}

impl EngineSettings {
    /// How the network is computed.
    ///
    /// # Errors
    /// [`crate::EdgeError::Settings`] where this processor has no such instructions.
    pub fn config(&self) -> Result<EngineConfig> {
        let default = EngineConfig::default();
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
            isa: self.isa.as_ref().map(known).transpose()?.unwrap_or(default.isa),
            threads: usize::from(self.split.unwrap_or(1).max(1)),
            placement: if self.pin.unwrap_or(false) { Placement::Pinned } else { Placement::Anywhere },
            ..default
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

/// Whether a text is `scheme://host` or `scheme://host:port` (RFC 6454, section 6.2).
fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, host)| {
        let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        is_scheme && !scheme.is_empty() && !host.contains(|c: char| c == '/' || c == '*' || !c.is_ascii_graphic())
    })
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

fn out_budget(is_written: bool, megabytes: Option<f64>) -> Result<Option<u64>> {
    let Some(megabytes) = megabytes else { return Ok(None) };
    if !is_written {
        return Err(refuse("a budget for the masks is given, but no folder for them", "give --out DIR, or `out`"));
    }
    let budget = (megabytes * 1e6) as u64;
    if budget < LEAST_OUT_BUDGET {
        return Err(refuse(
            format!("expected a budget of {} MB at least, got {megabytes} MB", LEAST_OUT_BUDGET as f64 / 1e6),
            "`--budget` takes sizes such as 500MB or 4GB, `out_budget_mb` millions of bytes",
        ));
    }
    Ok(Some(budget))
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
    // A machine without the usual sensor gets no heat that could be told; a sensor that was named is meant.
    let sensor_may_lack = sensor.is_none();
    let sensor = sensor.unwrap_or_else(|| SENSOR.into());
    Ok(Some(ThermalConfig { sensor, sensor_may_lack, hysteresis_c, rules }))
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
    let (file_mib, budget_mib) = (u64::from(file_mib.unwrap_or(64)), u64::from(budget_mib.unwrap_or(1024)));
    if file_mib == 0 || budget_mib < 2 * file_mib {
        return Err(refuse(
            format!(
                "expected a budget of at least two files, got files of {file_mib} MiB and {budget_mib} MiB for all"
            ),
            "`log.file_mib` and `log.budget_mib` are in MiB",
        ));
    }
    let bytes = |mib: u64| mib << 20;
    Ok(Some(MaskLogConfig { folder, file_bytes: bytes(file_mib), budget_bytes: bytes(budget_mib) }))
}

/// The address and the token; an address that others reach needs one.
pub(super) fn http(Http { bind, token_file }: Http) -> Result<Option<Visitors>> {
    visitors(bind, token_file.as_deref()).map_err(|error| match error {
        parallax_camera::Error::Preview { what, hint } => refuse(what, hint),
        other => other.into(),
    })
}
