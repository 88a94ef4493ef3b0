//! Ctrl-C and the other wishes that a program ends: what was asked for, and by which signal.
//!
//! The signals are blocked in every thread and waited for by one of its own, so that nothing happens in the middle of
//! something else. A command that saves its work asks for the flag; all others end at once. Commands that are started
//! from here inherit the blocked signals and have to unblock them.
//!
//! Reference: `signal(7)`, `sigwait(3)`.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use nix::sys::signal::{SigSet, Signal};

/// Raised by the first signal.
static STOP: AtomicBool = AtomicBool::new(false);
/// Whether somebody looks at it.
static IS_LOOKED_AT: AtomicBool = AtomicBool::new(false);
/// The number of the first signal; 0 before it.
static FIRST: AtomicU8 = AtomicU8::new(0);

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Ctrl-C, or the terminal has gone: what was asked for is not wanted any more.
    Interrupted(u8),
    /// The manager of the program, of a service or of a cluster, ends it.
    Terminated,
}

impl Wish {
    fn of(number: u8) -> Option<Self> {
        match number {
            0 => None,
            number if i32::from(number) == Signal::SIGTERM as i32 => Some(Self::Terminated),
            number => Some(Self::Interrupted(number)),
        }
    }
}

/// What a shell reports for a program that a signal has ended.
pub(super) const fn code_of(signal: u8) -> u8 {
    128 + signal
}

/// The wish that came first, if one came.
pub(super) fn wish() -> Option<Wish> {
    Wish::of(FIRST.load(Ordering::SeqCst))
}

/// Raised when the program is to end: work in hand is finished and saved. A second signal ends the program at once.
pub fn stop_on_signal() -> &'static AtomicBool {
    IS_LOOKED_AT.store(true, Ordering::SeqCst);
    &STOP
}

/// Begins to wait for signals. Threads that are there already would be ended by them: this comes first in a program.
pub(super) fn watch() {
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| signals.add(signal));
    if !is_ignored(Signal::SIGHUP) {
        signals.add(Signal::SIGHUP);
    }
    let watched = signals.thread_block().map_err(std::io::Error::from).and_then(|()| {
        let wait = move || {
            // Fails only for a set with a signal that there is not.
            while let Ok(signal) = signals.wait() {
                take(signal);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait)
    });
    if let Err(error) = watched {
        // Nothing was saved at all if the signals stayed blocked.
        let _unblocked = signals.thread_unblock();
        tracing::warn!("Ctrl-C will end the program at once and save nothing: {error}");
    }
}

fn take(signal: Signal) {
    let number = signal as i32 as u8;
    // Before the flag: who sees that one may end at once and ask which signal it was.
    let is_first = FIRST.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst).is_ok();
    STOP.store(true, Ordering::SeqCst);
    if !is_first || !IS_LOOKED_AT.load(Ordering::SeqCst) {
        std::process::exit(i32::from(code_of(number)));
    }
}

/// Whether `nohup` or another parent has this signal ignored, which stays so.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal as i32 - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_is_130_and_only_a_manager_terminates() {
        assert_eq!(Wish::of(0), None);
        assert_eq!(Wish::of(Signal::SIGTERM as i32 as u8), Some(Wish::Terminated));
        let Some(Wish::Interrupted(number)) = Wish::of(Signal::SIGINT as i32 as u8) else { panic!("Ctrl-C") };
        assert_eq!(code_of(number), 130);
    }
}
