//! From the loop to whoever shows, logs or prints: a few places, the newest in; taking never blocks the loop.
//!
//! A consumer that is slower than the camera misses items, which are counted; a recording, which is never in a hurry, can
//! wait for room instead. Memory is taken once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Some places between one producer or several and one consumer.
#[derive(Debug)]
pub struct Handover<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
    places: usize,
}

#[derive(Debug)]
struct Inner<T> {
    items: VecDeque<T>,
    missed: u64,
    closed: bool,
}

/// What a consumer found.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// The oldest item that is still there.
    Item(T),
    /// Nothing within the patience.
    Nothing,
    /// Nothing more will come.
    Closed,
}

/// What happens when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The oldest item goes: the camera does not wait.
    DropOldest,
    /// The producer waits: nothing is lost.
    Wait,
}

impl<T> Handover<T> {
    /// With room for `places` items, at least one.
    pub fn new(places: usize) -> Self {
        let places = places.max(1);
        let items = VecDeque::with_capacity(places);
        Self { inner: Mutex::new(Inner { items, missed: 0, closed: false }), changed: Condvar::new(), places }
    }

    /// Number of places.
    pub fn places(&self) -> usize {
        self.places
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // Items go in and out whole, whatever a panicking thread was doing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item in. After [`Self::close`] it goes nowhere.
    pub fn put(&self, item: T, full: Full) {
        let mut inner = self.lock();
        while full == Full::Wait && inner.items.len() == self.places && !inner.closed {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            return;
        }
        let missed = if inner.items.len() == self.places { inner.items.pop_front() } else { None };
        inner.missed += u64::from(missed.is_some());
        inner.items.push_back(item);
        drop(inner);
        self.changed.notify_all();
    }

    /// Waits for an item, `patience` at most; what is there is still handed out after the end.
    pub fn take(&self, patience: Duration) -> Taken<T> {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        loop {
            if let Some(item) = inner.items.pop_front() {
                drop(inner);
                self.changed.notify_all();
                return Taken::Item(item);
            }
            if inner.closed {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Nothing;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Items that had to go before they were taken.
    pub fn missed(&self) -> u64 {
        self.lock().missed
    }

    /// Says that nothing more will come, or, from the consumer, that nobody takes any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_slow_consumer_gets_the_newest_items_and_the_producer_never_waits() {
        let handover = Handover::new(2);
        (0..5).for_each(|item| handover.put(item, Full::DropOldest));
        assert_eq!((handover.take(NOW), handover.take(NOW)), (Taken::Item(3), Taken::Item(4)));
        assert_eq!((handover.take(NOW), handover.missed()), (Taken::Nothing, 3));
    }

    #[test]
    fn a_producer_that_waits_loses_nothing() {
        let handover = Handover::new(1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..100).for_each(|item| handover.put(item, Full::Wait));
                handover.close();
            });
            let mut taken = Vec::new();
            while let Taken::Item(item) = handover.take(Duration::from_secs(10)) {
                taken.push(item);
            }
            assert_eq!((taken, handover.missed()), ((0..100).collect(), 0));
        });
    }

    #[test]
    fn a_consumer_that_is_gone_holds_nobody_up() {
        let handover = Handover::new(1);
        handover.put(0, Full::Wait);
        std::thread::scope(|scope| {
            scope.spawn(|| handover.put(1, Full::Wait));
            handover.close();
        });
        handover.put(2, Full::Wait);
        assert_eq!((handover.take(NOW), handover.take(NOW)), (Taken::Item(0), Taken::Closed));
    }
}
