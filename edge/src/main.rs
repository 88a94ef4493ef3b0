//! `parallax-edge`: masks from a bundle, on the board.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;
use parallax_core::program;

use crate::cli::{Cli, Command};
use crate::commands::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    program::start_logging(if cli.verbose {
        "parallax_edge=debug,warn"
    } else {
        "parallax_edge=info,parallax_core=warn,error"
    });
    match run(cli.command) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Ok(Outcome::DoneWithLostInput) => ExitCode::from(3),
        Err(error) => {
            program::report(error.as_ref(), commands::hint);
            if commands::is_bad_argument(&error) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Run(args) => commands::run::run(&args),
        Command::Record(args) => commands::record::run(&args),
        Command::Devices(args) => commands::devices::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
    }
}
