//! Batches made ahead of time on background threads, handed over in step order.
//!
//! Worker `i` of `n` makes the steps ≡ `i` (mod `n`) into its own bounded channel and the loop reads the channels in
//! turn, so the order is that of the steps whatever the threads' timing.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use super::Task;
use crate::Error;

/// Batches each worker may hold ready: enough to hide a slow decode, few enough to cost no memory to speak of.
const READY_PER_WORKER: usize = 2;

/// The receiving end.
pub(super) struct Loader<Batch> {
    channels: Vec<Receiver<Result<Batch, Error>>>,
    next: usize,
}

impl<Batch: Send> Loader<Batch> {
    /// Starts `workers` threads that make the batches of `steps`.
    pub(super) fn start<'scope, 'env, T>(
        scope: &'scope Scope<'scope, 'env>,
        task: &'env T,
        steps: std::ops::Range<u64>,
        workers: usize,
    ) -> Self
    where
        T: Task<Batch = Batch>,
        Batch: 'scope,
    {
        let workers = workers.max(1);
        let channels = (0..workers)
            .map(|worker| {
                let (sender, receiver) = sync_channel(READY_PER_WORKER);
                let own_steps = steps.clone().skip(worker).step_by(workers);
                scope.spawn(move || fill(task, own_steps, &sender));
                receiver
            })
            .collect();
        Self { channels, next: 0 }
    }

    /// The next batch in step order; waits for it. Dropping the loader ends its threads.
    pub(super) fn next(&mut self) -> Option<Result<Batch, Error>> {
        let batch = self.channels[self.next].recv().ok();
        self.next = (self.next + 1) % self.channels.len();
        batch
    }
}

fn fill<T: Task>(task: &T, steps: impl Iterator<Item = u64>, sender: &SyncSender<Result<T::Batch, Error>>) {
    for step in steps {
        let batch = task.batch(step);
        let failed = batch.is_err();
        // A send fails when the loop has ended: nothing is left to do.
        if sender.send(batch).is_err() || failed {
            return;
        }
    }
}
