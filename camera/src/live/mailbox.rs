//! One slot between the capture thread and the consumer: the newest picture, never a queue.
//!
//! ```text
//! capture's shot ──swap──▶ slot ──swap──▶ consumer's shot        three sets of buffers, going round
//! ```
//!
//! A picture that was not taken is replaced by the next one. A loss empties the slot: what was seen before a loss is
//! never handed out after it.

use super::counters::Counters;
use crate::{Description, Fault, Shot};
use parallax_core::frame::Timestamp;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the capture thread and the consumer share.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    slot: Mutex<Slot>,
    changed: Condvar,
}

/// What is in the mailbox.
#[derive(Debug, Default)]
struct Slot {
    shot: Shot,
    full: bool,
    loss: Option<Fault>,
    /// When the source was lost, until a picture taken after its return says so.
    away: Option<Duration>,
    ended: bool,
    stop: bool,
    counters: Counters,
    description: Option<Description>,
}

/// What the consumer found.
#[derive(Debug)]
pub(super) enum Letter {
    /// A picture, and how long the source was away just before.
    Shot { away: Option<Duration> },
    /// The source is lost.
    Loss(Fault),
    /// Nothing new within the patience.
    Nothing,
    /// Nothing more will come.
    End,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Plain values, swapped whole: they make sense whatever a panicking thread was doing.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a picture in, in place of one that was not taken; `shot` gets that one's buffers.
    pub(super) fn put(&self, shot: &mut Shot, away: Option<Duration>) {
        let mut slot = self.lock();
        std::mem::swap(&mut slot.shot, shot);
        slot.counters.captured += 1;
        slot.counters.replaced += u64::from(slot.full);
        slot.full = true;
        slot.away = away.or(slot.away);
        drop(slot);
        self.changed.notify_all();
    }

    /// Tells of a loss and empties the slot. Of two losses that nobody asked about in between, the later one is told.
    pub(super) fn lose(&self, fault: Fault) {
        let mut slot = self.lock();
        slot.counters.replaced += u64::from(slot.full);
        slot.full = false;
        slot.away = None;
        slot.counters.losses += 1;
        slot.loss = Some(fault);
        drop(slot);
        self.changed.notify_all();
    }

    /// Tells what keeps a lost source away. That is no other loss.
    pub(super) fn tell(&self, fault: Fault) {
        self.lock().loss = Some(fault);
        self.changed.notify_all();
    }

    /// Says that nothing more will come; a picture in the slot can still be taken.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits for news and takes it; a picture that was taken before `oldest` is not handed out.
    pub(super) fn take(&self, shot: &mut Shot, patience: Duration, oldest: impl Fn() -> Timestamp) -> Letter {
        let deadline = Instant::now() + patience;
        let mut slot = self.lock();
        loop {
            if let Some(fault) = slot.loss.take() {
                return Letter::Loss(fault);
            }
            if slot.full {
                slot.full = false;
                if slot.shot.left.timestamp >= oldest() {
                    std::mem::swap(&mut slot.shot, shot);
                    return Letter::Shot { away: slot.away.take() };
                }
                slot.counters.stale += 1;
            }
            if slot.ended {
                return Letter::End;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Letter::Nothing;
            }
            slot = self.changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Counts something.
    pub(super) fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(&mut self.lock().counters);
    }

    pub(super) fn counters(&self) -> Counters {
        self.lock().counters
    }

    pub(super) fn describe(&self, description: Description) {
        self.lock().description = Some(description);
    }

    pub(super) fn description(&self) -> Option<Description> {
        self.lock().description.clone()
    }

    /// Asks the capture thread to end.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    pub(super) fn stopped(&self) -> bool {
        self.lock().stop
    }

    /// Whether there is nothing to take.
    pub(super) fn is_quiet(&self) -> bool {
        let slot = self.lock();
        !slot.full && slot.loss.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(sequence: u64, nanos: u64) -> Shot {
        let mut shot = Shot::default();
        (shot.left.sequence, shot.left.timestamp) = (sequence, Timestamp::from_nanos(nanos));
        shot
    }

    fn take(mailbox: &Mailbox, shot: &mut Shot) -> Letter {
        mailbox.take(shot, Duration::ZERO, Timestamp::default)
    }

    #[test]
    fn the_newest_picture_replaces_the_one_before_and_is_taken_once() {
        let (mailbox, mut taken) = (Mailbox::default(), Shot::default());
        for sequence in 0..3 {
            mailbox.put(&mut shot(sequence, sequence), None);
        }
        assert!(matches!(take(&mailbox, &mut taken), Letter::Shot { away: None }));
        assert_eq!(taken.left.sequence, 2);
        assert!(matches!(take(&mailbox, &mut taken), Letter::Nothing));
        assert_eq!((mailbox.counters().captured, mailbox.counters().replaced), (3, 2));
    }

    #[test]
    fn a_loss_takes_the_picture_along_and_its_end_is_told_with_the_first_one_taken() {
        let (mailbox, mut taken) = (Mailbox::default(), Shot::default());
        mailbox.put(&mut shot(0, 0), None);
        mailbox.lose(Fault::Gone);
        assert!(matches!(take(&mailbox, &mut taken), Letter::Loss(Fault::Gone)));
        assert!(matches!(take(&mailbox, &mut taken), Letter::Nothing), "the picture from before is gone");
        mailbox.put(&mut shot(1, 1), Some(Duration::from_secs(3)));
        mailbox.put(&mut shot(2, 2), None);
        assert!(
            matches!(take(&mailbox, &mut taken), Letter::Shot { away: Some(away) } if away == Duration::from_secs(3))
        );
    }

    #[test]
    fn a_picture_that_lay_too_long_is_not_handed_out() {
        let (mailbox, mut taken) = (Mailbox::default(), Shot::default());
        mailbox.put(&mut shot(0, 10), None);
        assert!(matches!(mailbox.take(&mut taken, Duration::ZERO, || Timestamp::from_nanos(11)), Letter::Nothing));
        assert_eq!(mailbox.counters().stale, 1);
    }

    #[test]
    fn the_last_picture_comes_before_the_end() {
        let (mailbox, mut taken) = (Mailbox::default(), Shot::default());
        mailbox.put(&mut shot(0, 0), None);
        mailbox.end();
        assert!(matches!(take(&mailbox, &mut taken), Letter::Shot { .. }));
        assert!(matches!(take(&mailbox, &mut taken), Letter::End));
    }

    #[test]
    fn buffers_go_round() {
        let mailbox = Mailbox::default();
        let (mut capture, mut consumer) = (shot(0, 0), Shot::default());
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10 {
            capture.left.data.resize(1000, 0);
            seen.insert(capture.left.data.as_ptr());
            mailbox.put(&mut capture, None);
            take(&mailbox, &mut consumer);
        }
        assert_eq!(seen.len(), 3);
    }
}
