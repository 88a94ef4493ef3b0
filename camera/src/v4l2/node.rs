//! An open device node: what it is and what it offers.

use super::request::Request;
use super::uapi::{self, Capability, FormatDescription, FrameInterval, FrameSize, text};
use crate::sys::{self, Plain};
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Entries of a list at most: a driver that never says "no more" is not followed for ever.
const ENTRIES: u32 = 1000;

/// An open capture device.
#[derive(Debug)]
pub(super) struct Node {
    file: File,
    path: PathBuf,
    capability: Capability,
    /// Single-plane or multiplanar capture.
    pub(super) kind: u32,
}

/// Width and height that a format comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    One(u32, u32),
    /// Smallest, largest and step of each.
    Range {
        min: (u32, u32),
        max: (u32, u32),
        step: (u32, u32),
    },
}

impl Sizes {
    pub(super) fn holds(self, (width, height): (u32, u32)) -> bool {
        match self {
            Self::One(w, h) => (w, h) == (width, height),
            Self::Range { min, max, step } => {
                let inside = |value: u32, min: u32, max: u32, step: u32| {
                    (min..=max).contains(&value) && (value - min).is_multiple_of(step.max(1))
                };
                inside(width, min.0, max.0, step.0) && inside(height, min.1, max.1, step.1)
            }
        }
    }
}

impl Node {
    /// Opens a capture device.
    ///
    /// # Errors
    /// There is none, it cannot be opened, or it is no capture device.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let reach = |source| Error::Reach { action: "open the camera", source, name: path.display().to_string() };
        let unfit = |what: &str| Error::Unfit {
            what: what.to_owned(),
            name: path.display().to_string(),
            hint: "`parallax-edge devices` lists the cameras that are there",
        };
        // Without O_NONBLOCK, taking a buffer that is not there would wait for ever.
        let file =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(reach)?;
        let mut capability = Capability::default();
        sys::ioctl(file.as_fd(), &uapi::QUERY_CAPABILITY, &mut capability).map_err(|error| {
            match error.raw_os_error() {
                Some(libc::ENOTTY) => unfit("expected a V4L2 device, found something else"),
                _ => reach(error),
            }
        })?;
        let Capability { capabilities, device_caps, .. } = capability;
        let able = if capabilities & uapi::CAP_DEVICE_CAPS == 0 { capabilities } else { device_caps };
        let kind = if able & uapi::CAP_VIDEO_CAPTURE != 0 {
            uapi::CAPTURE
        } else if able & uapi::CAP_VIDEO_CAPTURE_MPLANE != 0 {
            uapi::CAPTURE_MULTIPLANAR
        } else {
            return Err(unfit("expected a capture device, found another kind of V4L2 device"));
        };
        if able & uapi::CAP_STREAMING == 0 {
            return Err(unfit("expected a device that streams, found one that is only read"));
        }
        Ok(Self { file, path: path.to_path_buf(), capability, kind })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn card(&self) -> String {
        text(&self.capability.card)
    }

    pub(super) fn driver(&self) -> String {
        text(&self.capability.driver)
    }

    pub(super) fn bus(&self) -> String {
        text(&self.capability.bus_info)
    }

    /// Asks the driver.
    pub(super) fn ask<T: Plain>(&self, request: &Request<T>, argument: &mut T) -> io::Result<()> {
        sys::ioctl(self.fd(), request, argument)
    }

    /// Asks the driver for what cannot be done without.
    pub(super) fn demand<T: Plain>(&self, action: &'static str, request: &Request<T>, argument: &mut T) -> Result<()> {
        self.ask(request, argument).map_err(|source| self.error(action, source))
    }

    pub(super) fn error(&self, action: &'static str, source: io::Error) -> Error {
        Error::Reach { action, source, name: self.name() }
    }

    /// The formats that the driver gives: code and description.
    pub(super) fn formats(&self) -> Vec<(u32, String)> {
        let question = |index| FormatDescription { index, kind: self.kind, ..FormatDescription::default() };
        let answers = (0..ENTRIES).map_while(|index| {
            let mut format = question(index);
            self.ask(&uapi::LIST_FORMATS, &mut format).ok().map(|()| format)
        });
        answers.map(|format| (format.fourcc, text(&format.description))).collect()
    }

    /// The sizes of a format; none where the driver does not say.
    pub(super) fn sizes(&self, fourcc: u32) -> Vec<Sizes> {
        let mut all = Vec::new();
        for index in 0..ENTRIES {
            let mut size = FrameSize { index, fourcc, ..FrameSize::default() };
            if self.ask(&uapi::LIST_SIZES, &mut size).is_err() {
                break;
            }
            let [a, b, c, d, e, f] = size.values;
            if size.kind != uapi::SIZES_DISCRETE {
                // Smallest, largest and step of the width, then of the height; there is only one such entry.
                all.push(Sizes::Range { min: (a, d), max: (b, e), step: (c, f) });
                break;
            }
            all.push(Sizes::One(a, b));
        }
        all
    }

    /// Frames per second of a format and size, fastest first; none where the driver does not say.
    pub(super) fn rates(&self, fourcc: u32, (width, height): (u32, u32)) -> Vec<f64> {
        let mut all = Vec::new();
        for index in 0..ENTRIES {
            let mut interval = FrameInterval { index, fourcc, width, height, ..FrameInterval::default() };
            if self.ask(&uapi::LIST_INTERVALS, &mut interval).is_err() {
                break;
            }
            let [num, den, max_num, max_den, ..] = interval.values;
            all.extend(rate_from(num, den));
            if interval.kind != uapi::SIZES_DISCRETE {
                all.extend(rate_from(max_num, max_den));
                break;
            }
        }
        all.sort_unstable_by(|a, b| b.total_cmp(a));
        all.dedup();
        all
    }
}

/// Frames per second from seconds per frame.
pub(super) fn rate_from(numerator: u32, denominator: u32) -> Option<f64> {
    (numerator > 0 && denominator > 0).then(|| f64::from(denominator) / f64::from(numerator))
}
