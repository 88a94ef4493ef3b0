//! Recordings, folders and pictures: every frame when it is asked for, or at the pace at which they were recorded.

use crate::live::{Device, Look, Opened, Opener};
use crate::{Description, Error, Fault, Result, Shot, Stamp};
use parallax_core::frame::{Frame, Timestamp};
use parallax_core::recording::{Eye, Recording};
use std::path::PathBuf;
use std::time::Duration;

/// Frames of the left (or only) camera, in order, each once.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) recording: Recording,
    next: usize,
    /// Whether the right pictures of a pair are handed out too.
    pub(crate) both_eyes: bool,
}

impl Recorded {
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        Ok(Self { recording: Recording::open(path).map_err(Error::Open)?, next: 0, both_eyes: false })
    }

    /// The next frame, or none at the end.
    pub(crate) fn next_shot(&mut self) -> Option<Result<Shot>> {
        let index = self.next;
        if index >= self.recording.len() {
            return None;
        }
        self.next += 1;
        let read = |eye| self.recording.frame(index, eye).map_err(|source| Error::LostFrame { index, source });
        let right = (self.both_eyes && self.recording.has_frame(index, Eye::Right)).then(|| read(Eye::Right));
        Some(read(Eye::Left).and_then(|left| Ok(Shot { left, right: right.transpose()? })))
    }
}

/// Plays a recording as if it happened now.
#[derive(Debug)]
pub(crate) struct PlayerOpener {
    pub(crate) uri: String,
    pub(crate) path: PathBuf,
}

impl Opener for PlayerOpener {
    fn open(&mut self) -> Result<Opened> {
        let Recorded { recording, .. } = Recorded::open(self.path.clone())?;
        let last = recording.len() - 1;
        let secs = recording.timestamp(last).since(recording.timestamp(0)).as_secs_f64();
        let description = Description {
            uri: self.uri.clone(),
            name: self.path.display().to_string(),
            driver: None,
            layout: None,
            fps: (secs > 0.0).then(|| last as f64 / secs),
            stamps: Stamp::Recorded,
            controls: Vec::new(),
        };
        Ok(Opened { device: Box::new(Player { recording, next: 0, start: None }), description })
    }
}

/// A recording whose first frame was at `start`.
#[derive(Debug)]
struct Player {
    recording: Recording,
    next: usize,
    start: Option<Timestamp>,
}

impl Player {
    /// When a frame is due.
    fn due(&self, index: usize, start: Timestamp) -> Timestamp {
        start.after(self.recording.timestamp(index).since(self.recording.timestamp(0)))
    }
}

impl Device for Player {
    fn look(&mut self, shot: &mut Shot, patience: Duration) -> Result<Look, Fault> {
        if self.next >= self.recording.len() {
            return Ok(Look::End);
        }
        let start = *self.start.get_or_insert_with(crate::now);
        let wait = self.due(self.next, start).since(crate::now());
        if wait > patience {
            std::thread::sleep(patience);
            return Ok(Look::Nothing);
        }
        std::thread::sleep(wait);
        // Who was late goes on with the newest frame that is due.
        let now = crate::now();
        while self.next + 1 < self.recording.len() && self.due(self.next + 1, start) <= now {
            self.next += 1;
        }
        let index = self.next;
        self.next += 1;
        let Ok(frame) = self.recording.frame(index, Eye::Left) else { return Ok(Look::Corrupt) };
        shot.left = Frame { timestamp: self.due(index, start), sequence: index as u64, ..frame };
        shot.right = None;
        Ok(Look::Fresh)
    }
}
