//! Connections that have not said yet what they want.
//!
//! Each costs a little memory and nobody has asked who it is, so there may be only so many: one more ends the
//! oldest. A client that speaks at once gets in also while thousands are silent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// All connections that are starting up.
#[derive(Debug)]
pub(crate) struct Pending {
    limit: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// In the order of their arrival.
    places: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A place among them, until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pending: Arc<Pending>,
    number: u64,
    evicted: oneshot::Receiver<()>,
}

impl Pending {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default() }
    }

    /// Takes a place, if need be that of the oldest.
    pub(crate) fn enter(self: &Arc<Self>) -> Place {
        let (sender, evicted) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.places.len() >= self.limit {
            waiting.places.pop_first();
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.places.insert(number, sender);
        Place { pending: Arc::clone(self), number, evicted }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Completes when somebody else has taken the place.
    pub(crate) async fn evicted(&mut self) {
        let _ = (&mut self.evicted).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pending.lock().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_makes_room() {
        let pending = Arc::new(Pending::new(2));
        let (mut first, second, third) = (pending.enter(), pending.enter(), pending.enter());
        first.evicted().await;
        assert_eq!(pending.lock().places.len(), 2);
        drop((first, second));
        assert_eq!(pending.lock().places.len(), 1);
        drop(third);
        assert!(pending.lock().places.is_empty());
    }
}
