//! `parallax-train quantize`: a float ONNX model and the user's frames into an int8 ONNX model.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use parallax_core::files::{OutputKind, check_output, write_atomically, write_bytes};
use parallax_core::program::{print, stop_on_signal};
use parallax_quantize::{
    BiasCorrection, CalibrationFrames, JudgedPicture, QuantizeConfig, QuantizeReport, Quantized, RangeMethod, Watch,
    WeightBits, graph, plot, quantize,
};

use super::foreign_args::ForeignArgs;
use super::quantize_frames::{LabelledPictures, PreparedFrames, input_range, read_frames, read_labelled, split};
use super::{BadArguments, Outcome};

/// Arguments of `quantize`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train quantize model.onnx --data drive.mcap --out model.int8.onnx
  parallax-train quantize model.onnx --data labelled/ --frames 100 --ranges mse --out model.int8.onnx
  parallax-train quantize model.onnx --data drive.mcap --labels unseen/ --out model.int8.onnx
  parallax-train quantize model.onnx --data drive.mcap --labels unseen/ --budget 0.3 --out model.int8.onnx
A model from elsewhere (docs/foreign_models.md):
  parallax-train quantize fcn.onnx --size 640x384 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --channels rgb \\
                          --classes classes.toml --data drive.mcap --out fcn.int8.onnx")]
pub(crate) struct QuantizeArgs {
    /// The float model: written by `parallax-train export`, or from elsewhere.
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
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
    /// Bits of the weights. 8 is right on every processor in `parallax-edge`; onnxruntime and its like can overflow on x86
    /// without VNNI: `auto` makes those channels coarser that could, `7` all.
    #[arg(long, value_name = "BITS", value_enum, default_value_t = Bits::Eight)]
    pub(crate) weight_bits: Bits,
    /// Whether biases take back the mean shift of rounding: where that lowers the noise at the output, or never.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Correct::Auto)]
    pub(crate) bias_correction: Correct,
    /// By how much a tensor's rounding noise may rise so that a Concat can copy it instead of requantizing it.
    #[arg(long, value_name = "DB", default_value_t = QuantizeConfig::default().sharing_loss_db)]
    pub(crate) sharing_loss: f32,
    /// Measure what each layer costs: alone in int8, and alone in float. Takes two runs of the network per layer and picture.
    #[arg(long)]
    pub(crate) by_layer: bool,
    /// Measure it as change of mIoU on this labelled set; best one that the network was not trained on.
    #[arg(long, value_name = "DIR")]
    pub(crate) labels: Option<PathBuf>,
    /// The classes of a model that does not name them, and the classes file of the labelled set [default: its own classes.toml].
    #[arg(long, value_name = "FILE")]
    pub(crate) classes: Option<PathBuf>,
    /// Pictures to measure layers on, evenly spread over the labelled set, or over the held frames.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pictures: u32,
    /// Keep a layer in float when it alone costs more than this: points of mIoU with --labels, else percent of the pixels
    /// that change their class.
    #[arg(long, value_name = "POINTS")]
    pub(crate) budget: Option<f64>,
    /// The per-layer report (default: beside the model, as NAME.report.json, with its picture NAME.report.png).
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

/// `--weight-bits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bits {
    /// 8 bits everywhere.
    #[value(name = "8")]
    Eight,
    /// 7 bits everywhere.
    #[value(name = "7")]
    Seven,
    /// A coarser scale where two neighbours could overflow 16 bits.
    Auto,
}

/// `--bias-correction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Correct {
    /// Where it lowers the noise at the output on the held frames.
    Auto,
    /// Never.
    Off,
}

/// Runs the command.
pub(crate) fn run(args: &QuantizeArgs) -> anyhow::Result<Outcome> {
    check(args)?;
    check_outputs(args)?;
    let context = || format!("cannot quantize {}", args.model.display());
    let (model, input) = args.foreign.adopt_to_quantize(&args.model, args.classes.as_deref()).with_context(context)?;
    let frames = read_frames(&args.data, &input, args.frames as usize)?;
    frames.warn(args.frames as usize);
    let PreparedFrames { prepared, mut lost, .. } = frames;
    let (calibration, held) = split(prepared);
    let config = QuantizeConfig {
        ranges: args.ranges.method(),
        percentile: args.percentile,
        input_range: Some(input_range(&input)),
        weight_bits: args.weight_bits.bits(),
        sharing_loss_db: args.sharing_loss,
        bias_correction: match args.bias_correction {
            Correct::Auto => BiasCorrection::Auto,
            Correct::Off => BiasCorrection::Off,
        },
    };
    let given = CalibrationFrames { calibration: &calibration, held: &held };
    // The labels are read first: a typing error there should not cost the work before.
    let names = graph::class_names(&model)?;
    let labelled = args
        .labels
        .as_deref()
        .map(|labels| read_labelled(labels, args.classes.as_deref(), names.as_deref(), &input, args.pictures as usize));
    let labelled = labelled.transpose()?;
    let mut quantized = quantize(&model, given, &config).with_context(context)?;
    if args.by_layer || args.budget.is_some() || labelled.is_some() {
        let pictures = match labelled {
            Some(LabelledPictures { pictures, lost: unreadable }) => {
                lost += unreadable;
                pictures
            }
            None => unlabelled(given, args.pictures as usize),
        };
        measure_layers(&mut quantized, pictures, given, args.budget).with_context(context)?;
    }
    write(args, &quantized)?;
    if !quantized.report.always_zero.is_empty() {
        tracing::warn!(
            "some tensors were zero on every frame: calibrate on footage that shows what the robot will see"
        );
    }
    if quantized.report.is_interrupted() {
        tracing::warn!("stopped before every layer was measured: those not measured are in int8");
        return Ok(Outcome::DoneWithFindings);
    }
    if let Some(shortcoming) = quantized.report.shortcoming() {
        tracing::error!(
            "{shortcoming}: do not use this model; --by-layer names the layers at fault, --budget keeps them in float"
        );
        return Ok(Outcome::DoneWithFindings);
    }
    Ok(if lost > 0 { Outcome::DoneWithLostInput } else { Outcome::Done })
}

fn check(args: &QuantizeArgs) -> anyhow::Result<()> {
    if !(50.0..=100.0).contains(&args.percentile) {
        let message = format!("expected --percentile from 50 to 100, got {}", args.percentile);
        return Err(BadArguments::error(message, "99.99 keeps all but one value in ten thousand at each end"));
    }
    if !(0.0..=60.0).contains(&args.sharing_loss) {
        let message = format!("expected --sharing-loss from 0 to 60 dB, got {}", args.sharing_loss);
        return Err(BadArguments::error(
            message,
            "0 shares only what costs nothing at all, 6 gives up one of eight bits",
        ));
    }
    if args.report.as_ref().is_some_and(|report| report.extension().is_some_and(|extension| extension == "png")) {
        let message = "expected --report to name a JSON file, got a .png";
        return Err(BadArguments::error(message, "the picture is written beside the report, under its name with .png"));
    }
    if args.budget.is_some_and(|budget| !(0.0..=100.0).contains(&budget)) {
        let message = format!("expected --budget from 0 to 100 points, got {}", args.budget.unwrap_or_default());
        return Err(BadArguments::error(message, "0.3 keeps a layer in float that alone costs 0.3 points of mIoU"));
    }
    Ok(())
}

/// Measures the layers, with a bar on stderr, and keeps those in float that cost more than the budget.
fn measure_layers(
    quantized: &mut Quantized,
    pictures: Vec<JudgedPicture>,
    frames: CalibrationFrames<'_>,
    budget: Option<f64>,
) -> anyhow::Result<()> {
    let judge = quantized.judge(pictures)?;
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} layers measured, {eta} left")?);
    let progress = |done: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    quantized.measure_layers(&judge, Watch { stop: stop_on_signal(), progress: &progress })?;
    bar.finish_and_clear();
    if stop_on_signal().load(Ordering::Relaxed) && quantized.report.by_layer.is_empty() {
        anyhow::bail!("stopped before the first layer was measured: nothing was written");
    }
    budget.map_or(Ok(()), |budget| Ok(quantized.keep_in_float_above(budget, &judge, frames)?))
}

/// Frames that the ranges do not come from, where there are some.
fn unlabelled(frames: CalibrationFrames<'_>, wanted: usize) -> Vec<JudgedPicture> {
    let from = if frames.held.is_empty() { frames.calibration } else { frames.held };
    from.iter().take(wanted).map(|input| JudgedPicture { input: input.clone(), labels: None }).collect()
}

/// Where the report and its picture go.
fn report_paths(args: &QuantizeArgs) -> [PathBuf; 2] {
    let report = args.report.clone().unwrap_or_else(|| args.out.with_extension("report.json"));
    let picture = report.with_extension("png");
    [report, picture]
}

/// Nothing is replaced but an earlier output, and never the model that is read.
fn check_outputs(args: &QuantizeArgs) -> anyhow::Result<()> {
    let [report, picture] = report_paths(args);
    for (path, kind) in [(&args.out, OutputKind::Onnx), (&report, OutputKind::Json), (&picture, OutputKind::Png)] {
        check_output(path, kind, &[&args.model])?;
    }
    Ok(())
}

/// Writes the report and its picture, and the model last: where there is a model, there is its report.
fn write(args: &QuantizeArgs, quantized: &Quantized) -> anyhow::Result<()> {
    let [report_path, picture_path] = report_paths(args);
    write_bytes(&report_path, &serde_json::to_vec_pretty(&quantized.report)?)?;
    plot::draw(&quantized.report, &picture_path)?;
    let bytes = quantized.model.to_bytes();
    write_atomically(&args.out, |file| file.write_all(&bytes))?;
    show(args, &quantized.report, bytes.len(), [&report_path, &picture_path])
}

fn show(args: &QuantizeArgs, report: &QuantizeReport, bytes: usize, beside: [&Path; 2]) -> anyhow::Result<()> {
    if args.json {
        print(serde_json::to_string(report)?);
        return Ok(());
    }
    let float_bytes = std::fs::metadata(&args.model).map_or(0, |metadata| metadata.len());
    print(report);
    print(format_args!("size: {:.2} MB, float {:.2} MB", bytes as f64 / 1e6, float_bytes as f64 / 1e6));
    print(format_args!("wrote {}, {} and {}", args.out.display(), beside[0].display(), beside[1].display()));
    Ok(())
}

impl Ranges {
    fn method(self) -> Option<RangeMethod> {
        match self {
            Self::Auto => None,
            Self::Percentile => Some(RangeMethod::Percentile),
            Self::Mse => Some(RangeMethod::Mse),
            Self::Minmax => Some(RangeMethod::MinMax),
        }
    }
}

impl Bits {
    fn bits(self) -> WeightBits {
        match self {
            Self::Eight => WeightBits::Eight,
            Self::Seven => WeightBits::Seven,
            Self::Auto => WeightBits::Auto,
        }
    }
}
