//! `parallax-edge`: masks from a bundle, on the board.

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
        "parallax_edge=debug,warn"
    } else {
        "parallax_edge=info,parallax_core=warn,error"
    });
    // A service manager ends these with SIGTERM, and that is no failure of theirs.
    let is_service = matches!(cli.command, Command::Run(_) | Command::Record(_));
    let code = match run(cli.command) {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Failed) => 1,
        Ok(Outcome::DoneWithLostInput) => 3,
        Err(error) => {
            program::report(error.as_ref(), commands::hint);
            if commands::is_bad_argument(&error) { 2 } else { 1 }
        }
    };
    if is_service { program::end_of_service(code) } else { program::end(code) }
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
