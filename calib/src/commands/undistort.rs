//! `parallax-calib undistort`: pictures and recordings as a plain pinhole would have taken them.

use super::Outcome;
use super::show::{describe, json_of};
use crate::cli::UndistortArgs;
use indicatif::{ProgressBar, ProgressStyle};
use parallax_calib::CameraPair;
use parallax_calib::formats::{self, Unsaid};
use parallax_calib::undistort::{Undistorted, Undistortion};
use parallax_core::files::{OutputKind, check_output};
use parallax_core::program::{self, print, tell};
use parallax_core::recording::Recording;
use std::sync::atomic::Ordering;

pub(crate) fn run(args: &UndistortArgs) -> anyhow::Result<Outcome> {
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
        check_output(&args.out, OutputKind::Recording, &[&args.input])?;
        work.to_recording(&args.out, &mut on_frame)
    } else {
        work.to_folder(&args.out, &mut on_frame)
    };
    bar.finish_and_clear();
    let done = done?;
    show(args, &done);
    Ok(if done.lost.is_some() { Outcome::DoneWithLostInput } else { Outcome::Done })
}

fn show(args: &UndistortArgs, done: &Undistorted) {
    if let Some((count, first)) = &done.lost {
        tell(format_args!("warning: {count} frames could not be read, the first because: {first}"));
    }
    if args.json {
        let lost = done.lost.as_ref().map_or(0, |(count, _)| *count);
        let right = done.cameras.right.as_ref().map(json_of);
        let object = serde_json::json!({
            "wrote": done.path, "frames": done.frames, "lost": lost, "left": json_of(&done.cameras.left), "right": right,
        });
        print(object);
    } else {
        for camera in [Some(&done.cameras.left), done.cameras.right.as_ref()].into_iter().flatten() {
            print(describe(camera));
        }
        print(format_args!("wrote {} ({} frames)", done.path.display(), done.frames));
    }
}
