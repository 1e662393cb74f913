//! Connections that have not said yet what they want.
//!
//! Each costs a little memory and is not authenticated yet, so their number is limited: one more ends the
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
    clients: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A connection among them, until dropped.
#[derive(Debug)]
pub(crate) struct PendingClient {
    pending: Arc<Pending>,
    number: u64,
    evicted: oneshot::Receiver<()>,
}

impl Pending {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default() }
    }

    /// Adds a connection. If there are too many, the oldest one is evicted.
    pub(crate) fn enter(self: &Arc<Self>) -> PendingClient {
        let (sender, evicted) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.clients.len() >= self.limit {
            waiting.clients.pop_first();
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.clients.insert(number, sender);
        PendingClient { pending: Arc::clone(self), number, evicted }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingClient {
    /// Completes when this connection has to end because newer ones came.
    pub(crate) async fn evicted(&mut self) {
        let _ = (&mut self.evicted).await;
    }
}

impl Drop for PendingClient {
    fn drop(&mut self) {
        self.pending.lock().clients.remove(&self.number);
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
        assert_eq!(pending.lock().clients.len(), 2);
        drop((first, second));
        assert_eq!(pending.lock().clients.len(), 1);
        drop(third);
        assert!(pending.lock().clients.is_empty());
    }
}
