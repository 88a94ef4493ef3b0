//! `parallax-edge run`: frames into masks.

use parallax_camera::Source;
use parallax_core::bundle::Bundle;
use parallax_core::program::stop_on_signal;
use parallax_edge::Engine;
use parallax_edge::drive::{DriveConfig, DriveSummary, FrameLine, Overlays, drive};
use parallax_edge::record::{Choice, RecordConfig, RecordSummary, Recorder, SourceFacts};

use super::{Outcome, progress_bar};
use crate::cli::RunArgs;

/// Runs the command.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<Outcome> {
    let bundle = Bundle::open(&args.bundle)?;
    let engine = Engine::load(&bundle, args.model.as_deref())?;
    let mut source = Source::open(&args.from)?;
    let recorder = match &args.record {
        Some(out) => {
            let choice = if args.record_all { Choice::All } else { Choice::Gate };
            let (budget, keep_free) = (args.record_budget, args.keep_free);
            let config = RecordConfig { choice, budget, keep_free, ..RecordConfig::of(out) };
            let (recorder, mut tap) = Recorder::start(config, SourceFacts::of(&source, &args.from))?;
            source = source.with_tap(move |shot| tap.offer(shot));
            Some(recorder)
        }
        None => None,
    };
    let config = DriveConfig {
        out: args.out.clone(),
        limit: args.limit,
        threads: usize::from(args.threads),
        overlays: if args.no_overlays { Overlays::Skip } else { Overlays::Write },
    };
    let bar = progress_bar(args.limit.into_iter().chain(source.frames()).min());
    let summary = drive(&engine, source, &config, stop_on_signal(), |line| {
        bar.suspend(|| show(line, args.json));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    finish(&summary, args.json);
    let full = recorder.map(|recorder| recorder.finish().map(tell_recorded)).transpose()?;
    let lost = summary.lost > 0 || summary.damage.is_some() || full == Some(true);
    Ok(if lost { Outcome::DoneWithLostInput } else { Outcome::Done })
}

/// What was recorded beside it; whether that ended early.
fn tell_recorded((recorded, missed): (RecordSummary, u64)) -> bool {
    let RecordSummary { progress, out, stopped, .. } = recorded;
    tracing::info!(
        "recorded {} of {} frames ({missed} missed) into {}",
        progress.kept,
        progress.seen + missed,
        out.display()
    );
    stopped.is_some()
}

#[expect(clippy::print_stdout, reason = "results belong on stdout")]
fn show(line: &FrameLine, json: bool) {
    if let Some(error) = &line.error {
        tracing::warn!("frame {}: {error}", line.frame);
    }
    if let Some(away_ms) = line.away_ms {
        tracing::info!("the camera is back after {:.1} s", away_ms / 1e3);
    }
    if json && let Ok(text) = serde_json::to_string(line) {
        println!("{text}");
    }
}

/// The summary: on stdout for people, on stderr when stdout carries JSON lines.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "results belong on stdout, all else on stderr")]
fn finish(summary: &DriveSummary, json: bool) {
    let text = describe(summary);
    if json { eprintln!("{text}") } else { println!("{text}") }
}

fn describe(summary: &DriveSummary) -> String {
    let out = summary.out.display();
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
            lines.push(format!("the camera was lost {} time(s); frames.jsonl says why", counters.losses));
        }
    } else if summary.lost > 0 {
        lines.push(format!("{} frames could not be read; frames.jsonl says why", summary.lost));
    }
    if let Some(damage) = &summary.damage {
        lines.push(format!("the recording is damaged: {damage}"));
    }
    if summary.interrupted {
        lines.push("stopped before the end".to_owned());
    }
    lines.push(format!("wrote {out}: masks/, frames.jsonl, summary.json (and overlays/ unless --no-overlays)"));
    lines.join("\n")
}
