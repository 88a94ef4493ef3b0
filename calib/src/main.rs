//! `parallax-calib`: camera files for everything else.

mod cli;
mod commands;

use clap::Parser;
use cli::{Cli, Command};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Convert(args) => commands::convert::run(&args),
        Command::Show(args) => commands::show::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "error: {error:#}");
            let hint = error.downcast_ref::<parallax_core::Error>().and_then(parallax_core::Error::hint);
            if let Some(hint) = hint {
                let _ = writeln!(stderr, "hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}
