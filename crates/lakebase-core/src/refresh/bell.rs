//! Wakes every task that waits for one thing to happen.
//!
//! A listener registers *before* it looks whether the thing has happened, so no ring is missed.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Locks `mutex`; what it guards is never left half-changed, so a panic elsewhere does not matter.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The list of those who wait. As a [`Waker`], it wakes all of them.
#[derive(Debug, Default)]
pub(super) struct Bell(Mutex<Listeners>);

#[derive(Debug, Default)]
struct Listeners {
    last_key: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Bell {
    /// Wakes and forgets all listeners; those who still wait register again when polled.
    pub(super) fn ring(&self) {
        let wakers = mem::take(&mut lock(&self.0).wakers);
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    /// A place in the list.
    pub(super) fn listener(self: &Arc<Self>) -> Listener {
        let mut listeners = lock(&self.0);
        listeners.last_key += 1;
        Listener { key: listeners.last_key, bell: Arc::clone(self) }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// One task's place in the list, given up when dropped.
#[derive(Debug)]
pub(super) struct Listener {
    bell: Arc<Bell>,
    key: u64,
}

impl Listener {
    /// Which place this is.
    pub(super) fn key(&self) -> u64 {
        self.key
    }

    /// Asks to be woken through `waker` at the next ring.
    pub(super) fn register(&self, waker: &Waker) {
        let mut listeners = lock(&self.bell.0);
        match listeners.wakers.get_mut(&self.key) {
            Some(known) => known.clone_from(waker),
            None => drop(listeners.wakers.insert(self.key, waker.clone())),
        }
    }

    /// Whether there was no ring since the last registration.
    pub(super) fn is_waiting(&self) -> bool {
        lock(&self.bell.0).wakers.contains_key(&self.key)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let waker = lock(&self.bell.0).wakers.remove(&self.key);
        drop(waker);
    }
}
