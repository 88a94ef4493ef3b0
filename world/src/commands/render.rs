//! `parallax-world render`: from arguments to a folder on disk.

use crate::cli::RenderArgs;
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use parallax_core::program::{print, stop_on_signal};
use parallax_world::LidarConfig;
use parallax_world::dataset::{self, DatasetConfig, Existing, Watch, Written};
use std::time::Instant;

/// Renders what the arguments ask for and names what was written.
///
/// # Errors
/// Whatever keeps the output from being written whole.
pub(crate) fn run(args: &RenderArgs) -> anyhow::Result<()> {
    if let Some(board) = &args.boards {
        return super::boards::run(args, board);
    }
    let config = effective(args)?;
    let bar = ProgressBar::new((config.frames + config.labels) as u64).with_style(
        ProgressStyle::with_template("rendering {bar:30} {pos}/{len} pictures, {per_sec}, {eta} left")
            .context("cannot draw a progress bar")?,
    );
    let started = Instant::now();
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let mut on_picture = || bar.inc(1);
    let written =
        dataset::write(&config, &args.out, existing, Watch { on_picture: &mut on_picture, stop: stop_on_signal() })?;
    bar.finish_and_clear();
    report(args, &config, &written, started.elapsed().as_secs_f64())
}

fn effective(args: &RenderArgs) -> anyhow::Result<DatasetConfig> {
    let mut config = DatasetConfig::new(args.seed, args.frames, args.size);
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let earlier: DatasetConfig =
            toml::from_str(&text).with_context(|| format!("malformed settings in {}", path.display()))?;
        (config.world, config.render, config.drive, config.lidar) =
            (earlier.world, earlier.render, earlier.drive, earlier.lidar);
    }
    config.labels = args.labels;
    config.places = args.places;
    config.baseline_m = args.stereo.then_some(args.baseline);
    if args.lidar {
        config.lidar.get_or_insert_with(LidarConfig::default);
    } else {
        config.lidar = None;
    }
    config.drive.fps = args.fps.unwrap_or(config.drive.fps);
    config.drive.speed_m_per_s = args.speed.unwrap_or(config.drive.speed_m_per_s);
    config.drive.start_m = args.start.unwrap_or(config.drive.start_m);
    config.render.movers &= !args.no_movers;
    if args.no_noise {
        (config.render.noise, config.render.exposure_drift) = (0.0, 0.0);
    }
    Ok(config)
}

fn report(args: &RenderArgs, config: &DatasetConfig, written: &Written, seconds: f64) -> anyhow::Result<()> {
    let eyes = if config.baseline_m.is_some() { 2 } else { 1 };
    let pictures_per_s = (config.frames * eyes + config.labels) as f64 / seconds;
    if args.json {
        let mut summary = serde_json::to_value(written)?;
        summary["seconds"] = seconds.into();
        summary["pictures_per_second"] = pictures_per_s.into();
        summary["config"] = serde_json::to_value(config)?;
        print(summary);
        return Ok(());
    }
    if let Some(recording) = &written.recording {
        print(format_args!("{}: {} frames over {:.1} m", recording.display(), written.frames, written.driven_m));
    }
    if let Some(labelled) = &written.labelled {
        let (labelled, places) = (labelled.display(), written.place_seeds.len());
        print(format_args!("{labelled}: {} labelled pictures from {places} places", written.labels));
    }
    print(written.camera.display());
    if let Some(right) = &written.camera_right {
        print(right.display());
    }
    print(written.settings.display());
    tracing::info!("{pictures_per_s:.1} pictures/s");
    Ok(())
}
