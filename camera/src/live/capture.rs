//! The capture loop: a device is opened, looked at, lost and opened again.
//!
//! ```text
//!             opened                     a fault, or no good picture for too long
//!  opening ───────────▶ streaming ─────────────────────────────────────────▶ lost
//!     ▲ └─ refused ──────────┼──────────────────────────────────────────────▶ │
//!     │                      └─ the end of a stream that ends ─▶ ended        │ 0.1 s, then twice
//!     └───────────────────────────────────────────────────────────────────────┘ as long, 0.5 s at most
//! ```
//!
//! What keeps an old picture from being presented as new:
//! - a time stamp not after the last one's, or older than the limit, makes a picture stale: it is counted and dropped;
//! - a time stamp of another clock (none, or in the future) is replaced by the time of arrival;
//! - pictures of another size or format than the first one's are a fault, not a surprise for the consumer;
//! - a loss empties the mailbox (see [`super::mailbox`]).
//!
//! A loss is told once. What keeps a source away that is there again (no bandwidth on the bus, another program, other
//! formats) is told when it has lasted a while, because it may not pass without somebody.

use super::device::{Device, Look, Opened, Opener};
use super::mailbox::Mailbox;
use crate::clock::Clock;
use crate::{Fault, Layout, Shot};
use parallax_core::frame::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// The limits of a capture loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long a streaming device may give no good picture.
    pub(super) stall: Duration,
    /// How long a device that was opened for the first time may take for its first good picture: sensors settle,
    /// commands start. Later openings may take twice as long as that first one took.
    pub(super) start: Duration,
    /// How old a picture may be.
    pub(super) max_age: Duration,
}

/// The first pause before opening again, and the longest one: with the time to open and to get a first picture, a
/// device is back within 2 s of its return.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];
/// What keeps a source away passes within the time of a return, or is told: a device is there before its permissions
/// are, and a driver may refuse once.
const PASSING: Duration = Duration::from_secs(2);
/// How long one look may take: the time within which a stop is noticed.
const PATIENCE: Duration = Duration::from_millis(100);
/// What every opening may take beyond that: a busy machine.
const START_SLACK: Duration = Duration::from_secs(1);
/// How far in the future a time stamp of the same clock may be: a driver may round up.
const CLOCK_SLACK: Duration = Duration::from_millis(5);

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Step again.
    Goes,
    /// The stream has ended.
    Ended,
}

enum State {
    Opening,
    Streaming(Streaming),
    Lost { retry_at: Timestamp },
}

struct Streaming {
    device: Box<dyn Device>,
    /// When it was opened or gave its last good picture.
    good_at: Timestamp,
    started: bool,
    device_sequence: u64,
    /// Damaged and stale pictures since then.
    useless: (u64, u64),
}

/// What keeps a source away that is there again.
#[derive(Clone, Copy, Debug)]
struct Obstacle {
    since: Timestamp,
    told: bool,
}

/// One source's capture loop.
pub(super) struct Capture<C> {
    opener: Box<dyn Opener>,
    clock: C,
    limits: Limits,
    mailbox: Arc<Mailbox>,
    state: State,
    pause: Duration,
    /// When the source was lost, until it is back.
    lost_at: Option<Timestamp>,
    obstacle: Option<Obstacle>,
    shot: Shot,
    /// Format and size of the first pictures, which all have to keep.
    layouts: Option<(Layout, Option<Layout>)>,
    last_stamp: Timestamp,
    /// The running number of the last picture.
    sequence: Option<u64>,
}

impl<C: Clock> Capture<C> {
    /// A loop for a device that was opened once already.
    pub(super) fn new(
        opener: Box<dyn Opener>,
        opened: Opened,
        clock: C,
        limits: Limits,
        mailbox: Arc<Mailbox>,
    ) -> Self {
        let now = clock.now();
        mailbox.describe(opened.description);
        Self {
            opener,
            limits,
            mailbox,
            state: State::Streaming(Streaming::new(opened.device, now)),
            clock,
            pause: PAUSES[0],
            lost_at: None,
            obstacle: None,
            shot: Shot::default(),
            layouts: None,
            last_stamp: Timestamp::default(),
            sequence: None,
        }
    }

    /// Runs until the stream ends or the consumer has gone.
    pub(super) fn run(mut self) {
        while !self.mailbox.stopped() && self.step() == Flow::Goes {}
    }

    /// Does one thing: opens, looks once, or waits a little.
    pub(super) fn step(&mut self) -> Flow {
        match &mut self.state {
            State::Opening => self.open(),
            State::Lost { retry_at } => {
                let left = retry_at.since(self.clock.now());
                if left.is_zero() {
                    self.state = State::Opening;
                } else {
                    self.clock.sleep(left.min(PATIENCE));
                }
            }
            State::Streaming(streaming) => match streaming.device.look(&mut self.shot, PATIENCE) {
                Ok(Look::End) => {
                    self.mailbox.end();
                    return Flow::Ended;
                }
                Ok(look) => {
                    if let Err(fault) = self.judge(look) {
                        self.lose(fault);
                    }
                }
                Err(fault) => self.lose(fault),
            },
        }
        Flow::Goes
    }

    fn open(&mut self) {
        let mailbox = &self.mailbox;
        match self.opener.open(&|| !mailbox.stopped()) {
            Ok(opened) => {
                self.mailbox.describe(opened.description);
                self.state = State::Streaming(Streaming::new(opened.device, self.clock.now()));
            }
            Err(error) => {
                self.retry_later();
                if error.says_absent() {
                    self.obstacle = None;
                } else {
                    self.hinder(Fault::Refused { error: Box::new(error) });
                }
            }
        }
    }

    /// Tells what keeps the source away, once, when it lasts.
    fn hinder(&mut self, fault: Fault) {
        let now = self.clock.now();
        let Obstacle { since, told } = *self.obstacle.get_or_insert(Obstacle { since: now, told: false });
        if !told && now.since(since) >= PASSING {
            self.obstacle = Some(Obstacle { since, told: true });
            self.mailbox.tell(fault);
        }
    }

    fn lose(&mut self, fault: Fault) {
        let now = self.clock.now();
        // Closes the device before anybody is told: while it is open, its return gets another node.
        self.retry_later();
        // A device that comes and fails again before its first good picture is one and the same loss.
        if self.lost_at.is_none() {
            self.lost_at = Some(now);
            self.mailbox.lose(fault);
        } else {
            self.hinder(fault);
        }
    }

    fn retry_later(&mut self) {
        self.state = State::Lost { retry_at: self.clock.now().after(self.pause) };
        self.pause = (self.pause * 2).min(PAUSES[1]);
    }

    fn judge(&mut self, look: Look) -> Result<(), Fault> {
        let now = self.clock.now();
        let State::Streaming(streaming) = &mut self.state else { return Ok(()) };
        let good = match look {
            Look::Fresh => {
                let fresh = stamp(&mut self.shot, now) > self.last_stamp
                    && now.since(self.shot.left.timestamp) <= self.limits.max_age;
                streaming.useless.1 += u64::from(!fresh);
                self.mailbox.count(|counters| counters.stale += u64::from(!fresh));
                fresh
            }
            Look::Corrupt => {
                streaming.useless.0 += 1;
                self.mailbox.count(|counters| counters.corrupt += 1);
                false
            }
            Look::Nothing | Look::End => false,
        };
        if !good {
            let limit = if streaming.started { self.limits.stall } else { self.limits.start };
            let silence = now.since(streaming.good_at);
            let (corrupt, stale) = streaming.useless;
            return if silence > limit { Err(Fault::Stalled { silence, corrupt, stale }) } else { Ok(()) };
        }
        let found = (Layout::of(&self.shot.left), self.shot.right.as_ref().map(Layout::of));
        let expected = *self.layouts.get_or_insert(found);
        if expected != found {
            let other_eye = expected.0 == found.0;
            let of = |(left, right): (Layout, Option<Layout>)| if other_eye { right.unwrap_or(left) } else { left };
            return Err(Fault::Changed { expected: of(expected), found: of(found) });
        }
        self.number(now);
        self.last_stamp = self.shot.left.timestamp;
        self.pause = PAUSES[0];
        self.obstacle = None;
        let away = self.lost_at.take().map(|lost_at| now.since(lost_at));
        self.mailbox.put(&mut self.shot, away);
        Ok(())
    }

    /// Gives the shot the running number of this source: the device's own steps, and 1 over a loss, of which nobody
    /// knows how many pictures it cost, and for a device that does not count.
    fn number(&mut self, now: Timestamp) {
        let State::Streaming(streaming) = &mut self.state else { return };
        let device_sequence = self.shot.left.sequence;
        let step = match device_sequence.checked_sub(streaming.device_sequence) {
            Some(step @ 1..) if streaming.started => step,
            _ => 1,
        };
        if self.sequence.is_none() {
            let took = now.since(streaming.good_at);
            self.limits.start = (2 * took + START_SLACK).max(self.limits.stall).min(self.limits.start);
        }
        (streaming.good_at, streaming.started, streaming.device_sequence) = (now, true, device_sequence);
        streaming.useless = (0, 0);
        self.mailbox.count(|counters| counters.skipped += step - 1);
        let sequence = self.sequence.map_or(0, |last| last + step);
        self.sequence = Some(sequence);
        self.shot.left.sequence = sequence;
        if let Some(right) = &mut self.shot.right {
            right.sequence = sequence;
        }
    }
}

impl Streaming {
    fn new(device: Box<dyn Device>, now: Timestamp) -> Self {
        Self { device, good_at: now, started: false, device_sequence: 0, useless: (0, 0) }
    }
}

/// Puts the time of arrival in place of stamps that are of no clock of ours; gives the shot's time.
fn stamp(shot: &mut Shot, now: Timestamp) -> Timestamp {
    for frame in [Some(&mut shot.left), shot.right.as_mut()].into_iter().flatten() {
        if frame.timestamp == Timestamp::default() || frame.timestamp > now.after(CLOCK_SLACK) {
            frame.timestamp = now;
        }
    }
    shot.left.timestamp
}

#[cfg(test)]
mod tests;
