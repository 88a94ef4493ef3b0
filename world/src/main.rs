//! `parallax-world`: renders a place with known truth. Exit code 0: done; 1: failed; 2: bad arguments.

mod cli;
mod commands;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .without_time()
        .with_target(false)
        .init();
    let outcome = match cli::Cli::parse().command {
        cli::Command::Render(args) => commands::render::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = complain(&error);
            let is_argument = matches!(error.downcast_ref(), Some(parallax_world::Error::Setting { .. }));
            ExitCode::from(if is_argument { 2 } else { 1 })
        }
    }
}

fn complain(error: &anyhow::Error) -> std::io::Result<()> {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "error: {error:#}")?;
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<parallax_world::Error>()?.hint());
    if let Some(hint) = hint {
        writeln!(stderr, "hint: {hint}")?;
    }
    Ok(())
}
