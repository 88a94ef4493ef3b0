//! Optional Python packages (onnx, onnxruntime) that parity checks compare with, in a virtual environment that
//! `scripts/test` makes in `.venv`.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python that has onnx and onnxruntime; says loudly that a check is skipped where there is none.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn with_onnxruntime() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let has = |python: &Path| {
        let probe = Command::new(python).args(["-c", "import onnx, onnxruntime, numpy"]).output();
        probe.is_ok_and(|output| output.status.success())
    };
    if has(&python) {
        return Some(python);
    }
    eprintln!("SKIPPED: no onnxruntime here; `scripts/test` makes .venv with it where Python and a package index are");
    None
}

/// Runs a script of `tests/scripts` that prints one JSON object.
///
/// # Errors
/// The script fails or prints something else.
pub fn run_script(python: &Path, script: &str, arguments: &[&str]) -> Result<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
    let output = Command::new(python).arg(&path).args(arguments).output().context("cannot start Python")?;
    if !output.status.success() {
        bail!("{script} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{script} printed no JSON object"))
}
