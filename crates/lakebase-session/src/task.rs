//! Tasks that end with what they serve.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::future::{AbortHandle, abortable};
use lakebase_core::Spawn;

/// Ends a future of [`abortable`] when it is dropped.
#[derive(Debug)]
pub struct AbortOnDrop(pub AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// At most one task at a time, which ends when this is dropped.
#[derive(Default)]
pub struct SingleTask(Mutex<Option<Running>>);

struct Running {
    /// Held by the task alone, so it tells whether the task runs.
    alive: Weak<()>,
    _end: AbortOnDrop,
}

impl SingleTask {
    /// Starts the task that `work` makes, unless one runs. One that ended, by itself or with its runtime, is started anew.
    pub fn start<F>(&self, spawn: &dyn Spawn, work: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|task| task.alive.strong_count() > 0) {
            return;
        }
        let held = Arc::new(());
        let alive = Arc::downgrade(&held);
        let (work, end) = abortable(work());
        *running = Some(Running { alive, _end: AbortOnDrop(end) });
        spawn.spawn(Box::pin(async move {
            let _ = work.await;
            drop(held);
        }));
    }
}

impl fmt::Debug for SingleTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleTask").finish_non_exhaustive()
    }
}
