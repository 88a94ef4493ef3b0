//! Two pictures of one moment: from one device that sends them side by side, or from two devices.
//!
//! ```text
//! side by side:   [ left | right ]  one picture, cut in the middle
//! two devices:    left   ──●────●────●──▶     paired when their times differ by the tolerance at most;
//!                 right  ───●────●────●─▶     the older one without a partner is passed over
//! ```

use crate::live::{Device, Look, Opened, Opener};
use crate::{Error, Fault, Layout, Result, Shot};
use parallax_core::frame::{Frame, PixelFormat};
use std::time::{Duration, Instant};

/// Time stamps of a pair may differ by this when nothing was said: half a frame at 30 per second.
const TOLERANCE: Duration = Duration::from_millis(16);

/// Opens a device whose pictures hold two.
pub(crate) struct SideBySideOpener(pub(crate) Box<dyn Opener>);

impl Opener for SideBySideOpener {
    fn open(&mut self, goes_on: &dyn Fn() -> bool) -> Result<Opened> {
        let Opened { device, mut description } = self.0.open(goes_on)?;
        if let Some(layout) = &mut description.layout {
            halve(layout).map_err(|what| Error::Unfit {
                what,
                name: description.uri.clone(),
                hint: "ask for another size or format in the URI, such as `?size=1280x480&format=yuyv`",
            })?;
        }
        let device = Box::new(SideBySide { device, both: Shot::default() });
        Ok(Opened { device, description })
    }
}

/// The layout of one half.
fn halve(layout: &mut Layout) -> std::result::Result<(), String> {
    // Each half must start with a whole group of pixels.
    let group = match layout.format {
        PixelFormat::Rgb8 | PixelFormat::Bgr8 | PixelFormat::Gray8 | PixelFormat::Jpeg => 2,
        _ => 4,
    };
    if !layout.width.is_multiple_of(group) {
        return Err(format!("two pictures side by side need a width that {group} divides, found {layout}"));
    }
    layout.width /= 2;
    if layout.format == PixelFormat::Jpeg {
        layout.format = PixelFormat::Rgb8;
    }
    Ok(())
}

/// A device whose pictures are cut in the middle.
struct SideBySide {
    device: Box<dyn Device>,
    both: Shot,
}

impl Device for SideBySide {
    fn look(&mut self, shot: &mut Shot, patience: Duration) -> Result<Look, Fault> {
        let look = self.device.look(&mut self.both, patience)?;
        if look == Look::Fresh && !cut(&self.both.left, shot)? {
            return Ok(Look::Corrupt);
        }
        Ok(look)
    }
}

/// Cuts a picture into a shot; false when its bytes are too few or cannot be decoded.
fn cut(both: &Frame, shot: &mut Shot) -> Result<bool, Fault> {
    let mut layout = Layout::of(both);
    halve(&mut layout).map_err(|found| Fault::Garbage { expected: "two pictures side by side", found })?;
    let decoded;
    let mut both = both;
    if both.format == PixelFormat::Jpeg {
        let Ok(picture) = both.to_rgb() else { return Ok(false) };
        decoded = Frame::from_rgb(picture, both.timestamp, both.sequence);
        both = &decoded;
    }
    let (Some(row), Some(bytes)) =
        (both.format.bytes_per_row(both.width), both.format.bytes_per_frame(both.width, both.height))
    else {
        return Ok(false);
    };
    if both.data.len() != bytes || row == 0 {
        return Ok(false);
    }
    let mut left = 0;
    for eye in [&mut shot.left, shot.right.get_or_insert_default()] {
        eye.data.clear();
        // The rows of NV12's second plane are as long as those of its first.
        both.data.chunks_exact(row).for_each(|line| eye.data.extend_from_slice(&line[left..left + row / 2]));
        (eye.width, eye.height, eye.format) = (layout.width, layout.height, layout.format);
        (eye.timestamp, eye.sequence, eye.ycbcr) = (both.timestamp, both.sequence, both.ycbcr);
        left = row / 2;
    }
    Ok(true)
}

/// Opens two devices.
pub(crate) struct PairOpener {
    pub(crate) openers: (Box<dyn Opener>, Box<dyn Opener>),
    pub(crate) tolerance: Option<Duration>,
    pub(crate) uri: String,
}

impl Opener for PairOpener {
    fn open(&mut self, goes_on: &dyn Fn() -> bool) -> Result<Opened> {
        let (left, right) = (self.openers.0.open(goes_on)?, self.openers.1.open(goes_on)?);
        let tolerance = self.tolerance.unwrap_or(TOLERANCE);
        let mut description = left.description;
        description.name = format!("{} | {}", description.name, right.description.name);
        description.uri.clone_from(&self.uri);
        let device = Pair { eyes: [Eye::new(left.device), Eye::new(right.device)], tolerance };
        Ok(Opened { device: Box::new(device), description })
    }
}

/// Two devices whose pictures are paired.
struct Pair {
    eyes: [Eye; 2],
    tolerance: Duration,
}

/// One device and its last picture, while that waits for a partner.
struct Eye {
    device: Box<dyn Device>,
    shot: Shot,
    waits: bool,
}

impl Eye {
    fn new(device: Box<dyn Device>) -> Self {
        Self { device, shot: Shot::default(), waits: false }
    }
}

impl Device for Pair {
    fn look(&mut self, shot: &mut Shot, patience: Duration) -> Result<Look, Fault> {
        let deadline = Instant::now() + patience;
        loop {
            for eye in &mut self.eyes {
                if eye.waits {
                    continue;
                }
                let left = deadline.saturating_duration_since(Instant::now());
                match eye.device.look(&mut eye.shot, left)? {
                    Look::Fresh => eye.waits = true,
                    other => return Ok(other),
                }
                if eye.shot.left.timestamp.nanos() == 0 {
                    eye.shot.left.timestamp = crate::now();
                }
            }
            let [left, right] = &mut self.eyes;
            let times = (left.shot.left.timestamp, right.shot.left.timestamp);
            let apart = times.0.since(times.1).max(times.1.since(times.0));
            if apart > self.tolerance {
                // The older one has no partner any more: what comes of the other device is newer still.
                *(if times.0 < times.1 { &mut left.waits } else { &mut right.waits }) = false;
                continue;
            }
            (left.waits, right.waits) = (false, false);
            std::mem::swap(&mut left.shot.left, &mut shot.left);
            std::mem::swap(&mut right.shot.left, shot.right.get_or_insert_default());
            return Ok(Look::Fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parallax_core::frame::Timestamp;
    use std::collections::VecDeque;

    #[test]
    fn every_layout_is_cut_so_that_both_halves_show_what_was_there() {
        for format in PixelFormat::ALL.into_iter().filter(|&format| format != PixelFormat::Jpeg) {
            let (width, height) = (16, 4);
            let data = (0..format.bytes_per_frame(width, height).unwrap()).map(|at| (at * 7 % 251) as u8).collect();
            let both = Frame { width, height, format, data, ..Frame::default() };
            let mut shot = Shot::default();
            assert!(cut(&both, &mut shot).unwrap(), "{format:?}");
            let whole = both.to_rgb().unwrap();
            for (eye, from) in [(&shot.left, 0), (shot.right.as_ref().unwrap(), 8)] {
                let half = eye.to_rgb().unwrap();
                assert_eq!(half.dimensions(), (8, 4));
                // Demosaicing looks over the cut by one pixel.
                let border = u32::from(matches!(format, PixelFormat::Bayer8(_) | PixelFormat::Bayer10(_)));
                for (x, y, pixel) in half.enumerate_pixels().filter(|(x, ..)| (border..8 - border).contains(x)) {
                    assert_eq!(pixel, whole.get_pixel(x + from, y), "{format:?} at {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn a_jpeg_is_decoded_to_be_cut_and_a_damaged_one_is_corrupt() {
        let mut data = Vec::new();
        let picture = image::RgbImage::from_fn(32, 8, |x, _| image::Rgb([if x < 16 { 40 } else { 200 }; 3]));
        image::codecs::jpeg::JpegEncoder::new(&mut data).encode_image(&picture).unwrap();
        let mut both = Frame { width: 32, height: 8, format: PixelFormat::Jpeg, data, ..Frame::default() };
        let mut shot = Shot::default();
        assert!(cut(&both, &mut shot).unwrap());
        assert!(shot.left.data[0].abs_diff(40) < 3 && shot.right.as_ref().unwrap().data[0].abs_diff(200) < 3);
        both.data.truncate(100);
        assert!(!cut(&both, &mut shot).unwrap());
    }

    #[test]
    fn a_width_that_cannot_be_cut_is_said() {
        let both = Frame { width: 6, height: 1, format: PixelFormat::Yuyv, data: vec![0; 12], ..Frame::default() };
        assert!(cut(&both, &mut Shot::default()).unwrap_err().to_string().contains("6x1 yuyv"));
    }

    /// Pictures at these milliseconds.
    struct At(VecDeque<u64>);

    impl Device for At {
        fn look(&mut self, shot: &mut Shot, _patience: Duration) -> Result<Look, Fault> {
            let Some(millis) = self.0.pop_front() else { return Ok(Look::Nothing) };
            shot.left.timestamp = Timestamp::from_nanos(millis * 1_000_000);
            Ok(Look::Fresh)
        }
    }

    #[test]
    fn pictures_are_paired_by_time_and_those_without_a_partner_are_passed_over() {
        let at = |times: &[u64]| Eye::new(Box::new(At(times.iter().copied().collect())) as Box<dyn Device>);
        let eyes = [at(&[100, 133, 166, 200, 233]), at(&[139, 172, 239, 250])];
        let mut pair = Pair { eyes, tolerance: Duration::from_millis(8) };
        let (mut shot, mut pairs) = (Shot::default(), Vec::new());
        while pair.look(&mut shot, Duration::from_secs(1)).unwrap() == Look::Fresh {
            let millis = |frame: &Frame| frame.timestamp.nanos() / 1_000_000;
            pairs.push((millis(&shot.left), millis(shot.right.as_ref().unwrap())));
        }
        assert_eq!(pairs, [(133, 139), (166, 172), (233, 239)]);
    }
}
