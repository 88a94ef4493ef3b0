//! A source of frames, one after the other, whatever stands behind its URI.

use crate::live::{Counters, Live, Opener};
use crate::recorded::{PlayerOpener, Recorded};
use crate::stereo::{PairOpener, SideBySideOpener};
use crate::stream::command::CommandOpener;
use crate::stream::http::{Address, HttpOpener};
use crate::uri::{self, Pace, Request, Target};
use crate::v4l2::DeviceOpener;
use crate::{Arrival, Description, Result, Shot};
use parallax_core::camera::Camera;
use parallax_core::frame::Frame;
use parallax_core::recording::Eye;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Frames from a device, a command, a server, a recording, a folder or a picture.
#[derive(Debug)]
pub struct Source {
    kind: Kind,
    tap: Option<Tap>,
}

/// Who sees every shot that is handed out.
struct Tap(Box<dyn FnMut(&Shot) + Send>);

impl std::fmt::Debug for Tap {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tap")
    }
}

#[derive(Debug)]
enum Kind {
    Recorded(Box<Recorded>),
    Live(Box<Live>),
}

impl Source {
    /// Says whether `uri` can be understood, without opening anything.
    ///
    /// # Errors
    /// [`crate::Error::Uri`] when it cannot.
    pub fn check(uri: &str) -> Result<()> {
        let Request { target, .. } = uri::parse(uri)?;
        if let Target::Http(url) = target { Address::parse(&url).map(|_| ()) } else { Ok(()) }
    }

    /// Opens what `uri` names. A live source is open when its first picture has come.
    ///
    /// # Errors
    /// [`crate::Error::Uri`] for a URI that cannot be understood; otherwise why the source cannot be used.
    pub fn open(uri: &str) -> Result<Self> {
        let request = uri::parse(uri)?;
        if let Target::File(path, Pace::Fastest) = request.target {
            let repeat = request.options.repeat.unwrap_or(1);
            return Ok(Self { kind: Kind::Recorded(Box::new(Recorded::open(path, repeat)?)), tap: None });
        }
        let options = request.options.clone();
        let live = Live::open(uri, opener(request)?, &options)?;
        Ok(Self { kind: Kind::Live(Box::new(live)), tap: None })
    }

    /// The file or folder that `uri` names, where it names one.
    pub fn recorded_path(uri: &str) -> Option<PathBuf> {
        match uri::parse(uri).ok()?.target {
            Target::File(path, _) => Some(path),
            _ => None,
        }
    }

    /// Waits for the next frame, `patience` at most, and writes it into `shot`. Of a live source it is the newest one,
    /// stamped on the clock of [`crate::now`]; of a recording the one after the last, however long that takes.
    ///
    /// Handing in the same shot again saves the memory of its pictures: a live source of raw pictures allocates nothing
    /// once all buffers have gone round.
    ///
    /// # Errors
    /// [`crate::Error::LostFrame`] and [`crate::Error::LostCamera`]; after either the next call goes on.
    pub fn next_into(&mut self, shot: &mut Shot, patience: Duration) -> Result<Arrival> {
        let arrival = match &mut self.kind {
            Kind::Live(live) => live.next_into(shot, patience)?,
            Kind::Recorded(recorded) => match recorded.next_shot() {
                Some(next) => {
                    *shot = next?;
                    Arrival::Fresh { dropped: 0, away: None }
                }
                None => Arrival::End,
            },
        };
        if let (Some(tap), Arrival::Fresh { .. }) = (&mut self.tap, arrival) {
            (tap.0)(shot);
        }
        Ok(arrival)
    }

    /// Shows every shot to someone else too before it is handed out, in the caller's thread; it must not take long.
    #[must_use]
    pub fn with_tap(self, tap: impl FnMut(&Shot) + Send + 'static) -> Self {
        Self { tap: Some(Tap(Box::new(tap))), ..self }
    }

    /// The next frame, however long it takes, or none at the end. After an error the following call goes on with the
    /// frame after the lost one, so that a caller can report and skip it.
    pub fn next_frame(&mut self) -> Option<Result<Frame>> {
        let mut shot = Shot::default();
        loop {
            match self.next_into(&mut shot, Duration::from_secs(1)) {
                Ok(Arrival::Fresh { .. }) => return Some(Ok(shot.left)),
                Ok(Arrival::Nothing) => {}
                Ok(Arrival::End) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Number of frames, lost ones included; none for a live source.
    pub fn frames(&self) -> Option<usize> {
        match &self.kind {
            Kind::Recorded(recorded) => Some(recorded.len()),
            Kind::Live(_) => None,
        }
    }

    /// The image file of a frame, as its path in the folder that was opened; none for anything but a folder of images or an
    /// image, and behind the last one. A folder that is played at its own pace is live: its frames have no numbers.
    pub fn picture(&self, frame: usize) -> Option<&Path> {
        let Kind::Recorded(recorded) = &self.kind else { return None };
        let recording = recorded.recording();
        let file = (frame < recording.len()).then(|| recording.image_path(frame, Eye::Left)).flatten()?;
        let inside = file.strip_prefix(recording.path()).ok().filter(|path| !path.as_os_str().is_empty());
        Some(inside.unwrap_or_else(|| Path::new(file.file_name().unwrap_or_default())))
    }

    /// Width and height of every frame in pixels.
    pub fn size(&self) -> (u32, u32) {
        match &self.kind {
            Kind::Recorded(recorded) => recorded.recording().size(),
            Kind::Live(live) => (live.layout().width, live.layout().height),
        }
    }

    /// The left (or only) camera, where the source says which.
    pub fn camera(&self) -> Option<&Camera> {
        self.camera_of(Eye::Left)
    }

    /// The camera of one eye, where the source says which.
    pub fn camera_of(&self, eye: Eye) -> Option<&Camera> {
        match &self.kind {
            Kind::Recorded(recorded) => recorded.recording().camera(eye),
            Kind::Live(_) => None,
        }
    }

    /// Hands out the right pictures of a stereo recording too, which takes twice the time; live stereo sources always do.
    #[must_use]
    pub fn with_both_eyes(mut self) -> Self {
        if let Kind::Recorded(recorded) = &mut self.kind {
            recorded.both_eyes = true;
        }
        self
    }

    /// What of the source was lost before it was opened, such as the end of a recording that was cut off.
    pub fn damage(&self) -> Option<&str> {
        match &self.kind {
            Kind::Recorded(recorded) => recorded.recording().damage(),
            Kind::Live(_) => None,
        }
    }

    /// What a live source turned out to be, with the controls that were read back.
    pub fn description(&self) -> Option<Description> {
        match &self.kind {
            Kind::Recorded(_) => None,
            Kind::Live(live) => live.description(),
        }
    }

    /// What happened to a live source's pictures so far.
    pub fn counters(&self) -> Option<Counters> {
        match &self.kind {
            Kind::Recorded(_) => None,
            Kind::Live(live) => Some(live.counters()),
        }
    }
}

impl Iterator for Source {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_frame()
    }
}

/// What opens a live source.
fn opener(request: Request) -> Result<Box<dyn Opener>> {
    let Request { uri, target, options } = request;
    let side_by_side = options.side_by_side;
    let opener: Box<dyn Opener> = match target {
        Target::File(path, _) => Box::new(PlayerOpener { uri, path, repeat: options.repeat.unwrap_or(1) }),
        Target::Device(device) => Box::new(DeviceOpener { uri, device, options }),
        Target::Command(command) => Box::new(CommandOpener { uri, command, options }),
        Target::Http(url) => Box::new(HttpOpener { uri, address: Address::parse(&url)?, stall: options.stall }),
        Target::Stereo(pair) => {
            let (left, right) = *pair;
            Box::new(PairOpener { openers: (opener(left)?, opener(right)?), tolerance: options.tolerance, uri })
        }
    };
    Ok(if side_by_side { Box::new(SideBySideOpener(opener)) } else { opener })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn frames_come_in_order_and_a_damaged_one_is_reported_and_passed() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..3u8 {
            let picture = image::RgbImage::from_pixel(4, 2, image::Rgb([index; 3]));
            picture.save(folder.path().join(format!("{index}.png"))).unwrap();
        }
        std::fs::write(folder.path().join("1.png"), "damaged").unwrap();
        let mut source = Source::open(&format!("file:{}", folder.path().display())).unwrap();
        assert_eq!((source.frames(), source.size(), source.damage()), (Some(3), (4, 2), None));
        let first = source.next_frame().unwrap().unwrap();
        assert_eq!((first.sequence, first.data[0]), (0, 0));
        let error = source.next_frame().unwrap().unwrap_err();
        assert!(matches!(error, Error::LostFrame { index: 1, .. }) && error.to_string().contains("1.png"), "{error}");
        let last = source.next_frame().unwrap().unwrap();
        assert_eq!((last.sequence, last.data[0]), (2, 2));
        assert!(last.timestamp > first.timestamp);
        assert!(source.next_frame().is_none() && source.next_frame().is_none());
    }

    #[test]
    fn a_missing_source_is_named() {
        for uri in ["nowhere/at/all.mcap", "/dev/video4711", "http://127.0.0.1:1/stream"] {
            let error = Source::open(uri).unwrap_err();
            assert!(error.to_string().contains(uri) && error.hint().is_some(), "{error}");
        }
    }
}
