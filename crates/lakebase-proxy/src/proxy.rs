//! All listeners together: start, readiness, drain.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lakebase_core::connect::Connector;
use lakebase_core::refresh::Status;
use lakebase_core::{Error, ErrorKind, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::listener::{Address, Bound, Listener};
use crate::pool::{Pool, PoolStats};
use crate::shared::{Phase, Shared};
use crate::stats::Stats;

/// How long the last sessions may take to end once they were told to.
const CLOSING: Duration = Duration::from_secs(5);
/// The pause after an endpoint could not be found for the background renewal of its token.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// How many clients there may be, and how long they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at once, those that are logging in among them; one more is rejected with SQLSTATE 53300. As many
    /// connections, but at least 64, may be starting up; one more ends the oldest of these. Default: 500.
    pub max_connections: usize,
    /// From a client's first byte to its `StartupMessage`, TLS and password included. Default: 10 s.
    pub startup_timeout: Duration,
    /// How long sessions may go on after the end was asked for. Default: 30 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 500,
            startup_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// How a [`Proxy`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Sessions that had to be cut when the time was over.
    pub cut: u64,
}

/// Local addresses whose clients are logged in to Lakebase. Needs a tokio runtime with time and I/O.
#[derive(Debug)]
pub struct Proxy {
    listeners: Vec<Bound>,
    shared: Arc<Shared>,
    drain_timeout: Duration,
    phase: watch::Sender<Phase>,
}

impl Proxy {
    /// Opens all sockets. Clients queue there until [`run`](Self::run) serves them; nothing is asked of a workspace.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a listener is not allowed to be where it shall be, or cannot.
    pub async fn bind(
        listeners: impl IntoIterator<Item = Listener>,
        limits: Limits,
    ) -> Result<Self> {
        let Limits { max_connections, startup_timeout, drain_timeout } = limits;
        if max_connections == 0 || max_connections > tokio::sync::Semaphore::MAX_PERMITS {
            let message = "max_connections is out of range; accepted: 1 or more";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut bound = Vec::new();
        for listener in listeners {
            bound.push(listener.bind().await?);
        }
        Ok(Self {
            listeners: bound,
            shared: Arc::new(Shared::new(max_connections, startup_timeout)),
            drain_timeout,
            phase: watch::Sender::new(Phase::Serving),
        })
    }

    /// Where the listeners are, in their order, with the ports that the system chose.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if the system does not tell.
    pub fn addresses(&self) -> Result<Vec<Address>> {
        let addresses = self.listeners.iter().map(Bound::address);
        addresses.collect::<Result<_, _>>().map_err(|error| {
            let message = "the system does not tell where a listener is";
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        })
    }

    /// A monitor, which reads the state of the proxy also while it runs.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        let servers = || self.listeners.iter().flat_map(|bound| bound.acceptor.routes.servers());
        Monitor {
            shared: Arc::clone(&self.shared),
            connectors: servers().map(|server| server.connector.clone()).collect(),
            pools: servers().map(|server| server.pool.clone()).collect(),
        }
    }

    /// Serves clients until `shutdown` completes, then lets sessions go on until they end or
    /// [`Limits::drain_timeout`] is over. Tokens are renewed in the background meanwhile.
    ///
    /// **Cancellation:** dropping the future ends all sessions at once.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let monitor = self.monitor();
        let Self { listeners, shared, drain_timeout, phase } = self;
        let mut accepting = JoinSet::new();
        for bound in listeners {
            accepting.spawn(bound.accept(Arc::clone(&shared), phase.subscribe()));
        }
        let mut renewing = JoinSet::new();
        for connector in monitor.connectors {
            renewing.spawn(renew(connector));
        }
        let pools: Vec<_> = monitor.pools.into_iter().flatten().collect();
        let mut keeping = JoinSet::new();
        for pool in &pools {
            let pool = Arc::clone(pool);
            keeping.spawn(async move { pool.keep().await });
        }
        shutdown.await;
        phase.send_replace(Phase::Draining);
        for pool in &pools {
            pool.drain().await;
        }
        // Sockets close before sessions are waited for.
        while accepting.join_next().await.is_some() {}
        if timeout(drain_timeout, phase.closed()).await.is_err() {
            phase.send_replace(Phase::Closing);
            let _ = timeout(CLOSING, phase.closed()).await;
        }
        Drained { cut: shared.counters.cut.load(Ordering::Relaxed) }
    }
}

/// Keeps the token of `connector` fresh until dropped. Nothing to do with native passwords.
async fn renew(connector: Connector) {
    loop {
        match connector.credentials().await {
            Ok(Some(cache)) => {
                let _renewed = cache.keep_fresh();
                // The first one is fetched now, and the first client finds it.
                let _ = cache.get().await;
                return std::future::pending().await;
            }
            Ok(None) => return,
            Err(_) => sleep(RENEWAL_PAUSE).await,
        }
    }
}

/// Reads the state of a [`Proxy`] from memory, without a request. Cheap to clone.
#[derive(Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
    connectors: Vec<Connector>,
    pools: Vec<Option<Arc<Pool>>>,
}

impl Monitor {
    /// The counts so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// How the token of each server is doing: listeners in their order, each with its default first and its routes
    /// after it. `None` with native passwords.
    #[must_use]
    pub fn status(&self) -> Vec<Option<Status>> {
        self.connectors.iter().map(Connector::status).collect()
    }

    /// How the pool of each server is doing, in the order of [`status`](Self::status). `None` where nothing is pooled.
    #[must_use]
    pub fn pools(&self) -> Vec<Option<PoolStats>> {
        self.pools.iter().map(|pool| pool.as_ref().map(|pool| pool.stats())).collect()
    }

    /// Whether there is a living token for every server: for readiness probes. Not before [`Proxy::run`] fetched the
    /// first ones.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let is_alive =
            |status: &Status| matches!(status, Status::Fresh { .. } | Status::Degraded { .. });
        self.status().iter().flatten().all(is_alive)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
