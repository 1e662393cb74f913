//! Sessions at one server that client after client has.
//!
//! A session is used again after a reset, by a client with the same [key](Key). If none is idle, the
//! pool opens one, up to its size; further clients wait in line. An idle session of another key is closed to make
//! room.
//!
//! Nothing is asked of the server while no client needs it: idle sessions are listened to, so that the end of one is noticed at
//! once, and closed after a while. A compute that would be suspended is not kept awake by them.

mod checkout;
mod counters;
mod keep;
mod key;
mod named;
mod options;
mod queue;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::future::AbortHandle;
use lakebase_core::Jitter;
use lakebase_core::connect::Connector;
use lakebase_session::{ReusableSession, Upstream};

pub(crate) use self::checkout::{CheckedOut, Checkout, Denied};
use self::counters::Counters;
pub use self::counters::PoolStats;
use self::key::Key;
pub(crate) use self::key::Wanted;
pub use self::options::PoolOptions;
use self::queue::{Idle, Queue};

/// The sessions at one server.
#[derive(Debug)]
pub(crate) struct Pool {
    options: PoolOptions,
    connector: Connector,
    upstream: Arc<Upstream>,
    counters: Counters,
    /// No session is used again.
    draining: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: Queue<Key, Box<ReusableSession>>,
    jitter: Jitter,
    /// Of the task that listens to idle sessions.
    keeper: Waker,
    /// When that task will look after them in any case.
    alarm: Option<Duration>,
    /// Resets under way, and until when each may last.
    resets: BTreeMap<u64, (Duration, AbortHandle)>,
    next_reset: u64,
}

impl Pool {
    pub(crate) fn new(options: PoolOptions, connector: Connector, upstream: Arc<Upstream>) -> Self {
        let queue = Queue::new(options.size);
        let inner = Inner {
            queue,
            jitter: Jitter::new(),
            keeper: Waker::noop().clone(),
            alarm: None,
            resets: BTreeMap::new(),
            next_reset: 0,
        };
        Self {
            options,
            connector,
            upstream,
            counters: Counters::default(),
            draining: AtomicBool::new(false),
            inner: Mutex::new(inner),
        }
    }

    /// The counts so far, and the present numbers.
    pub(crate) fn stats(&self) -> PoolStats {
        let counts = self.lock().queue.counts();
        self.counters.snapshot(self.options.size, counts)
    }

    pub(crate) fn options(&self) -> &PoolOptions {
        &self.options
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.connector.runtime().clock.monotonic()
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// When a session that is opened now becomes too old: the lifetime, less a random tenth.
    fn expiry(&self) -> Duration {
        let lifetime = self.options.max_lifetime;
        let share = 1.0 - self.lock().jitter.fraction() / 10.0;
        self.now().saturating_add(lifetime.mul_f64(share))
    }
}
