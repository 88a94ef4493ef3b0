//! Lines on stdout, from a thread of their own: who reads them slowly does not hold the camera up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use parallax_core::program;
use parallax_edge::drive::FrameLine;
use parallax_edge::publish::handover::{Full, Handover, Taken};

/// Lines that wait for a slow reader: four seconds at 30 per second.
const PLACES: usize = 128;

/// Whether a run has outputs beside its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// It goes on when nobody reads the lines any more.
    Some,
    /// It is over then.
    None,
}

/// Prints frame lines as JSON.
pub(super) struct Printer {
    lines: Arc<Handover<FrameLine>>,
    full: Full,
    thread: JoinHandle<()>,
}

impl Printer {
    /// Starts the thread. `full` says whether the source waits for the reader.
    pub(super) fn start(full: Full, others: Others) -> anyhow::Result<Self> {
        let lines = Arc::new(Handover::new(PLACES));
        let taken = Arc::clone(&lines);
        let thread = std::thread::Builder::new().name("stdout".into()).spawn(move || print(&taken, others))?;
        Ok(Self { lines, full, thread })
    }

    pub(super) fn put(&self, line: &FrameLine) {
        self.lines.put(line.clone(), self.full);
    }

    /// Prints what is left; the number of lines that a slow reader missed.
    pub(super) fn finish(self) -> u64 {
        self.lines.close();
        // A panic of the thread was told on stderr by its own hook.
        let _ended = self.thread.join();
        self.lines.missed()
    }
}

fn print(lines: &Handover<FrameLine>, others: Others) {
    loop {
        match lines.take(Duration::from_secs(1)) {
            Taken::Item(line) => {
                match serde_json::to_string(&line) {
                    Ok(text) => program::print(text),
                    Err(error) => tracing::error!("frame {} has no line: {error}", line.frame),
                }
                if !program::is_heard() {
                    if others == Others::None {
                        program::stop_on_signal().store(true, Ordering::SeqCst);
                    }
                    return lines.close();
                }
            }
            Taken::Nothing => {}
            Taken::Closed => return,
        }
    }
}
