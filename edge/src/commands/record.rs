//! `parallax-edge record`: the frames of a camera that teach depth.

use std::fmt;

use indicatif::{ProgressBar, ProgressStyle};
use parallax_camera::Source;
use parallax_core::camera::ros_yaml;
use parallax_core::program::stop_on_signal;
use parallax_edge::record::store::megabytes;
use parallax_edge::record::{
    Choice, Event, Limits, Progress, RecordConfig, RecordSummary, Refusal, Session, SourceFacts, record,
};
use serde::Serialize;

use super::{Outcome, print};
use crate::cli::RecordArgs;

/// Runs the command.
pub(crate) fn run(args: &RecordArgs) -> anyhow::Result<Outcome> {
    let stop = stop_on_signal();
    let read = |file: &Option<_>| file.as_deref().map(ros_yaml::read).transpose();
    let config = RecordConfig {
        out: args.out.clone(),
        choice: if args.all { Choice::All } else { Choice::Gate },
        size: args.size,
        cameras: [read(&args.camera)?, read(&args.right_camera)?],
        budget: args.budget,
        keep_free: args.keep_free,
        roll_time: args.roll.time,
        roll_bytes: args.roll.bytes,
        encoding: args.encoding,
    };
    let mut source = Source::open(&args.from)?.with_both_eyes();
    let damage = source.damage().map(str::to_owned);
    let session = Session::start(config, SourceFacts::of(&source, &args.from))?;
    let bar = progress_line(source.frames().map(|frames| frames as u64).into_iter().chain(args.limit).min());
    let limits = Limits { frames: args.limit, time: args.time };
    let (mut lost, mut missed) = (0_u64, 0_u64);
    let recorded = record(&mut source, session, limits, stop, |event| match event {
        Event::Progress(progress) => {
            bar.set_position(progress.seen);
            bar.set_message(in_one_line(&progress));
        }
        Event::Missed(frames) => missed += frames,
        Event::Lost(what) => {
            lost += 1;
            bar.suspend(|| tracing::warn!("{what}"));
        }
        Event::Back(away) => {
            bar.suspend(|| tracing::info!("the camera is back after {:.1} s", away.as_secs_f64()));
        }
    })?;
    bar.finish_and_clear();
    if let Some(reason) = &recorded.stopped {
        tracing::error!("{reason}");
        tracing::info!("hint: free space, choose another --out, or give --budget, which removes what is worth least");
    }
    let report = Report { recorded, missed, lost, damage };
    print(&report, args.json)?;
    if report.recorded.progress.kept == 0 {
        if report.recorded.stopped.is_none() {
            tracing::error!("no frame was worth keeping; `--all` keeps every one");
        }
        return Ok(Outcome::Failed);
    }
    let whole = report.recorded.stopped.is_none() && lost == 0 && report.damage.is_none();
    Ok(if whole { Outcome::Done } else { Outcome::DoneWithLostInput })
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    recorded: RecordSummary,
    /// Frames that were passed over because recording or the disk took longer than a frame.
    missed: u64,
    /// Frames that could not be read, and losses of a live source.
    lost: u64,
    /// What of the source itself is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordSummary { progress, files, recovered, seconds, out: folder, .. } = &self.recorded;
        writeln!(
            out,
            "kept {} of {} frames in {} snippets, {:.1} s",
            progress.kept, progress.seen, progress.snippets, seconds
        )?;
        for (refusal, count) in &progress.refused {
            writeln!(out, "  {count:>8}  {}", refusal.name())?;
        }
        if progress.unwritten > 0 {
            writeln!(out, "  {:>8}  lost, because the disk had no room for them", progress.unwritten)?;
        }
        if self.missed > 0 {
            writeln!(out, "  {:>8}  missed, because recording took longer than a frame", self.missed)?;
        }
        if self.lost > 0 {
            writeln!(out, "  {:>8}  lost", self.lost)?;
        }
        let evicted = progress.evicted;
        if evicted.files > 0 {
            let bytes = megabytes(evicted.bytes);
            writeln!(
                out,
                "removed {} files ({bytes}, {} frames) that were worth least",
                evicted.files, evicted.frames
            )?;
        }
        if !recovered.is_empty() {
            writeln!(out, "made whole what an earlier run left: {}", recovered.join(", "))?;
        }
        for damaged in &self.recorded.damaged {
            writeln!(out, "cannot be used, set aside: {}", damaged.display())?;
        }
        if let Some(damage) = &self.damage {
            writeln!(out, "the source is damaged: {damage}")?;
        }
        let bytes = megabytes(progress.bytes);
        write!(out, "wrote {}: {} files, {bytes}, and recorder.json", folder.display(), files.len())
    }
}

/// What the line on a terminal says.
fn in_one_line(progress: &Progress) -> String {
    let mut reasons: Vec<(Refusal, u64)> = progress.refused.iter().map(|(reason, count)| (*reason, *count)).collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let reasons: Vec<String> =
        reasons.iter().take(3).map(|(reason, count)| format!("{count} {}", reason.name())).collect();
    format!("kept {} in {}; {}", progress.kept, megabytes(progress.bytes), reasons.join(", "))
}

/// On stderr, hidden when stderr is no terminal.
fn progress_line(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{bar:20} {pos}/{len} frames, {per_sec}, {msg}"),
        None => (ProgressBar::no_length(), "{spinner} {pos} frames, {per_sec}, {msg}; Ctrl-C ends"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
