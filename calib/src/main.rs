//! `parallax-calib`: camera files for everything else. Exit codes: [`parallax_core::program`].

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use commands::Outcome;
use parallax_core::program;
use std::error::Error;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return program::answer(error.render().ansi(), error.use_stderr(), error.exit_code()),
    };
    program::start("info");
    // Somebody ends a capture when there are enough views.
    let is_service = matches!(cli.command, Command::Capture(_));
    let result = match cli.command {
        Command::Board(args) => commands::board::run(&args),
        Command::Capture(args) => commands::capture::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Show(args) => commands::show::run(&args),
        Command::Solve(args) => commands::solve::run(&args),
        Command::Undistort(args) => commands::undistort::run(&args),
    };
    let code = match result {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::DoneWithLostInput) => 3,
        Err(error) => {
            program::report(error.as_ref(), hint);
            1
        }
    };
    if is_service { program::end_of_service(code) } else { program::end(code) }
}

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    error.downcast_ref::<parallax_calib::Error>()?.hint().map(str::to_owned)
}
