//! Why frames do not come, and what to do about it.

use crate::Layout;
use parallax_core::Error as CoreError;
use std::io;
use std::time::Duration;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a source of frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URI cannot be understood, or asks for what is not there.
    #[error("{what}: {uri}")]
    Uri {
        /// Expected and found.
        what: String,
        /// The URI as given.
        uri: String,
        /// The remedy.
        hint: &'static str,
    },
    /// A recording or folder cannot be opened.
    #[error(transparent)]
    Open(CoreError),
    /// A device, command or server cannot be reached or used.
    #[error("cannot {action}: {source}: {name}")]
    Reach {
        /// What was being done, as an infinitive without "to".
        action: &'static str,
        /// What the system said.
        source: io::Error,
        /// The device, command or server.
        name: String,
    },
    /// A device or stream is not one that can be used, or cannot do what was asked of it.
    #[error("{what}: {name}")]
    Unfit {
        /// Expected and found.
        what: String,
        /// The device, command or server.
        name: String,
        /// The remedy.
        hint: &'static str,
    },
    /// A live source was opened and then gave no picture at all.
    #[error("no picture came: {fault}: {uri}")]
    NoPicture {
        /// What happened instead.
        fault: Fault,
        /// The source.
        uri: String,
    },
    /// Pictures cannot be served so.
    #[error("{what}")]
    Preview {
        /// Expected and found.
        what: String,
        /// The remedy.
        hint: &'static str,
    },
    /// One frame cannot be read; the next one may be fine.
    #[error("lost frame {index}: {source}")]
    LostFrame {
        /// Its place in the source, from 0 on.
        index: usize,
        /// Why.
        source: CoreError,
    },
    /// A live source is lost. It is being opened again; the next frame says how long it was away. What keeps it away
    /// although it is there is told as well ([`Fault::Refused`]), when it lasts.
    #[error("lost the camera: {fault}: {uri}")]
    LostCamera {
        /// What happened.
        fault: Fault,
        /// The source.
        uri: String,
    },
}

impl Error {
    /// What a user can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Open(error) | Self::LostFrame { source: error, .. } => error.hint(),
            Self::Uri { hint, .. } | Self::Unfit { hint, .. } | Self::Preview { hint, .. } => Some(hint),
            Self::Reach { source, .. } => hint_of_system_error(source),
            Self::NoPicture { fault: Fault::Stalled { .. }, .. } => Some(
                "a device: check cable and power; a command: it must write Motion-JPEG, or raw frames with \
                `?format=yuyv&size=640x480`; a source that starts slowly needs `stall=30s`",
            ),
            Self::NoPicture { fault, .. } | Self::LostCamera { fault: fault @ Fault::Refused { .. }, .. } => {
                Some(fault.hint())
            }
            Self::LostCamera { fault: fault @ Fault::Ended, .. } => Some(fault.hint()),
            Self::LostCamera { .. } => Some("it is opened again by itself as soon as it is back"),
        }
    }

    /// Whether this says no more than that nothing is there.
    pub(crate) fn says_absent(&self) -> bool {
        let Self::Reach { source, .. } = self else { return false };
        source.raw_os_error().is_some_and(|number| ABSENT.contains(&number))
    }
}

/// What the system says of a device that is not plugged in, and of a server that does not run.
const ABSENT: [i32; 7] = [
    libc::ENOENT,
    libc::ENODEV,
    libc::ENXIO,
    libc::ECONNREFUSED,
    libc::ETIMEDOUT,
    libc::EHOSTUNREACH,
    libc::ENETUNREACH,
];

fn hint_of_system_error(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? {
        libc::ENOENT | libc::ENODEV | libc::ENXIO => "`parallax-edge devices` lists the cameras that are there",
        libc::EACCES | libc::EPERM => "you lack permission: cameras belong to the group `video`",
        libc::EBUSY => "another program uses the camera: close it, or ask for another camera",
        libc::ENOSPC => "the USB bus has no bandwidth left: ask for a smaller size or rate, or use another port",
        libc::ECONNREFUSED => "nothing answers at that port: check host and port, and that the server runs",
        libc::ETIMEDOUT | libc::EHOSTUNREACH | libc::ENETUNREACH => "the host does not answer: check the network",
        _ => return None,
    })
}

/// What can happen to a live source that was fine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It was unplugged.
    #[error("the device is gone")]
    Gone,
    /// It says nothing any more.
    #[error("no good picture for {:.1} s{}", .silence.as_secs_f64(), useless(*.corrupt, *.stale))]
    Stalled {
        /// Since the last good picture, or since it was opened.
        silence: Duration,
        /// Damaged pictures that came in that time.
        corrupt: u64,
        /// Pictures that came in that time with time stamps too old or not new.
        stale: u64,
    },
    /// The driver or the system reports an error.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was being done, as an infinitive without "to".
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It came back as something else.
    #[error("expected {expected} pictures as before, found {found}")]
    Changed {
        /// What it gave from the start.
        expected: Layout,
        /// What it gives now.
        found: Layout,
    },
    /// It is there again, and cannot be opened: no bandwidth, another program has it, other formats.
    #[error("it is there and cannot be opened: {error}")]
    Refused {
        /// Why.
        error: Box<Error>,
    },
    /// The command ended with an error.
    #[error("the command ended with {status}{}", quoted(.said))]
    Exited {
        /// Its exit status, for people.
        status: String,
        /// The last line that it wrote on stderr.
        said: String,
    },
    /// The command ended, and said that all was well.
    #[error("the command ended, which a camera's does not")]
    Ended,
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Closed,
    /// The bytes are no pictures.
    #[error("the stream is not {expected}: {found}")]
    Garbage {
        /// What it should be.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}

fn useless(corrupt: u64, stale: u64) -> String {
    match (corrupt, stale) {
        (0, 0) => String::new(),
        _ => format!(", only {corrupt} damaged and {stale} with old time stamps"),
    }
}

fn quoted(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!(" and said {line:?}") }
}

impl Fault {
    /// What a user can do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Gone => "plug it in again; `parallax-edge devices` lists the cameras that are there",
            Self::Stalled { .. } => "check cable and power; a slow camera needs `stall=10s` at the end of its URI",
            Self::System { source, .. } => {
                hint_of_system_error(source).unwrap_or("`dmesg` may say more about the device")
            }
            Self::Refused { error } => error.hint().unwrap_or("it is opened again by itself when it can be"),
            Self::Changed { .. } => "ask for one size and format in the URI, such as `?size=640x480&format=yuyv`",
            Self::Exited { .. } => "run the command by itself: it must write pictures to stdout until it is ended",
            Self::Ended => {
                "it is started again; a command that has an end, such as the conversion of a film, needs `?finite=yes`"
            }
            Self::Closed => "check that the address is that of a live stream and not of one picture",
            Self::Garbage { .. } => "a command writes Motion-JPEG, or raw frames with `?format=yuyv&size=640x480`",
        }
    }
}
