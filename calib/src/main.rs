//! `parallax-calib`: camera files for everything else.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use parallax_core::program;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Convert(args) => commands::convert::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Show(args) => commands::show::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Undistort(args) => commands::undistort::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            program::report(error.as_ref(), |_| None);
            ExitCode::FAILURE
        }
    }
}
