//! Processor cores: which threads run where.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::OnceLock;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use parallax_kernels::team::Team;

use crate::{EdgeError, Result};

/// Where the threads that share a frame run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Wherever the system puts them.
    Anywhere,
    /// Each on a core of its own, the same ones all the time: no frame waits for a thread to be moved, and its numbers are
    /// in that core's cache.
    Pinned,
}

/// The thread that the system calls thread 0: whichever asks.
const CALLER: Pid = Pid::from_raw(0);

/// The cores that the program was given, best first; none where the system does not say. A thread that has moved to one core
/// sees only that one, so they are asked for once.
pub(crate) fn cores() -> &'static [usize] {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(|| {
        let given = sched_getaffinity(CALLER).unwrap_or_default();
        let given: Vec<_> = (0..CpuSet::count()).filter(|core| given.is_set(*core).unwrap_or(false)).collect();
        best_first(Path::new("/sys/devices/system/cpu"), &given)
    })
}

/// Fast cores before slow ones (`cpu_capacity`, on ARM boards with both), and one of each that share their arithmetic
/// (`thread_siblings_list`, on x86) before any second one; else in the system's order.
fn best_first(system: &Path, cores: &[usize]) -> Vec<usize> {
    let said = |core: usize, file: &str| {
        let text = std::fs::read_to_string(system.join(format!("cpu{core}")).join(file)).ok()?;
        Some(text.trim().to_owned())
    };
    let siblings: Vec<_> = cores.iter().map(|core| said(*core, "topology/thread_siblings_list")).collect();
    let before = |index: usize| match &siblings[index] {
        Some(own) => siblings[..index].iter().flatten().filter(|other| *other == own).count(),
        None => 0,
    };
    let key = |(index, core): (usize, &usize)| {
        let capacity = said(*core, "cpu_capacity").and_then(|text| text.parse::<u32>().ok());
        (before(index), Reverse(capacity), *core)
    };
    let mut keys: Vec<_> = cores.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, _, core)| core).collect()
}

/// A team of `threads` that run where `placement` says; the caller's own place is [`place_caller`]'s.
///
/// # Errors
/// The system does not start a thread, or there are fewer cores than threads to have one each.
pub(crate) fn team(threads: usize, placement: Placement) -> Result<Team> {
    let started = match placement {
        Placement::Anywhere => Team::new(threads),
        Placement::Pinned if cores().len() < threads => {
            return Err(EdgeError::TooFewCores { threads, cores: cores().len() });
        }
        Placement::Pinned => Team::with_start(threads, place),
    };
    started.map_err(|source| EdgeError::NoThreads { threads, source })
}

/// Puts the calling thread, the first of a team's, where `placement` says.
pub(crate) fn place_caller(placement: Placement) {
    if placement == Placement::Pinned {
        place(0);
    }
}

/// Puts the calling thread onto the core of the thread with this number. A system that does not want to is no reason to
/// stop: numbers are the same everywhere.
fn place(thread: usize) {
    let Some(core) = cores().get(thread) else { return };
    let mut only = CpuSet::new();
    if let Err(error) = only.set(*core).and_then(|()| sched_setaffinity(CALLER, &only)) {
        tracing::warn!("thread {thread} stays where the system puts it: core {core}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn own_cores() -> Vec<usize> {
        let set = sched_getaffinity(CALLER).unwrap();
        (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap()).collect()
    }

    #[test]
    fn pinned_threads_have_a_core_each_and_the_others_all() {
        let all = own_cores();
        // In a thread of its own, whose place nobody else sees.
        std::thread::spawn(move || {
            for threads in 1..=all.len().min(4) {
                for placement in [Placement::Anywhere, Placement::Pinned] {
                    let team = team(threads, placement).unwrap();
                    let seen = Mutex::new(Vec::new());
                    place_caller(placement);
                    // A part for each thread: nobody finishes before all have begun.
                    let begun = std::sync::Barrier::new(threads);
                    team.for_each_part(&mut vec![0_u8; threads], 1, &mut [], 0, |_index, _part, _scratch| {
                        begun.wait();
                        seen.lock().unwrap().push(own_cores());
                    });
                    let mut seen = seen.into_inner().unwrap();
                    seen.sort();
                    let expected: Vec<Vec<usize>> = match placement {
                        Placement::Anywhere if threads == 1 => vec![all.clone()],
                        Placement::Anywhere => continue,
                        Placement::Pinned => {
                            let mut best: Vec<_> = cores().iter().take(threads).map(|core| vec![*core]).collect();
                            best.sort();
                            best
                        }
                    };
                    assert_eq!(seen, expected, "{threads} threads, {placement:?}");
                }
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn fast_cores_come_first_and_second_halves_of_a_core_last() {
        let root = tempfile::tempdir().unwrap();
        let write = |core: usize, file: &str, text: &str| {
            let path = root.path().join(format!("cpu{core}")).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        // Nothing is known.
        assert_eq!(best_first(root.path(), &[0, 1, 3]), [0, 1, 3]);
        // Two cores, each in two halves.
        for (core, siblings) in ["0-1\n", "0-1\n", "2-3\n", "2-3\n"].into_iter().enumerate() {
            write(core, "topology/thread_siblings_list", siblings);
        }
        assert_eq!(best_first(root.path(), &[0, 1, 2, 3]), [0, 2, 1, 3]);
        assert_eq!(best_first(root.path(), &[1, 2, 3]), [1, 2, 3]);
        // Slow ones and fast ones, whole.
        for (core, (siblings, capacity)) in
            [("4", "446"), ("5", "446"), ("6", "1024"), ("7", "1024")].iter().enumerate()
        {
            write(4 + core, "topology/thread_siblings_list", siblings);
            write(4 + core, "cpu_capacity", capacity);
        }
        assert_eq!(best_first(root.path(), &[4, 5, 6, 7]), [6, 7, 4, 5]);
    }

    #[test]
    fn more_threads_than_cores_cannot_be_pinned() {
        let error = team(100_000, Placement::Pinned).unwrap_err();
        assert!(matches!(error, EdgeError::TooFewCores { threads: 100_000, .. }), "{error}");
    }
}
