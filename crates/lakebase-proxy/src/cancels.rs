//! Which statement a cancel request is for.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lakebase_session::startup::CancelKey;
use lakebase_session::{Reached, Upstream};
use tokio::time::timeout;

/// How long a server may take to deal with a cancel request.
const LIMIT: Duration = Duration::from_secs(10);

/// The keys that clients got, and what each stands for.
#[derive(Debug, Default)]
pub(crate) struct Cancels(Mutex<HashMap<CancelKey, Arc<Cancellable>>>);

/// A session at its server.
pub(crate) struct Cancellable {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) reached: Reached,
    /// What the server calls it.
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
    pub(crate) fn new(upstream: Arc<Upstream>, reached: Reached, key: CancelKey) -> Self {
        Self { upstream, reached, key, requested: AtomicBool::new(false) }
    }
}

impl fmt::Debug for Cancellable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellable").field("reached", &self.reached).finish_non_exhaustive()
    }
}

impl Cancels {
    /// From now on `key`, which a client is told, stands for that session.
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
            // While nobody can take the key away: whoever does sees it.
            if let Some(found) = &found {
                found.requested.store(true, Ordering::Relaxed);
            }
            found
        };
        let Some(found) = found else { return false };
        let Cancellable { upstream, reached, key, .. } = &*found;
        let _ = timeout(LIMIT, upstream.cancel(reached, key)).await;
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CancelKey, Arc<Cancellable>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered<'_> {
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
