//! Wakes every task that waits for the same event.
//!
//! A waiter registers its waker *before* it checks for the event, so it misses no notification in between.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake, Waker};

/// Locks `mutex`, also after a panic: no caller leaves the data half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A list of waiters. As a [`Waker`], it notifies all of them.
#[derive(Debug, Default)]
pub(crate) struct Notify(Mutex<Waiters>);

#[derive(Debug, Default)]
struct Waiters {
    last_id: u64,
    notifications: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Notify {
    /// Wakes and removes all waiters. A waiter that is polled again registers again.
    pub(crate) fn notify_waiters(&self) {
        let mut waiters = lock(&self.0);
        waiters.notifications += 1;
        let wakers = mem::take(&mut waiters.wakers);
        drop(waiters);
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    /// Adds a waiter, which is not registered yet.
    pub(crate) fn waiter(&self) -> Waiter<'_> {
        let mut waiters = lock(&self.0);
        waiters.last_id += 1;
        Waiter { id: waiters.last_id, notify: self }
    }

    /// How many notifications there have been.
    pub(crate) fn notifications(&self) -> u64 {
        lock(&self.0).notifications
    }

    /// Runs `check` now and after each notification, until it returns a value.
    pub(crate) async fn wait_until<R>(&self, mut check: impl FnMut() -> Option<R>) -> R {
        let waiter = self.waiter();
        poll_fn(|context| {
            waiter.register(context.waker());
            check().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        self.notify_waiters();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify_waiters();
    }
}

/// One waiting task. Dropping it removes it from the list.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    id: u64,
    notify: &'a Notify,
}

impl Waiter<'_> {
    /// Identifies the waiter among those of its [`Notify`]. Starts at 1.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Wakes `waker` at the next notification.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut waiters = lock(&self.notify.0);
        match waiters.wakers.get_mut(&self.id) {
            Some(known) => known.clone_from(waker),
            None => drop(waiters.wakers.insert(self.id, waker.clone())),
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let waker = lock(&self.notify.0).wakers.remove(&self.id);
        drop(waker);
    }
}
