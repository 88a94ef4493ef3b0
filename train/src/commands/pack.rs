//! `parallax-train pack`: a model, its contract and a golden frame into a bundle.

use std::path::{Path, PathBuf};

use clap::Args;
use image::RgbImage;
use parallax_core::bundle::{BundleManifest, Training};
use parallax_core::camera::CameraIdentity;
use parallax_core::files::read_rgb;
use parallax_core::labels::Classes;
use parallax_core::program::print;
use parallax_core::recording::{Eye, Recording};
use parallax_core::run::{CLASSES_FILE, RunDescription, RunKind};
use parallax_quantize::origin::{Origin, Unstated, network_of};
use parallax_quantize::pack::{PackRequest, Parts, Source, pack, training_of};
use parallax_train::training::RunFolder;

use super::foreign_args::ForeignArgs;
use super::{BadArguments, Outcome};

/// Arguments of `pack`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train pack model.int8.onnx --run runs/slim --out slim.bundle
  parallax-train pack model.int8.onnx --float model.onnx --run runs/slim --golden frame.png --out slim.tar
A model from elsewhere (docs/foreign_models.md):
  parallax-train pack fcn.onnx --classes classes.toml --size 640x384 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 \\
                      --channels rgb --golden frame.png --out fcn.bundle
  parallax-train pack fcn.int8.onnx --classes classes.toml --golden frame.png --out fcn.bundle")]
pub(crate) struct PackArgs {
    /// The model that the bundle runs.
    pub(crate) model: PathBuf,
    /// The run it was exported from: its classes, training pictures and camera go into the bundle.
    #[arg(long, required_unless_present = "classes", conflicts_with = "classes")]
    pub(crate) run: Option<PathBuf>,
    /// Take a model that does not say that it is of this run; what it says, and its shapes, are compared all the same.
    #[arg(long, requires = "run")]
    pub(crate) any_model: bool,
    /// The classes of a model from elsewhere, in the order of its outputs, in the form of classes.toml.
    #[arg(long, value_name = "FILE")]
    pub(crate) classes: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
    /// The bundle to write: a folder, or one file when it ends in .tar.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// The float model, packed beside it under the role `float`.
    #[arg(long, value_name = "FILE")]
    pub(crate) float: Option<PathBuf>,
    /// The golden frame [default: the first picture the run was trained on; without a run, a drawn one].
    #[arg(long, value_name = "IMAGE")]
    pub(crate) golden: Option<PathBuf>,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &PackArgs) -> anyhow::Result<Outcome> {
    let packed = match (&args.run, &args.classes) {
        (Some(run), _) => of_run(args, run)?,
        (None, Some(classes)) => from_elsewhere(args, classes)?,
        (None, None) => {
            return Err(BadArguments::error("expected --run or --classes", "docs/foreign_models.md tells which"));
        }
    };
    show(args, &packed);
    Ok(Outcome::Done)
}

/// A bundle and what was changed in its models.
struct Packed {
    manifest: BundleManifest,
    notes: Vec<String>,
}

/// Packs models that were exported from a run.
fn of_run(args: &PackArgs, run: &Path) -> anyhow::Result<Packed> {
    if args.foreign.is_given() {
        let message = "expected --size, --mean, --std, --values, --channels and --output without --run";
        return Err(BadArguments::error(message, "the run says how pictures are prepared; leave them out"));
    }
    let folder = RunFolder::open(run)?;
    let description = folder.description()?;
    let hint = "a bundle makes masks: name a run folder that `parallax-train finetune` has written";
    description.kind.expect(RunKind::Segmentation, run, hint)?;
    let origin = Origin::of_run(folder.path(), &description)?;
    let unstated = if args.any_model { Unstated::Take } else { Unstated::Refuse };
    let parts = Parts::read(&files(args), Source::Run(&origin, unstated))?;
    let golden = golden_frame(args, &description)?;
    let classes = Classes::read(&folder.path().join(CLASSES_FILE))?;
    write(args, parts, classes, training_of(&description, run)?, description.cameras(), &golden)
}

/// Packs models that were made elsewhere.
fn from_elsewhere(args: &PackArgs, classes: &Path) -> anyhow::Result<Packed> {
    let classes = Classes::read(classes)?;
    let asked = args.foreign.asked()?;
    let parts = Parts::read(&files(args), Source::Elsewhere(&classes, &asked, args.foreign.output.as_deref()))?;
    let golden = if let Some(path) = &args.golden {
        read_rgb(path)?
    } else {
        tracing::warn!("the golden frame is a drawn one: a picture of the place, --golden IMAGE, tells more");
        drawn_picture(parts.input.width, parts.input.height)
    };
    let training = Training {
        network: network_of(&parts.parts[0].model).unwrap_or_else(|| format!("from elsewhere: {}", made_by(&parts))),
        transfer: "unknown".to_owned(),
        seed: 0,
        labelled: Vec::new(),
        labelled_sha256: Vec::new(),
    };
    write(args, parts, classes, training, Vec::new(), &golden)
}

fn files(args: &PackArgs) -> Vec<(&'static str, &Path)> {
    let float = args.float.as_deref().map(|path| ("float", path));
    std::iter::once(("main", args.model.as_path())).chain(float).collect()
}

/// The program that wrote a model.
fn made_by(parts: &Parts) -> String {
    let model = &parts.parts[0].model;
    let made_by = format!("{} {}", model.producer_name, model.producer_version);
    if made_by.trim().is_empty() { "nobody says what wrote it".to_owned() } else { made_by.trim().to_owned() }
}

fn write(
    args: &PackArgs,
    parts: Parts,
    classes: Classes,
    training: Training,
    cameras: Vec<CameraIdentity>,
    golden: &RgbImage,
) -> anyhow::Result<Packed> {
    let Parts { parts, input, notes } = parts;
    for note in &notes {
        tracing::info!("{note}");
    }
    let name = args.out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let request = PackRequest { name, parts, input, classes, training, cameras, golden };
    Ok(Packed { manifest: pack(&args.out, &request)?, notes })
}

/// A picture with edges, slopes and all brightnesses, the same on every machine.
fn drawn_picture(width: u32, height: u32) -> RgbImage {
    // Triangle waves in whole numbers: a sine need not be the same everywhere.
    let wave = |at: u32, period: u32| (at % period).abs_diff(period / 2) * 510 / period;
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(
            [wave(3 * x + y * y / 8, 97), wave(x * x / 16 + 2 * y, 61), wave(5 * x + 7 * y, 211)]
                .map(|value| value as u8),
        )
    })
}

/// The picture given, else the first of the data the run was trained on.
fn golden_frame(args: &PackArgs, description: &RunDescription) -> anyhow::Result<RgbImage> {
    if let Some(path) = &args.golden {
        return Ok(read_rgb(path)?);
    }
    let found = description.data.iter().find_map(|source| first_picture(&source.path));
    found.ok_or_else(|| {
        BadArguments::error("the run's training pictures are no longer there", "give a picture with --golden IMAGE")
    })
}

/// The first picture of a labelled set or recording; none when it cannot be read.
fn first_picture(data: &Path) -> Option<RgbImage> {
    let images = data.join("images");
    let recording = Recording::open(if images.is_dir() { &images } else { data }).ok()?;
    recording.frame(0, Eye::Left).ok()?.to_rgb().ok()
}

fn show(args: &PackArgs, Packed { manifest, notes }: &Packed) {
    if args.json {
        print(serde_json::json!({ "out": args.out, "manifest": manifest, "changed": notes }));
        return;
    }
    for model in &manifest.models {
        print(format_args!("{:6} {} ({})", model.role, model.file, &model.sha256[..12]));
    }
    let training = &manifest.training;
    print(format_args!(
        "{} classes, {} labelled pictures left out of scores",
        manifest.classes.len(),
        training.labelled.len()
    ));
    print(format_args!("wrote {}", args.out.display()));
}
