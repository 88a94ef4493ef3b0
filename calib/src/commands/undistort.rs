//! `parallax-calib undistort`: pictures and recordings as a plain pinhole would have taken them.

use super::show::{describe, json_of};
use crate::cli::UndistortArgs;
use indicatif::{ProgressBar, ProgressStyle};
use parallax_calib::CameraPair;
use parallax_calib::formats::{self, Unsaid};
use parallax_calib::undistort::{Undistorted, Undistortion};
use parallax_core::program;
use parallax_core::recording::Recording;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

pub(crate) fn run(args: &UndistortArgs) -> anyhow::Result<ExitCode> {
    let recording = Recording::open(&args.input)?;
    let from = args.camera.as_deref().unwrap_or(&args.input);
    let cameras: CameraPair = formats::read(from, &Unsaid { size: Some(recording.size()), ..Unsaid::default() })?;
    let work = Undistortion::new(&recording, cameras)?;
    let bar = ProgressBar::new(recording.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} frames, {eta} left")?);
    let stop = program::stop_on_signal();
    let mut on_frame = || {
        bar.inc(1);
        !stop.load(Ordering::Relaxed)
    };
    let done = if args.out.extension().is_some_and(|extension| extension == "mcap") {
        work.to_recording(&args.out, &mut on_frame)
    } else {
        work.to_folder(&args.out, &mut on_frame)
    };
    bar.finish_and_clear();
    let done = done?;
    tell(args, &done)?;
    // 3: done, but some input was lost.
    Ok(ExitCode::from(if done.lost.is_some() { 3 } else { 0 }))
}

fn tell(args: &UndistortArgs, done: &Undistorted) -> anyhow::Result<()> {
    if let Some((count, first)) = &done.lost {
        writeln!(std::io::stderr(), "warning: {count} frames could not be read, the first because: {first}")?;
    }
    let mut stdout = std::io::stdout().lock();
    if args.json {
        let lost = done.lost.as_ref().map_or(0, |(count, _)| *count);
        let right = done.cameras.right.as_ref().map(json_of);
        let object = serde_json::json!({
            "wrote": done.path, "frames": done.frames, "lost": lost, "left": json_of(&done.cameras.left), "right": right,
        });
        writeln!(stdout, "{object}")?;
    } else {
        for camera in [Some(&done.cameras.left), done.cameras.right.as_ref()].into_iter().flatten() {
            writeln!(stdout, "{}", describe(camera))?;
        }
        writeln!(stdout, "wrote {} ({} frames)", done.path.display(), done.frames)?;
    }
    Ok(())
}
