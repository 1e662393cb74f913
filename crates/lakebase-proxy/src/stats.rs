//! The counters of a proxy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use lakebase_core::ErrorKind;

/// Counts since the proxy was started. All but `sessions` only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that clients opened, cancel requests among them.
    pub accepted: u64,
    /// Clients that were rejected before a login: too many, too late, malformed, or not allowed in.
    pub rejected: u64,
    /// Sessions that are open or logging in.
    pub sessions: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins that failed, by [`ErrorKind::as_str`].
    pub failed_logins: BTreeMap<&'static str, u64>,
    /// Cancel requests for a session that is known.
    pub cancel_requests: u64,
    /// Bytes from clients to servers, after the login.
    pub bytes_to_servers: u64,
    /// Bytes from servers to clients, after the login.
    pub bytes_to_clients: u64,
}

/// The same while it is being counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) sessions: AtomicU64,
    pub(crate) logins: AtomicU64,
    pub(crate) cancel_requests: AtomicU64,
    pub(crate) to_servers: AtomicU64,
    pub(crate) to_clients: AtomicU64,
    pub(crate) cut: AtomicU64,
    failed: Mutex<BTreeMap<&'static str, u64>>,
}

pub(crate) fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A session that is counted until dropped.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a AtomicU64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counters {
    /// One more session, until the result is dropped.
    pub(crate) fn session(&self) -> Counted<'_> {
        one_more(&self.sessions);
        Counted(&self.sessions)
    }

    pub(crate) fn failed(&self, kind: ErrorKind) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed.entry(kind.as_str()).or_default() += 1;
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            accepted: read(&self.accepted),
            rejected: read(&self.rejected),
            sessions: read(&self.sessions),
            logins: read(&self.logins),
            failed_logins: self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            cancel_requests: read(&self.cancel_requests),
            bytes_to_servers: read(&self.to_servers),
            bytes_to_clients: read(&self.to_clients),
        }
    }
}
