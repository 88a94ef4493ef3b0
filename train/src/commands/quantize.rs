//! `parallax-train quantize`: a float ONNX model and the user's frames into an int8 ONNX model.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use parallax_core::files::{write_atomically, write_bytes};
use parallax_core::labels::LabelledSet;
use parallax_core::model_input::{ModelInput, Preparer};
use parallax_core::recording::{Eye, Recording};
use parallax_train::quantize::{CalibrationFrames, QuantizeConfig, QuantizeError, RangeMethod, graph, quantize};
use std::io::Write as _;

use super::{BadArguments, Outcome};

/// Every how many-th frame is held back from calibration to measure the noise on.
const HOLD_EVERY: usize = 5;

/// Fewest frames of which some are held back.
const FEWEST_TO_SPLIT: usize = 4;

/// Arguments of `quantize`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train quantize model.onnx --data drive.mcap --out model.int8.onnx
  parallax-train quantize model.onnx --data labelled/ --frames 100 --ranges mse --out model.int8.onnx")]
pub(crate) struct QuantizeArgs {
    /// The float model, written by `parallax-train export`.
    pub(crate) model: PathBuf,
    /// Frames to calibrate on: a recording, a folder of pictures or a labelled set (its labels are not read).
    #[arg(long, value_name = "DATA")]
    pub(crate) data: PathBuf,
    /// The int8 model to write.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Frames to use, evenly spread over the data; every fifth is held back to measure the noise.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) frames: u32,
    /// How ranges are chosen; `auto` tries percentile and mse and keeps the one with less noise on the held frames.
    #[arg(long, value_enum, default_value_t = Ranges::Auto)]
    pub(crate) ranges: Ranges,
    /// Share of the values that the percentile method keeps at each end, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 99.99)]
    pub(crate) percentile: f64,
    /// The per-layer report (default: beside the model, as NAME.report.json).
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// The report as one JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `--ranges`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ranges {
    /// Try percentile and mse, keep the better.
    Auto,
    /// Cut a fixed share at each end.
    Percentile,
    /// Least squared error.
    Mse,
    /// Smallest and largest value.
    Minmax,
}

/// Runs the command.
pub(crate) fn run(args: &QuantizeArgs) -> anyhow::Result<Outcome> {
    if !(50.0..=100.0).contains(&args.percentile) {
        let message = format!("expected --percentile from 50 to 100, got {}", args.percentile);
        return Err(BadArguments::error(message, "99.99 keeps all but one value in ten thousand at each end"));
    }
    let model = graph::read_model(&args.model)?;
    let input = graph::model_input(&model)?;
    let frames = read_frames(&args.data, &input, args.frames as usize)?;
    let (calibration, held) = split(frames.prepared);
    let config = QuantizeConfig {
        ranges: method(args.ranges),
        percentile: args.percentile,
        input_range: Some(input_range(&input)),
    };
    let frames_given = CalibrationFrames { calibration: &calibration, held: &held };
    let quantized =
        quantize(&model, frames_given, &config).with_context(|| format!("cannot quantize {}", args.model.display()))?;
    let bytes = graph::encode(&quantized.model);
    let report = serde_json::to_vec_pretty(&quantized.report)?;
    let report_path = args.report.clone().unwrap_or_else(|| args.out.with_extension("report.json"));
    write_atomically(&args.out, |file| file.write_all(&bytes))?;
    write_bytes(&report_path, &report)?;
    show(args, &quantized.report, bytes.len(), &report_path)?;
    Ok(if frames.lost > 0 { Outcome::DoneWithLostInput } else { Outcome::Done })
}

#[expect(clippy::print_stdout, reason = "results belong on stdout")]
fn show(
    args: &QuantizeArgs,
    report: &parallax_train::quantize::QuantizeReport,
    bytes: usize,
    report_path: &Path,
) -> anyhow::Result<()> {
    if args.json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    let float_bytes = std::fs::metadata(&args.model).map_or(0, |metadata| metadata.len());
    println!("{report}");
    println!("size: {:.2} MB, float {:.2} MB", bytes as f64 / 1e6, float_bytes as f64 / 1e6);
    println!("wrote {} and {}", args.out.display(), report_path.display());
    Ok(())
}

fn method(ranges: Ranges) -> Option<RangeMethod> {
    match ranges {
        Ranges::Auto => None,
        Ranges::Percentile => Some(RangeMethod::Percentile),
        Ranges::Mse => Some(RangeMethod::Mse),
        Ranges::Minmax => Some(RangeMethod::MinMax),
    }
}

/// What a normalised picture can hold whatever it shows: byte 0 and byte 255 of every channel. The input's range is this
/// and not what the calibration frames had, so that a brighter day is not clamped.
fn input_range(input: &ModelInput) -> (f32, f32) {
    let ends = (0..3).flat_map(|channel| {
        let table = input.table(channel);
        [table[0], table[255]]
    });
    ends.fold((0.0_f32, 0.0_f32), |(low, high), value| (low.min(value), high.max(value)))
}

struct PreparedFrames {
    prepared: Vec<Vec<f32>>,
    lost: usize,
}

/// Frames of a recording, a folder of pictures or a labelled set, evenly spread and prepared as the model's input.
fn read_frames(data: &Path, input: &ModelInput, wanted: usize) -> anyhow::Result<PreparedFrames> {
    let labelled = data.join("images").is_dir() && data.join("labels").is_dir();
    let classes = data.join("classes.toml").is_file();
    let (count, read): (usize, Box<dyn Fn(usize) -> parallax_core::Result<image::RgbImage>>) = if labelled && classes {
        let set = LabelledSet::open(data, None)?;
        (set.len(), Box::new(move |index| set.image(index)))
    } else {
        let recording = Recording::open(if labelled { data.join("images") } else { data.to_path_buf() })?;
        (recording.len(), Box::new(move |index| recording.frame(index, Eye::Left)?.to_rgb()))
    };
    let mut preparer = Preparer::new(*input);
    let mut frames = PreparedFrames { prepared: Vec::new(), lost: 0 };
    for index in evenly_spread(count, wanted) {
        match read(index) {
            Ok(picture) => {
                let mut values = vec![0.0; input.len()];
                preparer.prepare(&picture, &mut values);
                frames.prepared.push(values);
            }
            Err(error) => {
                tracing::warn!("left out: {error}");
                frames.lost += 1;
            }
        }
    }
    if frames.prepared.is_empty() {
        return Err(anyhow::Error::from(QuantizeError::NoFrames).context(data.display().to_string()));
    }
    Ok(frames)
}

/// At most `wanted` positions out of `count`, from the middle of equal parts.
fn evenly_spread(count: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let wanted = wanted.min(count);
    (0..wanted).map(move |part| (2 * part + 1) * count / (2 * wanted))
}

/// Calibration frames and held frames; with too few of them none is held back.
fn split(frames: Vec<Vec<f32>>) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    if frames.len() < FEWEST_TO_SPLIT {
        return (frames, Vec::new());
    }
    let (mut calibration, mut held) = (Vec::new(), Vec::new());
    for (index, frame) in frames.into_iter().enumerate() {
        if index % HOLD_EVERY == HOLD_EVERY / 2 { held.push(frame) } else { calibration.push(frame) }
    }
    (calibration, held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_over_the_whole_drive_without_repeats() {
        assert_eq!(evenly_spread(10, 5).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
        assert_eq!(evenly_spread(3, 64).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(evenly_spread(1000, 3).collect::<Vec<_>>(), [166, 500, 833]);
    }

    #[test]
    fn the_input_range_holds_black_and_white() {
        let (low, high) = input_range(&ModelInput::imagenet(4, 4));
        assert!((low + 0.485 / 0.229).abs() < 1e-5 && (high - (1.0 - 0.406) / 0.225).abs() < 1e-5, "{low} {high}");
    }
}
