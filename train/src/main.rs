//! `parallax-train`: depth pre-training, few-shot segmentation, scores, export and quantization.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::commands::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.verbose);
    match run(cli.command) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::DoneWithLostInput) => ExitCode::from(3),
        Err(error) => {
            commands::report(&error);
            commands::exit_code(&error)
        }
    }
}

fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Pretrain(args) => commands::pretrain::run(&args),
        Command::Finetune(args) => commands::finetune::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::CheckDevice(args) => commands::check_device::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Quantize(args) => commands::quantize::run(&args),
        Command::Pack(args) => commands::pack::run(&args),
    }
}

/// Logs go to stderr; `RUST_LOG` overrides the level.
fn start_logging(verbose: bool) {
    let level = if verbose { "parallax_train=debug,warn" } else { "parallax_train=info,warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .without_time()
        .with_target(false)
        .init();
}
