//! `parallax-train export`: a run's network as a float ONNX model that says how to prepare its input.

use std::io::Write as _;
use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use parallax_core::files::{OutputKind, check_output, write_atomically};
use parallax_core::program::print;
use parallax_core::run::{RunDescription, RunKind};
use parallax_models::{DepthNetwork, SegmentationNetwork};
use parallax_onnx::metadata;
use parallax_quantize::graph;
use parallax_quantize::origin::Origin;
use parallax_train::training::RunFolder;

use super::Outcome;

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  parallax-train export runs/slim --out model.onnx")]
pub(crate) struct ExportArgs {
    /// The run folder.
    pub(crate) run: PathBuf,
    /// The ONNX file to write.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &ExportArgs) -> anyhow::Result<Outcome> {
    check_output(&args.out, OutputKind::Onnx, &[])?;
    let folder = RunFolder::open(&args.run)?;
    let description = folder.description()?;
    let (width, height) = (description.input.width as usize, description.input.height as usize);
    let (device, weights) = (Device::flex(), folder.weights_path());
    let (bytes, output) = match description.kind {
        RunKind::Depth => (DepthNetwork::load(&weights, &device)?.to_onnx(width, height)?, "disparity"),
        RunKind::Segmentation => (SegmentationNetwork::load(&weights, &device)?.to_onnx(width, height)?, "logits"),
        kind @ (RunKind::Flow | RunKind::Inpainting | RunKind::Contrastive) => {
            let what = format!("expected a run of depth pre-training or segmentation, found one of {kind}");
            let hint = "its network is a beginning for others: `parallax-train finetune --init RUN` makes masks of it";
            return Err(parallax_train::Error::Run { what, path: args.run.clone(), hint }.into());
        }
    };
    let bytes = with_origin(&bytes, &folder, &description)?;
    write_atomically(&args.out, |file| file.write_all(&bytes))?;
    show(args, &description, output, bytes.len());
    Ok(Outcome::Done)
}

/// Adds what whoever runs the model must know: the input contract, the classes, and where it comes from, so that `pack` can tell.
fn with_origin(bytes: &[u8], folder: &RunFolder, description: &RunDescription) -> anyhow::Result<Vec<u8>> {
    let mut model = graph::decode(bytes)?;
    graph::check_finite(&model)?;
    Origin::of_run(folder.path(), description)?.write(&mut model)?;
    model.set_metadata(metadata::VERSION, env!("CARGO_PKG_VERSION"));
    model.set_metadata(metadata::SEED, &description.seed.to_string());
    Ok(model.to_bytes())
}

fn show(args: &ExportArgs, description: &RunDescription, output: &str, bytes: usize) {
    let input = description.input;
    if args.json {
        let object = serde_json::json!({
            "out": args.out,
            "bytes": bytes,
            "network": description.network,
            "output": output,
            "width": input.width,
            "height": input.height,
        });
        print(object);
    } else {
        let (network, width, height) = (&description.network, input.width, input.height);
        print(format_args!("{network}, {width}x{height}, output {output}, {:.2} MB", bytes as f64 / 1e6));
        print(format_args!("wrote {}", args.out.display()));
    }
}
