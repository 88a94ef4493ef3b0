//! `parallax-world`: renders a place with known truth. Exit code 0: done; 1: failed; 2: bad arguments.

mod cli;
mod commands;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;
use parallax_core::program;

fn main() -> ExitCode {
    program::start_logging("info");
    let outcome = match cli::Cli::parse().command {
        cli::Command::Render(args) => commands::render::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            program::report(error.as_ref(), hint);
            let is_argument = matches!(error.downcast_ref(), Some(parallax_world::Error::Setting { .. }));
            ExitCode::from(if is_argument { 2 } else { 1 })
        }
    }
}

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    error.downcast_ref::<parallax_world::Error>()?.hint().map(str::to_owned)
}
