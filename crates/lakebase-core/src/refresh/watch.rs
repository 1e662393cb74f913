//! Waiting for new values without keeping their cache alive.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use arc_swap::ArcSwapOption;

use super::bell::Bell;
use super::value::Entry;
use super::{Generation, Held, Moment};
use crate::Clock;

/// A view of a [`Cache`](super::Cache) that does not keep it alive.
#[derive(Clone, Debug)]
pub struct Watch<T> {
    pub(super) board: Arc<Board<T>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl<T> Watch<T> {
    /// Completes once there is a living value newer than `seen`, at once if there is; with `None` once the
    /// cache is gone. Starts no fetch.
    pub async fn changed(&self, seen: Option<Generation>) -> Option<Held<T>> {
        let listener = self.board.bell.listener();
        poll_fn(|context| {
            listener.register(context.waker());
            if self.board.closed.load(Ordering::Acquire) {
                return Poll::Ready(None);
            }
            match self.board.newer_than(seen, Moment::now(&*self.clock)) {
                Some(held) => Poll::Ready(Some(held)),
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// The part that readers and watchers see; it outlives the cache while somebody watches.
#[derive(Debug)]
pub(super) struct Board<T> {
    pub(super) slot: ArcSwapOption<Entry<T>>,
    pub(super) bell: Arc<Bell>,
    pub(super) closed: AtomicBool,
}

impl<T> Default for Board<T> {
    fn default() -> Self {
        let (slot, closed) = (ArcSwapOption::empty(), AtomicBool::new(false));
        Self { slot, bell: Arc::default(), closed }
    }
}

impl<T> Board<T> {
    pub(super) fn living(&self, now: Moment) -> Option<Held<T>> {
        let entry = self.slot.load_full().filter(|entry| !entry.left(now).is_zero())?;
        Some(entry.into())
    }

    pub(super) fn newer_than(&self, seen: Option<Generation>, now: Moment) -> Option<Held<T>> {
        self.living(now).filter(|held| seen.is_none_or(|seen| held.generation() > seen))
    }
}
