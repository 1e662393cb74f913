//! The settings of a pool.

use std::time::Duration;

use lakebase_session::liveness::{CHECK_AFTER_IDLE, IDLE_TIMEOUT, MAX_LIFETIME};

/// How a [`LakebasePool`](crate::LakebasePool) keeps its connections; the defaults fit Lakebase.
///
/// ```
/// use std::time::Duration;
/// use lakebase_sqlx::PoolOptions;
///
/// let options = PoolOptions::new().max_connections(5).acquire_timeout(Duration::from_secs(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct PoolOptions {
    pub(crate) max_connections: u32,
    pub(crate) min_connections: u32,
    pub(crate) acquire_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) ping_after_idle: Duration,
    pub(crate) keep_idle: Option<u32>,
    pub(crate) close_timeout: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_connections: 15,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(60),
            idle_timeout: IDLE_TIMEOUT,
            max_lifetime: MAX_LIFETIME,
            ping_after_idle: CHECK_AFTER_IDLE,
            keep_idle: None,
            close_timeout: Duration::from_secs(30),
        }
    }
}

impl PoolOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The most connections open at once. Default: 15; at least 1. The compute's size sets the limit on
    /// the server's side (about 100 for half a compute unit).
    pub fn max_connections(mut self, count: u32) -> Self {
        self.max_connections = count.max(1);
        self
    }

    /// The connections to keep open even when idle. Default: 0. More than 0 keeps the compute awake.
    pub fn min_connections(mut self, count: u32) -> Self {
        self.min_connections = count;
        self
    }

    /// How long one `acquire` may take, with all waiting, waking and logging in. Default: 60 s.
    pub fn acquire_timeout(mut self, limit: Duration) -> Self {
        self.acquire_timeout = limit;
        self
    }

    /// Close a connection that was idle for this long. Default: 3 min; less than 100 ms counts as 100 ms.
    ///
    /// Azure's load balancer forgets connections after four minutes without a packet, and others on the way may, too.
    /// A shorter idle time is no loss: a login takes less than what waiting for a forgotten connection costs.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Replace a connection of this age, less a random tenth. Default: 1 h; with zero, none is used twice. Lakebase
    /// ends connections after 24 h without activity and may end any after 3 days.
    pub fn max_lifetime(mut self, limit: Duration) -> Self {
        self.max_lifetime = limit;
        self
    }

    /// Check that a connection is alive before handing it out if it was idle for longer than this.
    /// Default: 15 s. The check costs a round trip.
    ///
    /// One that does not answer within 2 s is replaced within the same checkout. Connections that were idle at that
    /// time, too, are checked whatever this says, for 250 ms, so that many that died together do not cost many limits.
    ///
    /// When the server ends a session, connections that were idle at that time are checked as well, whatever this says.
    pub fn ping_after_idle(mut self, limit: Duration) -> Self {
        self.ping_after_idle = limit;
        self
    }

    /// Close what exceeds this number of idle connections as soon as it is released. Default: keep all.
    ///
    /// `max_connections(15)` with `keep_idle(5)` is what other pools call size 5, overflow 10.
    pub fn keep_idle(mut self, count: u32) -> Self {
        self.keep_idle = Some(count);
        self
    }

    /// How long `close` waits for connections that are in use. Default: 30 s.
    pub fn close_timeout(mut self, limit: Duration) -> Self {
        self.close_timeout = limit;
        self
    }
}
