//! Waiting for new values without keeping their cache alive.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use super::cache::Board;
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
