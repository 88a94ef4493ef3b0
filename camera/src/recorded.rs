//! Recordings, folders and pictures: every frame when it is asked for, or at the pace at which they were recorded.

use crate::live::{Device, Look, Opened, Opener};
use crate::{Description, Error, Fault, Result, Shot, Stamp};
use parallax_core::frame::{Frame, Timestamp};
use parallax_core::recording::{Eye, Recording};
use std::path::PathBuf;
use std::time::Duration;

/// How long a single picture stands when it is repeated: ten a second, as KITTI's cameras.
const STANDING: Duration = Duration::from_millis(100);

/// A recording played once or several times, as if it had been recorded that often.
#[derive(Debug)]
struct Reel {
    recording: Recording,
    repeat: usize,
}

impl Reel {
    fn open(path: PathBuf, repeat: u32) -> Result<Self> {
        Ok(Self { recording: Recording::open(path).map_err(Error::Open)?, repeat: repeat.max(1) as usize })
    }

    fn len(&self) -> usize {
        self.recording.len().saturating_mul(self.repeat)
    }

    /// When a frame was taken, since the first one.
    fn since_start(&self, index: usize) -> Duration {
        let (round, index) = (index / self.recording.len(), index % self.recording.len());
        let last = self.recording.len() - 1;
        let since_first = |index| self.recording.timestamp(index).since(self.recording.timestamp(0));
        // The first frame comes as long after the last one as any after the one before.
        let between = if last > 0 { since_first(last) / last as u32 } else { STANDING };
        (since_first(last) + between).saturating_mul(round as u32) + since_first(index)
    }

    fn has_frame(&self, index: usize, eye: Eye) -> bool {
        self.recording.has_frame(index % self.recording.len(), eye)
    }

    fn frame(&self, index: usize, eye: Eye) -> parallax_core::Result<Frame> {
        let frame = self.recording.frame(index % self.recording.len(), eye)?;
        if index < self.recording.len() {
            return Ok(frame);
        }
        let timestamp = self.recording.timestamp(0).after(self.since_start(index));
        Ok(Frame { timestamp, sequence: index as u64, ..frame })
    }
}

/// Frames of the left (or only) camera, in order, each once or as often as it is repeated.
#[derive(Debug)]
pub(crate) struct Recorded {
    reel: Reel,
    next: usize,
    /// Whether the right pictures of a pair are handed out too.
    pub(crate) both_eyes: bool,
}

impl Recorded {
    pub(crate) fn open(path: PathBuf, repeat: u32) -> Result<Self> {
        Ok(Self { reel: Reel::open(path, repeat)?, next: 0, both_eyes: false })
    }

    pub(crate) fn recording(&self) -> &Recording {
        &self.reel.recording
    }

    /// Number of frames, each counted as often as it comes.
    pub(crate) fn len(&self) -> usize {
        self.reel.len()
    }

    /// The next frame, or none at the end.
    pub(crate) fn next_shot(&mut self) -> Option<Result<Shot>> {
        let index = self.next;
        if index >= self.reel.len() {
            return None;
        }
        self.next += 1;
        let read = |eye| self.reel.frame(index, eye).map_err(|source| Error::LostFrame { index, source });
        let right = (self.both_eyes && self.reel.has_frame(index, Eye::Right)).then(|| read(Eye::Right));
        Some(read(Eye::Left).and_then(|left| Ok(Shot { left, right: right.transpose()? })))
    }
}

/// Plays a recording as if it happened now.
#[derive(Debug)]
pub(crate) struct PlayerOpener {
    pub(crate) uri: String,
    pub(crate) path: PathBuf,
    pub(crate) repeat: u32,
}

impl Opener for PlayerOpener {
    fn open(&mut self, _goes_on: &dyn Fn() -> bool) -> Result<Opened> {
        let reel = Reel::open(self.path.clone(), self.repeat)?;
        let last = reel.recording.len() - 1;
        let secs = reel.since_start(last).as_secs_f64();
        let description = Description {
            uri: self.uri.clone(),
            name: self.path.display().to_string(),
            driver: None,
            layout: None,
            fps: (secs > 0.0).then(|| last as f64 / secs),
            stamps: Stamp::Recorded,
            controls: Vec::new(),
        };
        Ok(Opened { device: Box::new(Player { reel, next: 0, start: None }), description })
    }
}

/// A recording whose first frame was at `start`.
#[derive(Debug)]
struct Player {
    reel: Reel,
    next: usize,
    start: Option<Timestamp>,
}

impl Player {
    /// When a frame is due.
    fn due(&self, index: usize, start: Timestamp) -> Timestamp {
        start.after(self.reel.since_start(index))
    }
}

impl Device for Player {
    fn look(&mut self, shot: &mut Shot, patience: Duration) -> Result<Look, Fault> {
        if self.next >= self.reel.len() {
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
        while self.next + 1 < self.reel.len() && self.due(self.next + 1, start) <= now {
            self.next += 1;
        }
        let index = self.next;
        self.next += 1;
        let Ok(frame) = self.reel.frame(index, Eye::Left) else { return Ok(Look::Corrupt) };
        shot.left = Frame { timestamp: self.due(index, start), sequence: index as u64, ..frame };
        shot.right = None;
        Ok(Look::Fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_recording_goes_on_in_time_and_number() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..3u8 {
            let picture = image::RgbImage::from_pixel(4, 2, image::Rgb([index; 3]));
            picture.save(folder.path().join(format!("{index}.png"))).unwrap();
        }
        let mut recorded = Recorded::open(folder.path().to_path_buf(), 3).unwrap();
        assert_eq!(recorded.len(), 9);
        let frames: Vec<Frame> = std::iter::from_fn(|| recorded.next_shot()).map(|shot| shot.unwrap().left).collect();
        for (index, frame) in frames.iter().enumerate() {
            // A folder without times has ten frames a second.
            assert_eq!((frame.timestamp.nanos(), frame.sequence), (index as u64 * 100_000_000, index as u64));
            assert_eq!(frame.data[0], index as u8 % 3);
        }
        assert_eq!(frames.len(), 9);
    }
}
