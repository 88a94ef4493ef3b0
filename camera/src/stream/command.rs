//! `cmd:` a child process that writes pictures to its stdout.
//!
//! The command is the shell's (`/bin/sh -c`), so that pipes and quotes work. The child leads a group of its own: with
//! the source all of a pipeline ends, and Ctrl-C in the terminal is ours to handle. A camera does not end: the end of its
//! command is a fault, whatever the status, and the command is started again. Only one that was called finite
//! (`?finite=yes`: a film, a conversion) may end with status 0, having said all it had to say.

use super::bytes::{ByteStream, Bytes};
use super::device::StreamDevice;
use super::pictures::Pictures;
use crate::live::{Opened, Opener};
use crate::sys::{self, Readiness};
use crate::uri::Options;
use crate::{Description, Error, Fault, Layout, Result, Stamp};
use parallax_core::frame::PixelFormat;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a command may take to end when asked politely.
const GRACE: Duration = Duration::from_millis(500);
/// How much of a line on stderr is kept.
const LINE_BYTES: u64 = 300;

/// Starts the command.
#[derive(Debug)]
pub(crate) struct CommandOpener {
    pub(crate) uri: String,
    pub(crate) command: String,
    pub(crate) options: Options,
}

impl Opener for CommandOpener {
    fn open(&mut self, _goes_on: &dyn Fn() -> bool) -> Result<Opened> {
        let raw = match (self.options.format, self.options.size) {
            (Some(format), Some((width, height))) if format != PixelFormat::Jpeg => {
                Some(Layout { width, height, format })
            }
            _ => None,
        };
        let pictures = match raw {
            None => Pictures::jpeg(),
            Some(Layout { width, height, format }) => {
                Pictures::raw(format, (width, height)).ok_or_else(|| Error::Unfit {
                    what: format!("{width}x{height} is more than a picture may have"),
                    name: self.uri.clone(),
                    hint: "ask for the size that the command writes",
                })?
            }
        };
        let device = StreamDevice::new(Output::start(&self.command, self.options.finite)?, pictures);
        let description = Description {
            uri: self.uri.clone(),
            name: self.command.clone(),
            driver: None,
            layout: raw,
            fps: None,
            stamps: Stamp::Arrival,
            controls: Vec::new(),
        };
        Ok(Opened { device: Box::new(device), description })
    }
}

/// A running command.
#[derive(Debug)]
struct Output {
    child: Child,
    stdout: ChildStdout,
    said: Arc<Mutex<String>>,
    /// Whether it may end.
    finite: bool,
}

impl Output {
    fn start(command: &str, finite: bool) -> Result<Self> {
        let failed = |source| Error::Reach { action: "start a shell for", source, name: command.to_owned() };
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        // It must not go on for ever when we are killed; it would not notice by itself while it writes nothing.
        sys::end_with_parent(&mut shell);
        let mut child = shell.spawn().map_err(failed)?;
        let said = Arc::new(Mutex::new(String::new()));
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(std::io::ErrorKind::BrokenPipe.into()));
        };
        let last_line = Arc::clone(&said);
        // Ends with the command. Nobody has to wait for it.
        std::thread::spawn(move || keep_last_line(stderr, &last_line));
        Ok(Self { child, stdout, said, finite })
    }

    /// Why the output has ended: the command's own end, or that it closed its stdout.
    fn end(&mut self) -> Result<Bytes, Fault> {
        let status = self.wait(GRACE).map_err(|source| Fault::System { doing: "wait for the command", source })?;
        if status.is_some_and(|status| status.success()) {
            return if self.finite { Ok(Bytes::End) } else { Err(Fault::Ended) };
        }
        // Its last words may still be on their way.
        std::thread::sleep(Duration::from_millis(20));
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = status.map_or("a closed stdout".into(), |status| status.to_string());
        Err(Fault::Exited { status, said })
    }

    fn wait(&mut self, patience: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl ByteStream for Output {
    fn read(&mut self, buffer: &mut [u8], patience: Duration) -> Result<Bytes, Fault> {
        let failed = |source| Fault::System { doing: "read from the command", source };
        if sys::wait_readable(self.stdout.as_fd(), patience).map_err(failed)? == Readiness::Nothing {
            return Ok(Bytes::Nothing);
        }
        match self.stdout.read(buffer).map_err(failed)? {
            0 => self.end(),
            count => Ok(Bytes::Some(count)),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // While the child was not waited for, its number is still its own and that of its group.
        if matches!(self.child.try_wait(), Ok(None)) {
            sys::end_group(self.child.id(), false);
            if matches!(self.wait(GRACE), Ok(None)) {
                sys::end_group(self.child.id(), true);
                let _status = self.child.wait();
            }
        }
    }
}

fn keep_last_line(stderr: ChildStderr, last: &Mutex<String>) {
    let (mut reader, mut line) = (BufReader::new(stderr), Vec::new());
    loop {
        line.clear();
        match reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim();
                if !text.is_empty() {
                    text.clone_into(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
                }
            }
        }
    }
}
