//! The self-check of a GPU, in a child process.
//!
//! The child (`parallax-train check-device`) opens the best adapter, runs every operator and writes one JSON line before
//! and one after each. The parent reads them. A child that panics, crashes or hangs has named the operator at which it
//! did so; the parent notes it and starts another child behind that operator, so one broken operator does not hide the
//! next.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::adapter::{Adapter, AdapterKind};
use super::comparison::{Finding, compare_operator, compare_tiny_training};
use super::operators::operators;
use super::tiny_training;
use crate::Error;

/// Longest time for one operator, kernel compilation and tuning included: a software GPU on a machine busy with other
/// work was seen to take more than a minute for the tiny network.
const PATIENCE: Duration = Duration::from_secs(300);

/// The name of the hidden subcommand that is the child's side.
pub const CHECK_COMMAND: &str = "check-device";

/// Name under which the tiny training is started.
const TINY_TRAINING: &str = tiny_training::FIRST_STEP;

/// One line of the child's report.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The adapter that was opened; `None` when there is none.
    Adapter(Option<Adapter>),
    /// An operator is about to run.
    Starting(String),
    /// An operator has run.
    Found(Finding),
    /// All is done.
    Done,
}

/// What the self-check of a GPU has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// The GPU.
    pub adapter: Adapter,
    /// One entry for each operator and two for the tiny training, in the order in which they ran.
    pub findings: Vec<Finding>,
}

impl Inspection {
    /// The operators that may not be used.
    pub fn wrong(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| !finding.is_right()).collect()
    }
}

/// How the self-check ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// There is no GPU, for the reason given.
    NoGpu(String),
    /// There is one, and this is how it did.
    Inspected(Inspection),
}

/// What the child has found, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// There is no GPU.
    NoGpu,
    /// Every operator that was looked at is right.
    Right,
    /// These operators are wrong.
    Wrong(Vec<String>),
}

/// The child's side: checks the best adapter and reports on `out`, skipping the operators up to and including `after`.
///
/// # Errors
/// When `out` cannot be written.
pub fn report_on_best_adapter(after: Option<&str>, out: &mut impl Write) -> std::io::Result<Checked> {
    let best = Adapter::best();
    write_line(out, &Line::Adapter(best.as_ref().map(|(adapter, _)| adapter.clone())))?;
    let Some((_, device)) = best else { return Ok(Checked::NoGpu) };
    let mut wrong = Vec::new();
    let all = operators();
    let begin =
        after.map_or(0, |after| all.iter().position(|operator| operator.name == after).map_or(all.len(), |at| at + 1));
    for operator in &all[begin..] {
        write_line(out, &Line::Starting(operator.name.to_owned()))?;
        note(compare_operator(operator, &device), &mut wrong, out)?;
    }
    if after != Some(TINY_TRAINING) {
        write_line(out, &Line::Starting(TINY_TRAINING.to_owned()))?;
        for finding in compare_tiny_training(&device) {
            note(finding, &mut wrong, out)?;
        }
    }
    write_line(out, &Line::Done)?;
    Ok(if wrong.is_empty() { Checked::Right } else { Checked::Wrong(wrong) })
}

fn note(finding: Finding, wrong: &mut Vec<String>, out: &mut impl Write) -> std::io::Result<()> {
    if !finding.is_right() {
        wrong.push(finding.operator.clone());
    }
    write_line(out, &Line::Found(finding))
}

fn write_line(out: &mut impl Write, line: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)?;
    out.flush()
}

/// The parent's side: knows which program to start as the child.
#[derive(Debug, Clone)]
pub struct Inspector {
    program: PathBuf,
    environment: Vec<(String, String)>,
    patience: Duration,
    hardware_only: bool,
}

impl Inspector {
    /// An inspector whose child is this very program: only right in `parallax-train` itself.
    ///
    /// # Errors
    /// When the operating system does not say where this program lies.
    pub fn of_this_program() -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::io("find", "this program"))?;
        Ok(Self::of_program(program))
    }

    /// An inspector whose child is the `parallax-train` at `program`.
    pub fn of_program(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), environment: Vec::new(), patience: PATIENCE, hardware_only: false }
    }

    /// The same with a variable set in the child's environment.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, but a software GPU counts as none and is not checked.
    #[must_use]
    pub fn hardware_only(mut self) -> Self {
        self.hardware_only = true;
        self
    }

    /// The same with another limit on the time for one operator.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Checks the best adapter of this machine.
    ///
    /// # Errors
    /// When the child process cannot be started.
    pub fn inspect(&self) -> Result<Verdict, Error> {
        let mut report = Report::default();
        // Each further child begins behind the operator that ended the one before, so this ends.
        loop {
            let ending = self.run_child(&mut report)?;
            let Some(adapter) = report.adapter.clone() else {
                return Ok(Verdict::NoGpu(ending.unwrap_or_else(|| "Vulkan offers no GPU on this machine".to_owned())));
            };
            match (ending, report.running.take()) {
                (Some(reason), Some(operator)) => {
                    report.findings.push(Finding::broken(&operator, reason));
                    report.after = Some(operator);
                }
                (Some(reason), None) => {
                    report.findings.push(Finding::broken("opening the device", reason));
                    return Ok(Verdict::Inspected(Inspection { adapter, findings: report.findings }));
                }
                (None, _) => return Ok(Verdict::Inspected(Inspection { adapter, findings: report.findings })),
            }
        }
    }

    /// Runs one child and adds what it says to the report; `Some(reason)` when it did not come to its end.
    fn run_child(&self, report: &mut Report) -> Result<Option<String>, Error> {
        let mut child = self.start(report.after.as_deref())?;
        let (lines, complaints) = listen(&mut child);
        loop {
            match lines.recv_timeout(self.patience) {
                Ok(Line::Adapter(adapter)) if adapter.is_none() => {
                    let _ = child.wait();
                    return Ok(None);
                }
                Ok(Line::Adapter(Some(adapter))) if self.hardware_only && adapter.kind == AdapterKind::Software => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Ok(Some(format!("the only GPU is a software one, {}", adapter.name)));
                }
                Ok(Line::Adapter(adapter)) => report.adapter = adapter,
                Ok(Line::Starting(operator)) => report.running = Some(operator),
                Ok(Line::Found(finding)) => {
                    report.running = None;
                    report.findings.push(finding);
                }
                Ok(Line::Done) => {
                    let _ = child.wait();
                    return Ok(None);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Ok(Some(format!("gave no answer within {} s", self.patience.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                    let complaint = complaints.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
                    return Ok(Some(format!("ended the check ({status}){}", first_complaint(&complaint))));
                }
            }
        }
    }

    fn start(&self, after: Option<&str>) -> Result<Child, Error> {
        let mut command = Command::new(&self.program);
        command.arg(CHECK_COMMAND).envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(after) = after {
            command.args(["--after", after]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(Error::io("start the device check of", &self.program))
    }
}

#[derive(Default)]
struct Report {
    adapter: Option<Adapter>,
    findings: Vec<Finding>,
    running: Option<String>,
    after: Option<String>,
}

/// Reads the child's report line by line, and its complaints as a whole, on two threads.
fn listen(child: &mut Child) -> (Receiver<Line>, Receiver<String>) {
    let (line_sender, lines) = channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Drivers may write to stdout too: what is no line of ours is passed over.
                let Ok(line) = serde_json::from_str(&text) else { continue };
                if line_sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    let (complaint_sender, complaints) = channel();
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            let _ = complaint_sender.send(String::from_utf8_lossy(&text).into_owned());
        });
    }
    (lines, complaints)
}

/// The line after `panicked at` (the message), else the last line that says something.
fn first_complaint(stderr: &str) -> String {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.by_ref().find(|line| line.contains("panicked at")).and_then(|_| lines.next());
    let said = message.or_else(|| stderr.lines().map(str::trim).rfind(|line| !line.is_empty()));
    said.map_or_else(String::new, |said| format!(": {}", said.chars().take(200).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in for the child: a shell script that gets `check-device [--after NAME]`.
    #[cfg(unix)]
    fn inspector(folder: &tempfile::TempDir, script: &str) -> Inspector {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join("child");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Inspector::of_program(path).with_patience(Duration::from_secs(2))
    }

    const ADAPTER: &str = r#"echo '{"adapter":{"kind":"discrete","name":"Toy"}}'"#;

    #[cfg(unix)]
    #[test]
    fn a_child_that_crashes_in_one_operator_still_gets_the_others_checked() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            r#"{ADAPTER}
            right() {{ echo "{{\"found\":{{\"operator\":\"$1\",\"forward_error\":0,\"gradient_error\":0,\"tolerance\":1e-4,\"broken\":null}}}}"; }}
            if [ -z "$2" ]; then
              echo '{{"starting":"one"}}'; right one
              echo '{{"starting":"two"}}'; echo "thread 'main' panicked at driver.rs:1:1:" >&2; echo "lost the device" >&2; kill -SEGV $$
            else
              echo "{{\"starting\":\"behind $3\"}}"; right three; echo '"done"'
            fi"#
        );
        let Verdict::Inspected(inspection) = inspector(&folder, &script).inspect().unwrap() else { panic!("a GPU") };
        let names: Vec<&str> = inspection.findings.iter().map(|finding| finding.operator.as_str()).collect();
        assert_eq!(names, ["one", "two", "three"]);
        let wrong = inspection.wrong();
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].describe().contains("lost the device"), "{}", wrong[0].describe());
    }

    #[cfg(unix)]
    #[test]
    fn a_child_that_hangs_is_ended_and_the_operator_named() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            r#"{ADAPTER}
            if [ -n "$2" ]; then echo '"done"'; exit; fi
            echo '{{"starting":"matmul"}}'; exec sleep 60"#
        );
        let Verdict::Inspected(inspection) = inspector(&folder, &script).inspect().unwrap() else { panic!("a GPU") };
        assert_eq!(inspection.wrong()[0].describe(), "matmul: gave no answer within 2 s");
    }

    #[cfg(unix)]
    #[test]
    fn a_software_gpu_is_none_where_hardware_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"echo '{"adapter":{"kind":"software","name":"Toy"}}'; exec sleep 60"#;
        let verdict = inspector(&folder, script).hardware_only().inspect().unwrap();
        assert_eq!(verdict, Verdict::NoGpu("the only GPU is a software one, Toy".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_machine_whose_driver_crashes_on_being_opened_has_no_gpu() {
        let folder = tempfile::tempdir().unwrap();
        let verdict = inspector(&folder, "echo 'no such driver' >&2; exit 101").inspect().unwrap();
        let Verdict::NoGpu(reason) = verdict else { panic!("{verdict:?}") };
        assert!(reason.contains("no such driver"), "{reason}");
    }
}
