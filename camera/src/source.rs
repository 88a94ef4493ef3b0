//! A source of frames, one after the other.

use crate::uri::path_from_uri;
use crate::{Error, Result};
use parallax_core::camera::Camera;
use parallax_core::frame::Frame;
use parallax_core::recording::{Eye, Recording};

/// Frames of the left (or only) camera, in order, each once.
#[derive(Debug)]
pub struct Source {
    recording: Recording,
    next: usize,
}

impl Source {
    /// Opens what `uri` names.
    ///
    /// # Errors
    /// [`Error::Live`] for a live camera, [`Error::Open`] for a file or folder that is no recording.
    pub fn open(uri: &str) -> Result<Self> {
        let recording = Recording::open(path_from_uri(uri)?).map_err(Error::Open)?;
        Ok(Self { recording, next: 0 })
    }

    /// The next frame, or none at the end. After an error the following call goes on with the frame after the lost
    /// one, so that a caller can report and skip it.
    pub fn next_frame(&mut self) -> Option<Result<Frame>> {
        let index = self.next;
        if index >= self.len() {
            return None;
        }
        self.next += 1;
        Some(self.recording.frame(index, Eye::Left).map_err(|source| Error::LostFrame { index, source }))
    }

    /// Number of frames, lost ones included.
    pub fn len(&self) -> usize {
        self.recording.len()
    }

    /// Whether there is nothing to come, ever.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Width and height of every frame in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.recording.size()
    }

    /// The camera, where the source says which.
    pub fn camera(&self) -> Option<&Camera> {
        self.recording.camera(Eye::Left)
    }

    /// What of the source was lost before it was opened, such as the end of a recording that was cut off.
    pub fn damage(&self) -> Option<&str> {
        self.recording.damage()
    }
}

impl Iterator for Source {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_frame()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_in_order_and_a_damaged_one_is_reported_and_passed() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..3u8 {
            let picture = image::RgbImage::from_pixel(4, 2, image::Rgb([index; 3]));
            picture.save(folder.path().join(format!("{index}.png"))).unwrap();
        }
        std::fs::write(folder.path().join("1.png"), "damaged").unwrap();
        let mut source = Source::open(&format!("file:{}", folder.path().display())).unwrap();
        assert_eq!((source.len(), source.size(), source.damage()), (3, (4, 2), None));
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
        let error = Source::open("nowhere/at/all.mcap").unwrap_err();
        assert!(error.to_string().contains("nowhere/at/all.mcap") && error.hint().is_some(), "{error}");
    }
}
