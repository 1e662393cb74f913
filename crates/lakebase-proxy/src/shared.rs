//! What the sessions of a proxy share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::cancels::Cancels;
use crate::pending::Pending;
use crate::stats::Counters;

/// The least limit on connections that start up at once. With few sessions allowed, clients that come together would
/// otherwise end each other.
const MIN_PENDING: usize = 64;

/// How a proxy is doing, as its sessions see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Clients are welcome.
    Serving,
    /// Sessions go on; new clients are rejected.
    Draining,
    /// Sessions end now.
    Closing,
}

/// State that the sessions of a proxy share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    pub(crate) pending: Arc<Pending>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) startup_timeout: Duration,
    pub(crate) cancels: Cancels,
}

impl Shared {
    pub(crate) fn new(max_connections: usize, startup_timeout: Duration) -> Self {
        Self {
            counters: Counters::default(),
            pending: Arc::new(Pending::new(max_connections.max(MIN_PENDING))),
            places: Arc::new(Semaphore::new(max_connections)),
            startup_timeout,
            cancels: Cancels::default(),
        }
    }
}

/// Completes once the proxy is at least at `goal`, or gone.
pub(crate) async fn until(phase: &mut watch::Receiver<Phase>, goal: Phase) {
    let _ = phase.wait_for(|phase| *phase as u8 >= goal as u8).await;
}
