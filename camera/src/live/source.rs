//! A live source: opened with its first picture, then asked for the newest one.

use super::capture::{Capture, Limits};
use super::counters::Counters;
use super::device::Opener;
use super::mailbox::{Letter, Mailbox};
use crate::clock::{Clock as _, Monotonic};
use crate::uri::Options;
use crate::{Arrival, Description, Error, Fault, Layout, Result, Shot};
use parallax_core::frame::Timestamp;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How old a picture may be when nothing was said: three frames of a camera at 3 per second.
const MAX_AGE: Duration = Duration::from_secs(1);
/// The shortest time without pictures that is a loss when nothing was said: a USB camera that misses its bandwidth
/// pauses for some tenths of a second.
const STALL: Duration = Duration::from_secs(1);
/// The same for sources of an unknown rate.
const STALL_OF_STREAM: Duration = Duration::from_secs(3);
/// How long the first picture may take: USB cameras settle their exposure in up to 3 s, commands start.
const START: Duration = Duration::from_secs(10);

/// A live source with its capture thread.
#[derive(Debug)]
pub(crate) struct Live {
    uri: String,
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
    max_age: Duration,
    last_sequence: Option<u64>,
    layout: Layout,
    /// The first picture, which told that the source works.
    first: Option<Shot>,
}

impl Live {
    /// Opens a source and waits for its first picture.
    ///
    /// # Errors
    /// It cannot be opened, or it gives no picture.
    pub(crate) fn open(uri: &str, mut opener: Box<dyn Opener>, options: &Options) -> Result<Self> {
        let opened = opener.open(&|| true)?;
        let default = match opened.description.fps {
            Some(fps) => STALL.max(Duration::from_secs_f64(5.0 / fps)),
            None => STALL_OF_STREAM,
        };
        let stall = options.stall.unwrap_or(default);
        let max_age = options.max_age.unwrap_or(MAX_AGE);
        let limits = Limits { stall, start: START.max(stall), max_age };
        let mailbox = Arc::new(Mailbox::default());
        let capture = Capture::new(opener, opened, Monotonic, limits, Arc::clone(&mailbox));
        let thread = std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || capture.run())
            .map_err(|source| Error::Reach { action: "start a capture thread for", source, name: uri.to_owned() })?;
        let (thread, uri) = (Some(thread), uri.to_owned());
        let layout = Layout::of(&Shot::default().left);
        let mut live = Self { uri, mailbox, thread, max_age, last_sequence: None, layout, first: None };
        live.await_first_picture()?;
        Ok(live)
    }

    fn await_first_picture(&mut self) -> Result<()> {
        let mut shot = Shot::default();
        loop {
            match self.mailbox.take(&mut shot, START, Timestamp::default) {
                Letter::Shot { .. } => {
                    self.layout = Layout::of(&shot.left);
                    self.first = Some(shot);
                    return Ok(());
                }
                Letter::Loss(Fault::Ended) | Letter::End => {
                    let hint =
                        "the source ended before its first picture: run the command by itself to see what it gives";
                    return Err(Error::Unfit {
                        what: "expected pictures, found none".into(),
                        name: self.uri.clone(),
                        hint,
                    });
                }
                Letter::Loss(fault) => return Err(Error::NoPicture { fault, uri: self.uri.clone() }),
                Letter::Nothing => {}
            }
        }
    }

    /// Format and size of the first picture, which all others have too.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// See [`crate::Source::next_into`].
    pub(crate) fn next_into(&mut self, shot: &mut Shot, patience: Duration) -> Result<Arrival> {
        if let Some(first) = self.first.take() {
            // Unless a newer one is there already, or the source is lost again.
            if Monotonic.now().since(first.left.timestamp) <= self.max_age && self.mailbox.is_quiet() {
                *shot = first;
                return Ok(self.fresh(shot, None));
            }
        }
        let max_age = self.max_age;
        let oldest = || Timestamp::from_nanos(Monotonic.now().nanos().saturating_sub(max_age.as_nanos() as u64));
        match self.mailbox.take(shot, patience, oldest) {
            Letter::Shot { away } => Ok(self.fresh(shot, away)),
            Letter::Loss(fault) => Err(Error::LostCamera { fault, uri: self.uri.clone() }),
            Letter::Nothing => Ok(Arrival::Nothing),
            Letter::End => Ok(Arrival::End),
        }
    }

    fn fresh(&mut self, shot: &Shot, away: Option<Duration>) -> Arrival {
        let sequence = shot.left.sequence;
        let dropped = self.last_sequence.map_or(0, |last| sequence.saturating_sub(last + 1));
        self.last_sequence = Some(sequence);
        Arrival::Fresh { dropped, away }
    }

    /// What the source turned out to be when it was opened last.
    pub(crate) fn description(&self) -> Option<Description> {
        let description = self.mailbox.description()?;
        Some(Description { layout: description.layout.or(Some(self.layout)), ..description })
    }

    pub(crate) fn counters(&self) -> Counters {
        self.mailbox.counters()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.mailbox.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told on stderr by its own hook; a drop has nobody to tell.
            let _ended = thread.join();
        }
    }
}
