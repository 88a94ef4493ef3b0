//! The command line: one subcommand per file of [`crate::commands`], no logic here.

use clap::{Parser, Subcommand};

use crate::commands;

/// Depth pre-training, few-shot segmentation, export and quantization.
#[derive(Debug, Parser)]
#[command(name = "parallax-train", version, about, propagate_version = true)]
pub(crate) struct Cli {
    /// Say more on stderr.
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look whether footage will train, before any training.
    Doctor(commands::doctor::DoctorArgs),
    /// Learn depth from video, stereo or ranges, or a rival of depth, without labels.
    Pretrain(Box<commands::pretrain::PretrainArgs>),
    /// Learn masks from a few labelled pictures, with or without pre-training.
    Finetune(commands::finetune::FinetuneArgs),
    /// Score a trained run: depth against true depth or by rebuilding frames, or masks against labels.
    Evaluate(commands::evaluate::EvaluateArgs),
    /// Write a depth run's depth maps of a recording.
    Predict(commands::predict::PredictArgs),
    /// Compare every operator of training on this machine's GPU with the CPU.
    CheckDevice(commands::check_device::CheckDeviceArgs),
    /// Write a run's network as a float ONNX model.
    Export(commands::export::ExportArgs),
    /// Turn a float ONNX model into an int8 one, calibrated on your frames.
    Quantize(commands::quantize::QuantizeArgs),
    /// Put a model, its contract and a golden frame into a bundle.
    Pack(commands::pack::PackArgs),
}
