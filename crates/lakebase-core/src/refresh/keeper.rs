//! The optional task that fetches the next value when nobody asks.
//!
//! It holds the cache weakly and sleeps in slices, because a long sleep is late after a suspend.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::select;

use super::inner::Inner;
use super::watch::Board;
use super::{Expires, Policy};
use crate::Timer;

/// How many want the task, and whether there is one.
#[derive(Debug, Default)]
pub(super) struct Switch {
    wanted: AtomicUsize,
    running: AtomicBool,
}

impl Switch {
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > 0
    }
}

/// Keeps a cache fetching in the background; the last one that is dropped ends that.
///
/// It does not keep the cache alive.
#[derive(Debug)]
#[must_use = "the background task ends when this is dropped"]
pub struct KeepFresh<T: Expires>(Weak<Inner<T>>);

impl<T: Expires> KeepFresh<T> {
    pub(super) fn new(inner: &Arc<Inner<T>>) -> Self {
        inner.keeper.wanted.fetch_add(1, Ordering::AcqRel);
        start(inner);
        Self(Arc::downgrade(inner))
    }
}

impl<T: Expires> Drop for KeepFresh<T> {
    fn drop(&mut self) {
        let Some(inner) = self.0.upgrade() else { return };
        if inner.keeper.wanted.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The task wakes, finds that nobody wants it, and ends.
            inner.board.bell.ring();
        }
    }
}

/// Starts the task anew if it was asked for and its runtime ended.
pub(super) fn start_if_wanted<T: Expires>(inner: &Arc<Inner<T>>) {
    let switch = &inner.keeper;
    if switch.is_wanted() && !switch.running.load(Ordering::Relaxed) {
        start(inner);
    }
}

/// Starts the task unless there is one.
pub(super) fn start<T: Expires>(inner: &Arc<Inner<T>>) {
    let Some(spawn) = &inner.spawn else { return };
    if inner.keeper.running.swap(true, Ordering::AcqRel) {
        return;
    }
    let running = Running(Arc::downgrade(inner));
    let (board, timer) = (Arc::clone(&inner.board), Arc::clone(&inner.timer));
    spawn.spawn(Box::pin(async move {
        keep(&running.0, &board, &*timer).await;
        let cache = Weak::clone(&running.0);
        drop(running);
        // Somebody may have wanted it again just before it ended.
        if let Some(inner) = cache.upgrade() {
            start_if_wanted(&inner);
        }
    }));
}

/// Clears the mark also when the task is dropped.
struct Running<T: Expires>(Weak<Inner<T>>);

impl<T: Expires> Drop for Running<T> {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.keeper.running.store(false, Ordering::Release);
        }
    }
}

async fn keep<T: Expires>(cache: &Weak<Inner<T>>, board: &Board<T>, timer: &dyn Timer) {
    let listener = board.bell.listener();
    loop {
        // Registered before the look at the machine, so that no news is missed in between.
        poll_fn(|context| {
            listener.register(context.waker());
            Poll::Ready(())
        })
        .await;
        let Some(inner) = cache.upgrade().filter(|inner| inner.keeper.is_wanted()) else { return };
        let wait = inner.tick();
        drop(inner);
        let news = poll_fn(|context| {
            if board.closed.load(Ordering::Acquire) || !listener.is_waiting() {
                return Poll::Ready(());
            }
            listener.register(context.waker());
            Poll::Pending
        });
        let nap = wait.clamp(Duration::from_millis(1), Policy::SLICE);
        select(pin!(news), timer.sleep(nap)).await;
    }
}
