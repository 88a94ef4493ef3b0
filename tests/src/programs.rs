//! Running the built programs as a user would: arguments in, exit code, stdout and stderr out.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// The folder that the programs were built into: that of the running program, or above `deps` for a test.
///
/// # Errors
/// The running program's place is unknown.
pub fn program_folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program lies")?;
    let folder = own.parent().context("a program lies in a folder")?;
    let above_deps = folder.file_name().is_some_and(|name| name == "deps").then(|| folder.parent()).flatten();
    Ok(above_deps.unwrap_or(folder).to_path_buf())
}

/// A program of this workspace, ready for arguments.
///
/// # Errors
/// It was not built: the error says how to.
pub fn program(name: &str) -> Result<Command> {
    let path = program_folder()?.join(name);
    if !path.exists() {
        bail!("{} is not built: run `cargo build --release --workspace` first", path.display());
    }
    Ok(Command::new(path))
}

/// Runs a program and returns what it said and how it ended.
///
/// # Errors
/// The program is not built or cannot be started.
pub fn run(name: &str, arguments: &[&str]) -> Result<Output> {
    program(name)?.args(arguments).output().with_context(|| format!("cannot start {name}"))
}

/// Runs a program that must succeed, and returns its stdout.
///
/// # Errors
/// It cannot be started or ends with another code than 0; the error holds what it said.
pub fn run_to_end(name: &str, arguments: &[&str]) -> Result<String> {
    let output = run(name, arguments)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{name} {} ended with {}:\n{said}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program that must succeed and print one JSON object.
///
/// # Errors
/// As [`run_to_end`], or the output is no JSON.
pub fn run_for_json(name: &str, arguments: &[&str]) -> Result<Value> {
    let text = run_to_end(name, arguments)?;
    serde_json::from_str(&text).with_context(|| format!("{name} --json printed no JSON object: {text}"))
}

/// One command of a story: shown before it runs, its progress left on stderr, its time taken.
#[derive(Clone, Debug)]
pub struct Step {
    /// What came of it, where the command prints JSON; null otherwise.
    pub result: Value,
    /// Seconds it took.
    pub seconds: f64,
}

/// Shows a command, runs it with its stderr left to the user, and reads the JSON object that it prints.
///
/// # Errors
/// It cannot be started, or fails.
#[expect(clippy::print_stderr, reason = "the story is told on stderr, for a person")]
pub fn show_and_run(name: &str, arguments: &[String]) -> Result<Step> {
    eprintln!("\n$ {name} {}", arguments.join(" "));
    let start = Instant::now();
    let output = program(name)?.args(arguments).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{name} ended with {}", output.status);
    }
    let result = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Ok(Step { result, seconds: start.elapsed().as_secs_f64() })
}

/// A path as an argument.
pub fn argument(path: &Path) -> String {
    path.display().to_string()
}

/// The real excerpt of KITTI, where it lies beside the checkout; says loudly that its tests are skipped where not.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn kitti_mini() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/kitti_mini");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: the real KITTI excerpt is not here ({} is missing)", path.display());
    None
}
