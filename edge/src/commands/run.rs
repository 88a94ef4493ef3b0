//! `parallax-edge run`: frames into masks.

use std::path::Path;

use parallax_camera::Source;
use parallax_core::bundle::Bundle;
use parallax_core::camera::CameraIdentity;
use parallax_core::files::write_bytes;
use parallax_core::program::{self, stop_on_signal};
use parallax_core::recording::is_out_of_space;
use parallax_edge::drive::{DriveSummary, FrameLine, Models, Outputs, drive};
use parallax_edge::golden::check_golden;
use parallax_edge::publish::Publisher;
use parallax_edge::publish::handover::Full;
use parallax_edge::publish::mask_log::{MaskLog, MaskLogReport};
use parallax_edge::publish::service::Service;
use parallax_edge::record::{RecordSummary, Recorder, SourceFacts};
use parallax_edge::settings::{Run, Settings};
use parallax_edge::{EdgeError, Engine, Worker};

use super::printer::{Others, Printer};
use super::views::Views;
use super::{Outcome, progress_bar, warn_of_float};
use crate::cli::RunArgs;

/// Runs the command.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<Outcome> {
    let file = args.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
    let run = args.flags.over(file)?.check()?;
    check_outputs(&run, args.json)?;
    let bundle = Bundle::open(&run.bundle)?;
    let engine = Engine::load_with(&bundle, run.model.as_deref(), run.engine)?;
    warn_of_float(&engine);
    may_go_on(&run, check_engine(&run, &bundle, &engine))?;
    let mut models = Models::one(engine);
    for role in run.other_models() {
        let engine = Engine::load_with(&bundle, Some(role), run.engine)?;
        may_go_on(&run, gives_numbers(&bundle, &engine))?;
        models = models.with(role, engine);
    }
    let mut source = Source::open(&run.from)?;
    check_camera(&run, &bundle, &source)?;
    let recorder = match &run.record {
        Some(config) => {
            let (recorder, mut tap) = Recorder::start(config.clone(), SourceFacts::of(&source, &run.from))?;
            source = source.with_tap(move |shot| tap.offer(shot));
            Some(recorder)
        }
        None => None,
    };
    let full = if source.frames().is_some() { Full::Wait } else { Full::DropOldest };
    let classes = &bundle.manifest().classes;
    let log = run.log.clone().map(|config| MaskLog::start(config, classes.clone(), full)).transpose()?;
    let views = Views::start(&run, &bundle, full, log.as_ref())?;
    let printer = args.json.then(|| Printer::start(full, others(&run))).transpose()?;

    let outlets = log.iter().map(|log| log.outlet().clone()).chain(views.outlet()).collect();
    let threads = run.drive.threads;
    let outputs = Outputs { publisher: Publisher::new(outlets, threads), service: Service::of_unit(threads) };
    let bar = progress_bar(run.drive.limit.into_iter().chain(source.frames()).min());
    let mut news = News::default();
    let driven = drive(&models, source, &run.drive, &outputs, stop_on_signal(), |line| {
        views.observe(line);
        if news.is_worth_telling(line) {
            bar.suspend(|| news.tell(line, &outputs.service));
        }
        if let Some(printer) = &printer {
            printer.put(line);
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    outputs.publisher.close();
    let logged = log.map(MaskLog::finish);
    views.finish();
    let unread = printer.map_or(0, Printer::finish);
    let recorded = recorder.map(Recorder::finish).transpose();
    let summary = driven?;
    let is_complete = write_settings(&run, &summary)? && summary.full.is_none();
    finish(&describe(&run, &summary, logged.as_ref(), unread), args.json);
    let log_failed = logged.is_some_and(|report| report.error.is_some());
    let recording_ended = recorded?.is_some_and(tell_recorded);
    let lost = summary.lost > 0 || summary.damage.is_some() || log_failed || recording_ended || !is_complete;
    Ok(if lost { Outcome::DoneWithLostInput } else { Outcome::Done })
}

/// Runs the golden frame before the first of the camera: the bundle's first model must give the stored mask, another one
/// must give numbers.
fn check_engine(run: &Run, bundle: &Bundle, engine: &Engine) -> Result<(), EdgeError> {
    let first = bundle.manifest().models.first().map(|model| model.role.as_str());
    if run.model.as_deref().is_none_or(|role| Some(role) == first) {
        return check_golden(bundle, engine)?.expect(bundle);
    }
    gives_numbers(bundle, engine)
}

fn gives_numbers(bundle: &Bundle, engine: &Engine) -> Result<(), EdgeError> {
    Worker::new(engine)?.segment(&bundle.golden_frame()?)?;
    Ok(())
}

/// What the golden frame showed, as an error or, where somebody insists, as a warning.
fn may_go_on(run: &Run, checked: Result<(), EdgeError>) -> Result<(), EdgeError> {
    match checked {
        Err(error) if !run.golden => {
            tracing::warn!("{error}; masks are made all the same, because of --no-golden");
            Ok(())
        }
        other => other,
    }
}

/// What was in effect, beside the masks; whether the disk had room for it.
fn write_settings(run: &Run, summary: &DriveSummary) -> anyhow::Result<bool> {
    let Some(out) = &summary.out else { return Ok(true) };
    match write_bytes(&out.join("run.toml"), toml::to_string(&run.effective)?.as_bytes()) {
        Err(parallax_core::Error::Io { source, .. }) if is_out_of_space(&source) => {
            tracing::warn!("the disk has no room for run.toml: {source}");
            Ok(false)
        }
        written => Ok(written.map(|()| true)?),
    }
}

/// What was recorded beside it; whether that ended early.
fn tell_recorded((recorded, missed): (RecordSummary, u64)) -> bool {
    let RecordSummary { progress, out, stopped, .. } = recorded;
    let seen = progress.seen + missed;
    tracing::info!("recorded {} of {seen} frames ({missed} missed) into {}", progress.kept, out.display());
    stopped.is_some()
}

/// A network knows the camera that it has learned from; where both are known they must be the same.
fn check_camera(run: &Run, bundle: &Bundle, source: &Source) -> parallax_core::Result<()> {
    let camera = run.drive.undistort.as_ref().or(source.camera());
    match camera {
        Some(camera) if !run.any_camera => {
            CameraIdentity::expect_one_of(&bundle.manifest().cameras, camera, Path::new(&run.from))
        }
        _ => Ok(()),
    }
}

/// Whether there are outputs beside stdout.
fn others(run: &Run) -> Others {
    if has_place_for_masks(run) || run.record.is_some() { Others::Some } else { Others::None }
}

fn has_place_for_masks(run: &Run) -> bool {
    run.drive.out.is_some() || run.log.is_some() || run.http.is_some() || run.foxglove.is_some()
}

/// A run that nobody sees is a mistake.
fn check_outputs(run: &Run, json: bool) -> Result<(), EdgeError> {
    if has_place_for_masks(run) || json {
        return Ok(());
    }
    Err(EdgeError::Settings {
        what: "expected somewhere for the masks to go".to_owned(),
        path: None,
        hint: "give --out DIR, --log DIR, --http, --foxglove or --json, or the same in --config",
    })
}

/// News of camera and network, for people and for the service manager.
#[derive(Debug, Default)]
struct News {
    /// Frames in a row for which the network gave no numbers: there may be thirty a second, and one line is enough.
    not_finite: usize,
}

impl News {
    fn is_worth_telling(&self, line: &FrameLine) -> bool {
        let is_new = !line.not_finite || self.not_finite == 0;
        (line.error.is_some() && is_new) || line.away_ms.is_some() || self.not_finite > 0
    }

    fn tell(&mut self, line: &FrameLine, service: &Service) {
        let before = self.not_finite;
        if let Some(error) = line.error.as_ref().filter(|_| !line.not_finite || before == 0) {
            tracing::warn!("frame {}: {error}", line.frame);
            service.status(error);
        }
        self.not_finite = if line.not_finite { before + 1 } else { 0 };
        if before > 0 && line.is_done() {
            tracing::info!("the network gives numbers again, after {before} frame(s)");
            service.status("masks are made");
        }
        if let Some(away_ms) = line.away_ms {
            tracing::info!("the camera is back after {:.1} s", away_ms / 1e3);
            service.status("masks are made");
        }
    }
}

/// The summary: on stdout for people, on stderr when stdout carries JSON lines.
fn finish(text: &str, json: bool) {
    if json { program::tell(text) } else { program::print(text) }
}

fn describe(run: &Run, summary: &DriveSummary, logged: Option<&MaskLogReport>, unread: u64) -> String {
    let mut lines = vec![summary.stages.to_string()];
    lines.push(format!(
        "{} masks, {:.1} per second on {} thread(s)",
        summary.frames, summary.frames_per_s, summary.threads
    ));
    if let (Some(camera), Some(counters)) = (&summary.camera, &summary.counters) {
        let layout = camera.layout.map_or_else(String::new, |layout| format!(", {layout}"));
        let age = summary.age;
        lines.push(format!(
            "{}{layout}: {} pictures, {} of them passed over",
            camera.name, counters.captured, summary.dropped
        ));
        lines.push(format!(
            "age of a mask: {:.1} ms p50, {:.1} ms p95, {:.1} ms p99",
            age.p50_ms, age.p95_ms, age.p99_ms
        ));
        if counters.losses > 0 {
            lines.push(format!("the camera was lost {} time(s); the frame lines say why", counters.losses));
        }
    } else if summary.lost > summary.not_finite {
        lines.push(format!("{} frames could not be read; the frame lines say why", summary.lost - summary.not_finite));
    }
    if summary.not_finite > 0 {
        lines.push(format!(
            "for {} frames the network gave no numbers, and there is no mask of them",
            summary.not_finite
        ));
    }
    if let Some(damage) = &summary.damage {
        lines.push(format!("the recording is damaged: {damage}"));
    }
    if summary.interrupted {
        lines.push("stopped before the end".to_owned());
    }
    if unread > 0 {
        lines.push(format!("{unread} lines were not printed, because nobody read them in time"));
    }
    if let (Some(MaskLogReport { files, masks, missed, error }), Some(config)) = (logged, &run.log) {
        let folder = config.folder.display();
        lines.push(format!("logged {masks} masks in {files} file(s), {missed} missed: {folder}"));
        lines.extend(error.as_ref().map(|error| format!("the log is not whole: {error}")));
    }
    if let Some(out) = &summary.out {
        let (out, overlays, masks) = (out.display(), summary_overlays(run), summary.masks.unwrap_or_default());
        lines.push(format!("wrote {out}: {masks} masks in masks/,{overlays} frames.jsonl, summary.json, run.toml"));
    }
    lines.extend(summary.full.clone());
    lines.join("\n")
}

fn summary_overlays(run: &Run) -> &'static str {
    match run.drive.overlays {
        parallax_edge::drive::Overlays::Write => " overlays/,",
        parallax_edge::drive::Overlays::Skip => "",
    }
}
