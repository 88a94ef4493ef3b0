//! `parallax-train doctor`: will this footage train?

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use parallax_core::program::print;
use parallax_core::recording::picture_size;
use parallax_doctor::{Check, DoctorConfig, DoctorError, DriveConfig, DriveReport, Report, examine, sheet};

use super::pretrain::parse_size;
use super::{BadArguments, Outcome};

/// Width that frames are looked at when --size does not say otherwise: that of most published training.
const WIDEST: usize = 640;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train doctor drive.mcap
  parallax-train doctor frames/ --camera camera.yaml --size 640x192 --out checkup
  parallax-train doctor a.mcap b.mcap --json

Exit code: 0 nothing is wrong, 3 something is (warn or fail), 1 a recording cannot be opened. docs/doctor.md says what
each check means.")]
pub(crate) struct DoctorArgs {
    /// Recordings or folders of frames.
    #[arg(value_name = "DATA", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Camera file for footage that has none, or instead of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) camera: Option<PathBuf>,
    /// The same for the right camera.
    #[arg(long, value_name = "FILE")]
    pub(crate) right_camera: Option<PathBuf>,
    /// Size that training will have: everything is measured in its pixels [default: the frames' own, at most 640 wide].
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub(crate) size: Option<(usize, usize)>,
    /// Frames between the partners that are looked at.
    #[arg(long, default_value_t = 1)]
    pub(crate) frame_gap: usize,
    /// Pairs of each recording that are looked at, at most, spread over it.
    #[arg(long, default_value_t = 100)]
    pub(crate) pairs: usize,
    /// Write a picture of the worst pairs for each check that finds something into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<Outcome> {
    let data = super::recordings(&args.data)?;
    let (width, height) = match args.size {
        Some(size) => size,
        None => own_size(&data[0])?,
    };
    let drive = DriveConfig { camera: args.camera.clone(), right_camera: args.right_camera.clone(), width, height };
    let config = DoctorConfig { data, drive, frame_gap: args.frame_gap, pairs: args.pairs };
    let bar = ProgressBar::new(1).with_style(ProgressStyle::with_template("looking {bar:30} {percent} %, {eta} left")?);
    let examined = examine(&config, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let mut report = examined.map_err(|error| match error {
        DoctorError::Settings { what, hint } => BadArguments::error(what, hint),
        other => other.into(),
    })?;
    if let Some(out) = &args.out {
        sheet::write_sheets(&mut report, &config.drive, out)?;
    }
    show(&report, args.json)?;
    Ok(if report.verdict.is_finding() { Outcome::DoneWithFindings } else { Outcome::Done })
}

/// The size of a recording's frames, shrunk where they are wider than most training is.
fn own_size(data: &Path) -> anyhow::Result<(usize, usize)> {
    let (width, height) = picture_size(data)?;
    let (width, height) = (width as usize, height as usize);
    Ok(if width > WIDEST { (WIDEST, height * WIDEST / width) } else { (width, height) })
}

fn show(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        print(serde_json::to_string(report)?);
        return Ok(());
    }
    for drive in &report.drives {
        let (path, Report { width, height, .. }) = (drive.path.display(), report);
        print(format_args!("{path}: {} frames, {} pairs looked at in {width}x{height}", drive.frames, drive.pairs));
        drive.checks.iter().for_each(|check| print(line(check)));
        if !drive.flow_histogram.is_empty() && drive.pairs > 0 {
            print(format_args!("  {:<11}  motion: {}", "", histogram(drive)));
        }
    }
    if let Some(gap) = report.proposed_frame_gap {
        print(format_args!("proposed: --frame-gap {gap}"));
    }
    print(format_args!("verdict: {}", report.verdict.name()));
    Ok(())
}

fn line(check: &Check) -> String {
    let mut lines = vec![format!("  {:<11}  {}: {}", check.verdict.name(), check.name, check.finding)];
    for (word, text) in
        [("do", check.remedy.clone()), ("see", check.sheet.as_ref().map(|path| path.display().to_string()))]
    {
        if let Some(text) = text {
            lines.push(format!("  {:<11}    {word}: {text}", ""));
        }
    }
    lines.join("\n")
}

fn histogram(drive: &DriveReport) -> String {
    let bins = drive.flow_histogram.iter().map(|bin| {
        let end = bin.below_px.map_or("more".to_owned(), |px| format!("<{px}"));
        format!("{end} {:.0} %", 100.0 * bin.share)
    });
    format!("{} (pixels, all corners)", bins.collect::<Vec<_>>().join(", "))
}
