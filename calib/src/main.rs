//! `parallax-calib`: camera files for everything else. Exit code 0: done; 1: failed; 2: bad arguments; 3: done, but some
//! input was lost.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use commands::Outcome;
use parallax_core::program;
use std::error::Error;

fn main() -> ExitCode {
    program::start_logging("info");
    let result = match Cli::parse().command {
        Command::Board(args) => commands::board::run(&args),
        Command::Capture(args) => commands::capture::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Show(args) => commands::show::run(&args),
        Command::Solve(args) => commands::solve::run(&args),
        Command::Undistort(args) => commands::undistort::run(&args),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::DoneWithLostInput) => ExitCode::from(3),
        Err(error) => {
            program::report(error.as_ref(), hint);
            ExitCode::FAILURE
        }
    }
}

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    error.downcast_ref::<parallax_calib::Error>()?.hint().map(str::to_owned)
}
