//! A recorder beside other work: shots are handed over through a short queue, so that nobody waits for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parallax_camera::Shot;

use super::session::{RecordConfig, RecordSummary, Session, SourceFacts};
use crate::{EdgeError, Result};

/// Shots that wait at most: enough for a slow fsync at 30 frames per second.
const QUEUE: usize = 8;
/// How often the recorder looks whether something has waited too long.
const TICK: Duration = Duration::from_millis(100);

/// A recorder in a thread of its own; it ends when its tap is gone.
#[derive(Debug)]
pub struct Recorder {
    thread: JoinHandle<Result<RecordSummary>>,
    missed: Arc<AtomicU64>,
}

/// Where the shots for a [`Recorder`] go in.
#[derive(Debug)]
pub struct Tap {
    queue: SyncSender<Shot>,
    /// Shots that were looked at, to be filled again.
    used: Receiver<Shot>,
    missed: Arc<AtomicU64>,
}

impl Recorder {
    /// Opens the folder and starts the thread.
    ///
    /// # Errors
    /// As [`Session::start`], or there is no thread to be had.
    pub fn start(config: RecordConfig, facts: SourceFacts) -> Result<(Self, Tap)> {
        let session = Session::start(config, facts)?;
        let (queue, shots) = sync_channel(QUEUE);
        let (give_back, used) = channel();
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                let ended = run(session, &shots, |shot| drop(give_back.send(shot)));
                if let Err(error) = &ended {
                    tracing::error!("recording stops: {error}; everything else goes on");
                }
                ended
            })
            .map_err(|error| EdgeError::NoRecorder { what: format!("cannot be started: {error}") })?;
        let missed = Arc::new(AtomicU64::new(0));
        Ok((Self { thread, missed: Arc::clone(&missed) }, Tap { queue, used, missed }))
    }

    /// Waits until everything handed over is stored and the last file is ended; the tap must be gone. With the number of
    /// frames that came while the recorder was too slow.
    ///
    /// # Errors
    /// What ended the recording other than a lack of room.
    pub fn finish(self) -> Result<(RecordSummary, u64)> {
        let died = |_| EdgeError::NoRecorder { what: "ended before its time".to_owned() };
        let summary = self.thread.join().map_err(died)??;
        Ok((summary, self.missed.load(Ordering::Relaxed)))
    }
}

impl Tap {
    /// Hands a shot over; one that comes while the queue is full is missed. Never waits.
    pub fn offer(&mut self, shot: &Shot) {
        let mut copy = self.used.try_recv().unwrap_or_default();
        copy.copy_from(shot);
        // A recorder that has stopped has said so; its frames are not missed but refused.
        if let Err(TrySendError::Full(_)) = self.queue.try_send(copy) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn run(mut session: Session, shots: &Receiver<Shot>, give_back: impl Fn(Shot)) -> Result<RecordSummary> {
    let mut told = false;
    loop {
        match shots.recv_timeout(TICK) {
            Ok(shot) => {
                session.take(&shot)?;
                give_back(shot);
            }
            Err(RecvTimeoutError::Timeout) => session.idle()?,
            Err(RecvTimeoutError::Disconnected) => return session.finish(),
        }
        if let Some(reason) = session.stopped().filter(|_| !told) {
            tracing::error!("{reason}; everything else goes on");
            told = true;
        }
    }
}
