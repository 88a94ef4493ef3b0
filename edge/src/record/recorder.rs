//! A recorder beside other work: shots are handed over through a short queue, so that nobody waits for the disk.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parallax_camera::Shot;

use super::session::{RecordConfig, RecordSummary, Session, SourceFacts};
use crate::{EdgeError, Result};

/// Shots that wait at most: enough for a slow fsync at 30 frames per second.
const QUEUE: usize = 8;
/// How often the recorder looks whether something has waited too long.
const TICK: Duration = Duration::from_millis(100);

/// A recorder in a thread of its own.
pub struct Recorder {
    queue: Option<SyncSender<Shot>>,
    /// Shots that were looked at, to be filled again.
    used: Receiver<Shot>,
    thread: Option<JoinHandle<Result<RecordSummary>>>,
    missed: u64,
}

impl Recorder {
    /// Opens the folder and starts the thread.
    ///
    /// # Errors
    /// As [`Session::start`], or there is no thread to be had.
    pub fn start(config: RecordConfig, facts: SourceFacts) -> Result<Self> {
        let session = Session::start(config, facts)?;
        let (queue, shots) = sync_channel(QUEUE);
        let (give_back, used) = channel();
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                let ended = run(session, &shots, |shot| drop(give_back.send(shot)));
                if let Err(error) = &ended {
                    tracing::error!("recording stops: {error}");
                }
                ended
            })
            .map_err(|error| EdgeError::NoRecorder { what: format!("cannot be started: {error}") })?;
        Ok(Self { queue: Some(queue), used, thread: Some(thread), missed: 0 })
    }

    /// Hands a shot over; one that comes while the queue is full is missed. Never waits.
    pub fn offer(&mut self, shot: &Shot) {
        let mut copy = match self.used.try_recv() {
            Ok(used) => used,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Shot::default(),
        };
        copy.copy_from(shot);
        let sent = self.queue.as_ref().map(|queue| queue.try_send(copy));
        // A recorder that has stopped has said so; its frames are not missed but refused.
        self.missed += u64::from(matches!(sent, Some(Err(TrySendError::Full(_)))));
    }

    /// Frames that came while the disk was too slow.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Waits until everything handed over is stored, and ends the last file.
    ///
    /// # Errors
    /// What ended the recording other than a lack of room.
    pub fn finish(mut self) -> Result<RecordSummary> {
        self.queue = None;
        let ended = self.thread.take().map(JoinHandle::join);
        let died = || EdgeError::NoRecorder { what: "ended before its time".to_owned() };
        ended.and_then(std::result::Result::ok).ok_or_else(died)?
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
