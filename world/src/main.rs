//! `parallax-world`: renders a place with known truth. Exit codes: [`parallax_core::program`].

mod cli;
mod commands;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;
use parallax_core::program;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return program::answer(error.render().ansi(), error.use_stderr(), error.exit_code()),
    };
    program::start("info");
    let outcome = match cli.command {
        cli::Command::Render(args) => commands::render::run(&args),
    };
    program::end(match outcome {
        Ok(()) => 0,
        Err(error) => {
            program::report(error.as_ref(), hint);
            let is_argument = matches!(error.downcast_ref(), Some(parallax_world::Error::Setting { .. }));
            if is_argument { 2 } else { 1 }
        }
    })
}

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    error.downcast_ref::<parallax_world::Error>()?.hint().map(str::to_owned)
}
