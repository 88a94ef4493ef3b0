//! `parallax-world render --boards`: calibration boards before a known camera.

use crate::cli::{LensName, RenderArgs};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use parallax_core::board::Board;
use parallax_core::program::{print, stop_on_signal};
use parallax_world::boards::{BoardsConfig, Lens, write};
use parallax_world::dataset::{Existing, Watch};

/// Renders the views and names what was written.
///
/// # Errors
/// Whatever keeps the output from being written whole.
pub(crate) fn run(args: &RenderArgs, board: &Board) -> anyhow::Result<()> {
    let config = config(args, board);
    let style = ProgressStyle::with_template("rendering {bar:30} {pos}/{len} views, {eta} left")
        .context("cannot draw a progress bar")?;
    let bar = ProgressBar::new(config.views as u64).with_style(style);
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let mut on_picture = || bar.inc(1);
    let watch = Watch { on_picture: &mut on_picture, stop: stop_on_signal() };
    let written = write(&config, &args.out, existing, watch)?;
    bar.finish_and_clear();
    if args.json {
        let mut summary = serde_json::to_value(&written)?;
        summary["config"] = serde_json::to_value(&config)?;
        print(summary);
        return Ok(());
    }
    print(format_args!("{}: {} views of {}", written.left.display(), written.views, config.board));
    for path in written.right.iter().chain([&written.camera, &written.truth]) {
        print(path.display());
    }
    Ok(())
}

fn config(args: &RenderArgs, board: &Board) -> BoardsConfig {
    let views = &args.board_views;
    let mut config = BoardsConfig::new(args.seed, board, args.frames, args.size);
    config.lens = match views.lens {
        LensName::PlumbBob => Lens::PlumbBob,
        LensName::RationalPolynomial => Lens::RationalPolynomial,
        LensName::Equidistant => Lens::Equidistant,
    };
    config.baseline_m = args.stereo.then_some(args.baseline);
    config.tilt_degrees = views.tilt;
    config.partial = views.partial;
    config.picture.blur_px = views.blur.unwrap_or(config.picture.blur_px);
    config.picture.noise = if args.no_noise { 0.0 } else { views.noise.unwrap_or(config.picture.noise) };
    config
}
