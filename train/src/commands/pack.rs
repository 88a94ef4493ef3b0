//! `parallax-train pack`: a model, its contract and a golden frame into a bundle.

use std::path::{Path, PathBuf};

use clap::Args;
use image::RgbImage;
use parallax_core::bundle::{BundleManifest, Training};
use parallax_core::files::read_rgb;
use parallax_core::labels::Classes;
use parallax_core::program::print;
use parallax_core::recording::{Eye, Recording};
use parallax_train::pack::{PackRequest, Part, pack};
use parallax_train::training::{RunDescription, RunFolder, RunKind};

use super::{BadArguments, Outcome};

/// Arguments of `pack`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  parallax-train pack model.int8.onnx --run runs/slim --out slim.bundle
  parallax-train pack model.int8.onnx --float model.onnx --run runs/slim --golden frame.png --out slim.tar")]
pub(crate) struct PackArgs {
    /// The model that the bundle runs.
    pub(crate) model: PathBuf,
    /// The run it was exported from: its classes, training pictures and camera go into the bundle.
    #[arg(long)]
    pub(crate) run: PathBuf,
    /// The bundle to write: a folder, or one file when it ends in .tar.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// The float model, packed beside it under the role `float`.
    #[arg(long, value_name = "FILE")]
    pub(crate) float: Option<PathBuf>,
    /// The golden frame (default: the first picture the run was trained on).
    #[arg(long, value_name = "IMAGE")]
    pub(crate) golden: Option<PathBuf>,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &PackArgs) -> anyhow::Result<Outcome> {
    let folder = RunFolder::open(&args.run)?;
    let description = folder.description()?;
    let hint = "a bundle makes masks: name a run folder that `parallax-train finetune` has written";
    description.kind.expect(RunKind::Segmentation, &args.run, hint)?;
    let mut parts = vec![Part::read("main", &args.model)?];
    if let Some(path) = &args.float {
        parts.push(Part::read("float", path)?);
    }
    let golden = golden_frame(args, &description)?;
    let request = PackRequest {
        name: args.out.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        parts,
        input: description.input,
        classes: classes_of(&folder)?,
        training: training_of(&description),
        cameras: description.cameras(),
        golden: &golden,
    };
    let manifest = pack(&args.out, &request)?;
    show(args, &manifest);
    Ok(Outcome::Done)
}

/// The classes a segmentation run was trained with: `classes.toml` in its folder.
pub(super) fn classes_of(folder: &RunFolder) -> anyhow::Result<Classes> {
    Ok(Classes::read(&folder.path().join("classes.toml"))?)
}

fn training_of(description: &RunDescription) -> Training {
    let texts = |key: &str| -> Vec<String> {
        let values = description.config.get(key).and_then(toml::Value::as_array);
        values.into_iter().flatten().filter_map(toml::Value::as_str).map(str::to_owned).collect()
    };
    Training {
        network: description.network.clone(),
        transfer: transfer_of(description),
        seed: description.seed,
        labelled: texts("labelled"),
        labelled_sha256: texts("labelled_sha256"),
    }
}

/// What was taken over from a pre-trained run; with no such run, `none`, and whether the encoder's random weights stayed.
fn transfer_of(description: &RunDescription) -> String {
    let transfer = text(description, "transfer").unwrap_or_default();
    match text(description, "init") {
        Some(_) => transfer,
        None if transfer == "frozen" => "none (frozen)".to_owned(),
        None => "none".to_owned(),
    }
}

fn text(description: &RunDescription, key: &str) -> Option<String> {
    description.config.get(key).and_then(toml::Value::as_str).map(str::to_owned)
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

fn show(args: &PackArgs, manifest: &BundleManifest) {
    if args.json {
        print(serde_json::json!({ "out": args.out, "manifest": manifest }));
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
