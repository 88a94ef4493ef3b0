//! A fixed set of threads that shares the rows of one operator.
//!
//! Threads are started once. Each has a share of a call's parts that lie side by side, and helps the others when it is done
//! with that; which thread computes a part changes nothing but the time. Because the shares are the same in every call, a
//! thread mostly reads what it wrote for the operator before, from its own cache. Between two calls that follow each other closely the threads look for work without
//! sleeping, because waking a thread takes as long as a small operator.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks for work before it sleeps: some 20 µs, about the time between two operators.
const LOOKS: usize = 4000;

/// Threads that work on one call at a time.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    turn: Mutex<()>,
    /// How many parts of each thread's share are handed out.
    handed_out: Vec<HandedOut>,
    others: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Calls so far; it changes when there is work.
    call: AtomicUsize,
    /// Other threads that have not finished the current call.
    busy: AtomicUsize,
    stopped: AtomicBool,
    panicked: AtomicBool,
    job: Mutex<Option<Job>>,
    wake: Condvar,
}

/// A cache line for each thread's count, so that counting disturbs nobody.
#[derive(Debug, Default)]
#[repr(align(64))]
struct HandedOut(AtomicUsize);

/// The work of one call: what to do with the number of a part.
#[derive(Debug, Clone, Copy)]
struct Job {
    work: *const (dyn Fn(usize) + Sync),
}

// SAFETY: the pointer is to something that may be shared (`Sync`), and is used only while its owner waits in `Team::run`.
unsafe impl Send for Job {}

impl Team {
    /// A team of `threads`, the caller of [`Self::for_each_part`] included; 0 counts as 1.
    ///
    /// # Errors
    /// The system does not start a thread.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        Self::with_start(threads, |_thread| ())
    }

    /// The same; every other thread first calls `start` with its number, from 1 on: to choose its processor core, say. The
    /// caller is thread 0 and calls nothing.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_start(threads: usize, start: impl Fn(usize) + Send + Sync + 'static) -> std::io::Result<Self> {
        let start = Arc::new(start);
        let shared = Arc::new(Shared {
            call: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            job: Mutex::new(None),
            wake: Condvar::new(),
        });
        let handed_out = (0..threads.max(1)).map(|_| HandedOut::default()).collect();
        let mut team = Self { shared, turn: Mutex::new(()), handed_out, others: Vec::new() };
        for index in 1..threads.max(1) {
            let (shared, start) = (Arc::clone(&team.shared), Arc::clone(&start));
            let name = format!("kernels-{index}");
            let other = std::thread::Builder::new().name(name).spawn(move || {
                start(index);
                shared.serve(index);
            })?;
            team.others.push(other);
        }
        Ok(team)
    }

    /// Its threads, the caller included.
    pub fn threads(&self) -> usize {
        self.others.len() + 1
    }

    /// Cuts `output` into parts of `part_len` (the last may be shorter) and calls `work` with the number of each part, the
    /// part, and scratch memory of `scratch_len` that no other part uses at the same time.
    ///
    /// # Panics
    /// `part_len` is 0, `scratch` is shorter than `scratch_len` times the threads, or `work` panics.
    pub fn for_each_part<Number: Send>(
        &self,
        output: &mut [Number],
        part_len: usize,
        scratch: &mut [u8],
        scratch_len: usize,
        work: impl Fn(usize, &mut [Number], &mut [u8]) + Sync,
    ) {
        let parts = output.len().div_ceil(part_len);
        assert!(scratch.len() >= scratch_len * self.threads(), "scratch memory for {} threads", self.threads());
        if self.threads() == 1 || parts == 1 {
            for (index, part) in output.chunks_mut(part_len).enumerate() {
                work(index, part, &mut scratch[..scratch_len]);
            }
            return;
        }
        let (length, output) = (output.len(), Shareable(output.as_mut_ptr()));
        let scratch = Shareable(scratch.as_mut_ptr());
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for handed_out in &self.handed_out {
            handed_out.0.store(0, Ordering::Relaxed);
        }
        let on_thread = |thread: usize| {
            while let Some(index) = self.next_part(thread, parts) {
                let begin = index * part_len;
                // SAFETY: every index is handed out once and parts do not overlap; scratch is the thread's own. Both
                // slices are borrowed until `run` returns, which is after the last thread is done.
                let (part, scratch) = unsafe {
                    (
                        std::slice::from_raw_parts_mut(output.at(begin), part_len.min(length - begin)),
                        std::slice::from_raw_parts_mut(scratch.at(thread * scratch_len), scratch_len),
                    )
                };
                work(index, part, scratch);
            }
        };
        self.run(&on_thread);
    }

    /// The next of `parts` for a thread: of its own share, or of the next thread's that has any left. Each part is handed
    /// out once.
    fn next_part(&self, thread: usize, parts: usize) -> Option<usize> {
        let threads = self.threads();
        (0..threads).map(|further| (thread + further) % threads).find_map(|owner| {
            let share = owner * parts / threads..(owner + 1) * parts / threads;
            let index = share.start + self.handed_out[owner].0.fetch_add(1, Ordering::Relaxed);
            share.contains(&index).then_some(index)
        })
    }

    /// Calls `work` once on every thread, with the thread's number. It is this call's turn.
    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime changes, and this function does not return or unwind before every other thread has
        // finished with the pointer: `busy` is 0 then.
        let work_anywhere: *const (dyn Fn(usize) + Sync) =
            unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work) };
        {
            let mut job = self.shared.lock();
            *job = Some(Job { work: work_anywhere });
            self.shared.busy.store(self.others.len(), Ordering::Relaxed);
            self.shared.call.fetch_add(1, Ordering::Release);
        }
        self.shared.wake.notify_all();
        let own = catch_unwind(AssertUnwindSafe(|| work(0)));
        let mut looks = 0;
        while self.shared.busy.load(Ordering::Acquire) > 0 {
            looks += 1;
            // The others finish their last part soon, unless they have lost their processor to someone else.
            if looks < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!self.shared.panicked.swap(false, Ordering::Relaxed), "another thread of the team panicked");
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        {
            let _job = self.shared.lock();
            self.shared.stopped.store(true, Ordering::Relaxed);
            self.shared.call.fetch_add(1, Ordering::Release);
        }
        self.shared.wake.notify_all();
        for other in self.others.drain(..) {
            // A thread that panicked outside of a job has said so on stderr.
            let _ended = other.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Job>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a thread.
    fn serve(&self, thread: usize) {
        let mut seen = 0;
        loop {
            let job = self.next_job(&mut seen);
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            if let Some(job) = job {
                // SAFETY: the caller of `Team::run` keeps it alive until `busy` is 0.
                let work = unsafe { &*job.work };
                if catch_unwind(AssertUnwindSafe(|| work(thread))).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                self.busy.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Waits for a call that is not the one `seen`.
    fn next_job(&self, seen: &mut usize) -> Option<Job> {
        for _look in 0..LOOKS {
            if self.call.load(Ordering::Acquire) != *seen {
                break;
            }
            std::hint::spin_loop();
        }
        let mut job = self.lock();
        while self.call.load(Ordering::Acquire) == *seen {
            job = self.wake.wait(job).unwrap_or_else(PoisonError::into_inner);
        }
        *seen = self.call.load(Ordering::Acquire);
        *job
    }
}

/// A pointer that threads may share because each uses another part behind it.
struct Shareable<Number>(*mut Number);

// SAFETY: `Team::for_each_part` gives each thread parts of its own.
unsafe impl<Number: Send> Sync for Shareable<Number> {}

impl<Number> Shareable<Number> {
    /// # Safety
    /// `offset` lies within what the pointer was made of.
    unsafe fn at(&self, offset: usize) -> *mut Number {
        // SAFETY: as for this function.
        unsafe { self.0.add(offset) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_worked_on_once_by_any_number_of_threads() {
        for threads in [0, 1, 2, 3, 5] {
            let team = Team::new(threads).unwrap();
            for length in [1, 7, 64, 1000] {
                let mut numbers = vec![0_u32; length];
                let mut scratch = vec![0; 8 * team.threads()];
                team.for_each_part(&mut numbers, 7, &mut scratch, 8, |index, part, scratch| {
                    scratch.fill(index as u8);
                    for number in part.iter_mut() {
                        *number += 1 + u32::from(scratch[0]);
                    }
                    assert!(scratch.iter().all(|byte| *byte == index as u8));
                });
                let expected: Vec<u32> = (0..length).map(|at| 1 + (at / 7) as u32 % 256).collect();
                assert_eq!(numbers, expected, "{threads} threads, {length} numbers");
            }
        }
    }

    #[test]
    fn who_is_done_helps_the_others() {
        for threads in [2, 3] {
            let done = AtomicUsize::new(0);
            // The first part ends after all the others: somebody else computes the rest of its thread's share.
            Team::new(threads).unwrap().for_each_part(&mut [0_u8; 12], 1, &mut [], 0, |index, _part, _scratch| {
                while index == 0 && done.load(Ordering::Acquire) < 11 {
                    std::thread::yield_now();
                }
                done.fetch_add(1, Ordering::Release);
            });
            assert_eq!(done.into_inner(), 12);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_lives_on() {
        let team = Team::new(3).unwrap();
        let mut numbers = vec![0_u8; 100];
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            team.for_each_part(&mut numbers, 1, &mut [], 0, |index, _part, _scratch| assert_ne!(index, 50));
        }));
        assert!(panicked.is_err());
        team.for_each_part(&mut numbers, 1, &mut [], 0, |_index, part, _scratch| part[0] = 1);
        assert!(numbers.iter().all(|number| *number == 1));
    }
}
