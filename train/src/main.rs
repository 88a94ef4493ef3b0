//! `parallax-train`: depth pre-training, few-shot segmentation, scores, export and quantization.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;
use parallax_core::program;

use crate::cli::{Cli, Command};
use crate::commands::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    program::start_logging(if cli.verbose { "parallax_train=debug,warn" } else { "parallax_train=info,warn" });
    match run(cli.command) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::DoneWithLostInput | Outcome::DoneWithFindings) => ExitCode::from(3),
        Err(error) => {
            program::report(error.as_ref(), commands::hint);
            commands::exit_code(&error)
        }
    }
}

fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Pretrain(args) => commands::pretrain::run(&args),
        Command::Finetune(args) => commands::finetune::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::CheckDevice(args) => commands::check_device::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Quantize(args) => commands::quantize::run(&args),
        Command::Pack(args) => commands::pack::run(&args),
    }
}
