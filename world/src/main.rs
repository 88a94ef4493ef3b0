//! `parallax-world`: renders a place with known truth.

mod cli;
mod commands;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().with_target(false).init();
    let outcome = match cli::Cli::parse().command {
        cli::Command::Render(args) => commands::render::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = complain(&error);
            ExitCode::FAILURE
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
