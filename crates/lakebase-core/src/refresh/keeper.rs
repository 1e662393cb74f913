//! The optional task that fetches the next value when nobody asks.
//!
//! It holds the cache weakly and sleeps in slices, because a long sleep is late after a suspend.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use futures::future::select;

use super::inner::Inner;
use super::watch::Board;
use super::{Expires, Policy};
use crate::Timer;

/// Whether the task is wanted, and whether there is one.
#[derive(Debug, Default)]
pub(super) struct Switch {
    wanted: AtomicBool,
    running: AtomicBool,
}

impl Switch {
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }
}

/// Starts the task anew if it was asked for and its runtime ended.
pub(super) fn start_if_wanted<T: Expires>(inner: &Arc<Inner<T>>) {
    let switch = &inner.keeper;
    if switch.wanted.load(Ordering::Relaxed) && !switch.running.load(Ordering::Relaxed) {
        start(inner);
    }
}

/// Starts the task unless there is one.
pub(super) fn start<T: Expires>(inner: &Arc<Inner<T>>) {
    let Some(spawn) = &inner.runtime.spawn else { return };
    if inner.keeper.running.swap(true, Ordering::AcqRel) {
        return;
    }
    let running = Running(Arc::downgrade(inner));
    let (board, timer) = (Arc::clone(&inner.board), Arc::clone(&inner.runtime.timer));
    spawn.spawn(Box::pin(async move { keep(&running.0, &board, &*timer).await }));
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
        let Some(wait) = cache.upgrade().map(|inner| inner.tick()) else { return };
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
