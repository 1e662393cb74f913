//! The optional background task, which fetches the next value ahead of its expiry.
//!
//! The task sleeps for at most [`Policy::LONGEST_SLEEP`], because a long sleep ends late after a suspend.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::select;

use super::Policy;
use crate::notify::{Notify, lock};
use crate::{MaybeSend, Spawn, Timer};

/// Counts the [`KeepFresh`] handles of a cache, and runs one task while there are any.
#[derive(Debug, Default)]
pub(super) struct Background {
    state: Mutex<State>,
    /// Notified when the cache changed, or when the last handle was dropped.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    handles: usize,
    /// The task that runs.
    task: Option<u64>,
    last_task: u64,
}

/// Keeps a cache fetching in the background. The task ends when the last handle is dropped.
///
/// It does not keep the cache alive.
#[derive(Debug)]
#[must_use = "the background task ends when this is dropped"]
pub struct KeepFresh(Arc<Background>);

impl KeepFresh {
    pub(super) fn new(background: &Arc<Background>) -> Self {
        lock(&background.state).handles += 1;
        Self(Arc::clone(background))
    }
}

impl Drop for KeepFresh {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.handles -= 1;
        let is_last = state.handles == 0;
        drop(state);
        if is_last {
            self.0.changed.notify_waiters();
        }
    }
}

impl Background {
    /// Spawns the task if there is a handle and no task runs, for example because its runtime ended.
    ///
    /// `refresh` starts a fetch if one is due and returns the time until the next one is; `None` if the cache was dropped.
    pub(super) fn start(
        self: &Arc<Self>,
        spawn: &dyn Spawn,
        timer: &Arc<dyn Timer>,
        refresh: impl Fn() -> Option<Duration> + MaybeSend + 'static,
    ) {
        let mut state = lock(&self.state);
        if state.handles == 0 || state.task.is_some() {
            return;
        }
        state.last_task += 1;
        state.task = Some(state.last_task);
        let task = Task { id: state.last_task, background: Arc::clone(self) };
        drop(state);
        let timer = Arc::clone(timer);
        spawn.spawn(Box::pin(async move { task.run(refresh, &*timer).await }));
    }
}

/// Marks the task as running until it is dropped, by itself or with its runtime.
struct Task {
    id: u64,
    background: Arc<Background>,
}

impl Task {
    async fn run(&self, refresh: impl Fn() -> Option<Duration>, timer: &dyn Timer) {
        let changed = &self.background.changed;
        loop {
            let seen = changed.notifications();
            if self.ends() {
                return;
            }
            let Some(wait) = refresh() else { return };
            let news = changed.wait_until(|| (changed.notifications() != seen).then_some(()));
            let nap = wait.clamp(Duration::from_millis(1), Policy::LONGEST_SLEEP);
            select(pin!(news), timer.sleep(nap)).await;
        }
    }

    /// Whether the last handle was dropped. If so, the next handle starts a new task.
    fn ends(&self) -> bool {
        let mut state = lock(&self.background.state);
        let ends = state.handles == 0;
        if ends {
            state.task = None;
        }
        ends
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        lock(&self.background.state).task.take_if(|id| *id == self.id);
    }
}
