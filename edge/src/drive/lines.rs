//! Finished lines on their way from the threads that work to the one that writes: put into the order of their frames, in
//! memory that is taken once. The standard library's channels allocate whenever a thread first has to wait in one, which
//! may be hours after the start.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The lines. A worker waits that is too far ahead of the line that is written next, because the disk hangs or another
/// worker does: this costs neither frames nor memory.
#[derive(Debug)]
pub(super) struct Lines<T> {
    state: Mutex<State<T>>,
    room: Condvar,
    news: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Line `number` is at `number % len`.
    ring: Box<[Option<T>]>,
    next: usize,
    senders: usize,
    is_read: bool,
}

impl<T> Lines<T> {
    /// For lines 0, 1, 2 and so on, at most `capacity` of them on the way, from this many [`Lines::sender`]s.
    pub(super) fn new(capacity: usize, senders: usize) -> Self {
        let ring = std::iter::repeat_with(|| None).take(capacity).collect();
        let state = State { ring, next: 0, senders, is_read: true };
        Self { state: Mutex::new(state), room: Condvar::new(), news: Condvar::new() }
    }

    /// One of the senders that [`Lines::new`] was told of.
    pub(super) fn sender(&self) -> Sender<'_, T> {
        Sender(self)
    }

    /// Line after line in the order of their numbers, until the last sender is gone.
    pub(super) fn reader(&self) -> Reader<'_, T> {
        Reader(self)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn place(&self, number: usize) -> usize {
        number % self.ring.len()
    }

    fn has_next(&self) -> bool {
        self.ring[self.place(self.next)].is_some()
    }
}

/// Hands lines over. When it goes, also by a panic, the reader no longer waits for it.
#[derive(Debug)]
pub(super) struct Sender<'a, T>(&'a Lines<T>);

impl<T> Sender<'_, T> {
    /// Waits for room; `false` if nobody reads any more.
    pub(super) fn send(&self, number: usize, line: T) -> bool {
        let is_far_ahead = |state: &mut State<T>| state.is_read && number >= state.next + state.ring.len();
        let state = self.0.lock();
        let mut state = self.0.room.wait_while(state, is_far_ahead).unwrap_or_else(PoisonError::into_inner);
        if !state.is_read {
            return false;
        }
        let place = state.place(number);
        state.ring[place] = Some(line);
        self.0.news.notify_one();
        true
    }
}

impl<T> Drop for Sender<'_, T> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.news.notify_one();
    }
}

/// Takes lines. When it goes, senders no longer wait for room.
#[derive(Debug)]
pub(super) struct Reader<'a, T>(&'a Lines<T>);

impl<T> Iterator for Reader<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let nothing_yet = |state: &mut State<T>| !state.has_next() && state.senders > 0;
        let state = self.0.lock();
        let mut state = self.0.news.wait_while(state, nothing_yet).unwrap_or_else(PoisonError::into_inner);
        // A worker that went without its line leaves a gap.
        let next =
            (state.next..state.next + state.ring.len()).find(|number| state.ring[state.place(*number)].is_some())?;
        let place = state.place(next);
        let line = state.ring[place].take();
        state.next = next + 1;
        self.0.room.notify_all();
        line
    }
}

impl<T> Drop for Reader<'_, T> {
    fn drop(&mut self) {
        self.0.lock().is_read = false;
        self.0.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn lines_of_many_threads_come_in_order_through_a_ring_that_is_too_small() {
        let (lines, numbers) = (Lines::new(2, 3), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let (sender, numbers) = (lines.sender(), &numbers);
                scope.spawn(move || {
                    let next = || Some(numbers.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < 1500);
                    while let Some(number) = next() {
                        assert!(sender.send(number, number));
                    }
                });
            }
            assert!(lines.reader().eq(0..1500));
        });
    }

    #[test]
    fn senders_end_when_nobody_reads() {
        let lines = Lines::new(1, 1);
        std::thread::scope(|scope| {
            let sender = lines.sender();
            let sending = scope.spawn(move || (0..1000).take_while(|number| sender.send(*number, *number)).count());
            assert!(lines.reader().take(3).eq(0..3));
            assert!((3..1000).contains(&sending.join().unwrap()));
        });
    }

    #[test]
    fn a_sender_that_panics_is_not_waited_for_and_leaves_a_gap() {
        let lines = Lines::new(4, 2);
        std::thread::scope(|scope| {
            let (panicking, other) = (lines.sender(), lines.sender());
            let panicking = scope.spawn(move || {
                panicking.send(0, "zero");
                panic!("as asked");
            });
            assert!(other.send(2, "two"));
            drop(other);
            assert!(lines.reader().eq(["zero", "two"]));
            assert!(panicking.join().is_err());
        });
    }
}
