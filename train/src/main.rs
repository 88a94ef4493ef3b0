//! `parallax-train`: depth pre-training, few-shot segmentation, scores, export and quantization.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;
use parallax_core::program;

use crate::cli::{Cli, Command};
use crate::commands::Outcome;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return program::answer(error.render().ansi(), error.use_stderr(), error.exit_code()),
    };
    program::start(if cli.verbose {
        "parallax_train=debug,parallax_doctor=debug,parallax_quantize=debug,warn"
    } else {
        "parallax_train=info,parallax_doctor=info,parallax_quantize=info,warn"
    });
    program::end(match run(cli.command) {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::DoneWithLostInput | Outcome::DoneWithFindings) => 3,
        Err(error) => {
            program::report(error.as_ref(), commands::hint);
            commands::exit_code(&error)
        }
    })
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
