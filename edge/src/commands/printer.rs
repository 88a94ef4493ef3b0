//! Lines on stdout, from a thread of their own: who reads them slowly does not hold the camera up.

use std::io::Write as _;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parallax_edge::drive::FrameLine;
use parallax_edge::publish::handover::{Full, Handover, Taken};

/// Lines that wait for a slow reader: four seconds at 30 per second.
const PLACES: usize = 128;

/// Prints frame lines as JSON.
pub(super) struct Printer {
    lines: Arc<Handover<FrameLine>>,
    full: Full,
    thread: JoinHandle<()>,
}

impl Printer {
    /// Starts the thread. `full` says whether the source waits for the reader.
    pub(super) fn start(full: Full) -> anyhow::Result<Self> {
        let lines = Arc::new(Handover::new(PLACES));
        let taken = Arc::clone(&lines);
        let thread = std::thread::Builder::new().name("stdout".into()).spawn(move || print(&taken))?;
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

fn print(lines: &Handover<FrameLine>) {
    let mut text = Vec::new();
    loop {
        match lines.take(Duration::from_secs(1)) {
            Taken::Item(line) => {
                text.clear();
                let mut stdout = std::io::stdout().lock();
                let written = serde_json::to_writer(&mut text, &line).map_err(std::io::Error::from);
                text.push(b'\n');
                if written.and_then(|()| stdout.write_all(&text)).and_then(|()| stdout.flush()).is_err() {
                    // Nobody reads any more; the run has other outputs, or is stopped by its user.
                    return lines.close();
                }
            }
            Taken::Nothing => {}
            Taken::Closed => return,
        }
    }
}
