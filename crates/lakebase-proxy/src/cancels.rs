//! Which statement a cancel request is for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use lakebase_session::startup::CancelKey;
use lakebase_session::{Peer, Upstream};
use tokio::time::timeout;

/// How long a server may take to deal with a cancel request.
const LIMIT: Duration = Duration::from_secs(10);

/// The keys that clients got, and what each stands for.
#[derive(Debug, Default)]
pub(crate) struct Cancels(Mutex<HashMap<CancelKey, Arc<Cancellable>>>);

/// A session at its server.
pub(crate) struct Cancellable {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) peer: Peer,
    /// The server's key of it.
    pub(crate) key: CancelKey,
    /// A request was or is being sent.
    requested: AtomicBool,
}

/// A client's key, which is forgotten when dropped.
#[derive(Debug)]
pub(crate) struct Registered<'a> {
    cancels: &'a Cancels,
    key: CancelKey,
    cancellable: Arc<Cancellable>,
}

impl Cancellable {
    pub(crate) fn new(upstream: Arc<Upstream>, peer: Peer, key: CancelKey) -> Self {
        Self { upstream, peer, key, requested: AtomicBool::new(false) }
    }

    /// Asks the server to cancel; done when it has dealt with that.
    async fn cancel(&self) {
        let _ = timeout(LIMIT, self.upstream.cancel(&self.peer, &self.key)).await;
    }
}

impl fmt::Debug for Cancellable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellable").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Cancels {
    /// From now on `key`, which the client gets, stands for that session.
    pub(crate) fn register(&self, key: CancelKey, cancellable: Cancellable) -> Registered<'_> {
        let cancellable = Arc::new(cancellable);
        self.lock().insert(key.clone(), Arc::clone(&cancellable));
        Registered { cancels: self, key, cancellable }
    }

    /// Passes a request on to where its session is; done when the server has dealt with it. False about a session that is not
    /// known.
    pub(crate) async fn request(&self, key: &CancelKey) -> bool {
        let found = {
            let known = self.lock();
            let found = known.get(key).cloned();
            // Under the lock, so that `Registered::end`, which removes the key, sees it.
            if let Some(found) = &found {
                found.requested.store(true, Ordering::Relaxed);
            }
            found
        };
        let Some(found) = found else { return false };
        found.cancel().await;
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CancelKey, Arc<Cancellable>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the other side of a connection is out of reach, and has not just ended it.
pub(crate) fn vanished(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    matches!(error.kind(), HostUnreachable | NetworkDown | NetworkUnreachable | TimedOut)
}

impl Registered<'_> {
    /// Ends the statement of a session one side of which is out of reach: a server that computes looks for its client only when it
    /// has something to send.
    pub(crate) async fn abandon(self) {
        self.cancellable.cancel().await;
    }

    /// Forgets the key. Whether any request was ever passed on, which may arrive at any time.
    pub(crate) fn end(self) -> bool {
        self.cancels.lock().remove(&self.key);
        self.cancellable.requested.load(Ordering::Relaxed)
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.cancels.lock().remove(&self.key);
    }
}
