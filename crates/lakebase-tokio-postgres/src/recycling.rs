//! When pools check and replace their connections.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "deadpool")]
use std::time::Instant;

use lakebase_core::Runtime;
use lakebase_session::liveness::{
    CHECK_AFTER_IDLE, IDLE_TIMEOUT, Liveness, MAX_LIFETIME, is_young, surely_young,
};
use tokio_postgres::Client;

use crate::Connection;

/// When a pool checks and replaces connections; the defaults fit Lakebase.
///
/// ```
/// use std::time::Duration;
/// use lakebase_tokio_postgres::RecyclingOptions;
///
/// let options = RecyclingOptions::new().max_lifetime(Duration::from_secs(30 * 60));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RecyclingOptions {
    pub(crate) ping_after_idle: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_lifetime: Duration,
}

impl Default for RecyclingOptions {
    fn default() -> Self {
        Self {
            ping_after_idle: CHECK_AFTER_IDLE,
            idle_timeout: IDLE_TIMEOUT,
            max_lifetime: MAX_LIFETIME,
        }
    }
}

impl RecyclingOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Check that a connection is alive before handing it out if it was idle for this long. Default: 15 s; with zero, each is
    /// checked. The check costs a round trip.
    ///
    /// One that does not answer within 2 s is replaced within the same checkout. Connections that were idle at that time, too, are
    /// checked whatever this says, for 250 ms, so that many that died together do not cost many limits.
    ///
    /// A connection that the server ended is never handed out. Those that were idle at that time are checked, whatever this says.
    pub fn ping_after_idle(mut self, limit: Duration) -> Self {
        self.ping_after_idle = limit;
        self
    }

    /// Close a connection that was idle for this long. Default: 3 min, because Azure's load balancer forgets connections after four minutes
    /// without a packet.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Replace a connection of this age, less a random tenth. Default: 1 h. Lakebase ends connections after 24 h without activity and
    /// may end any after 3 days.
    ///
    /// deadpool looks at the age of a connection at every sixteenth of its checkouts, and at that of idle ones at least every 30 s.
    pub fn max_lifetime(mut self, limit: Duration) -> Self {
        self.max_lifetime = limit;
        self
    }
}

/// The same for one pool, with what it knows about its connections.
#[derive(Debug)]
pub(crate) struct Recycling {
    pub(crate) options: RecyclingOptions,
    liveness: Arc<Liveness>,
    /// Connections younger than this are not old, whatever chance says.
    surely_young: Duration,
}

impl Recycling {
    pub(crate) fn new(runtime: &Runtime, options: RecyclingOptions) -> Self {
        let liveness = Arc::new(Liveness::new(runtime, options.ping_after_idle));
        let surely_young = surely_young(options.max_lifetime);
        Self { options, liveness, surely_young }
    }

    /// Drives `connection`. If the server ends it, the others are in doubt.
    pub(crate) fn driving(&self, connection: Connection) -> impl Future<Output = ()> + use<> {
        let liveness = Arc::clone(&self.liveness);
        async move {
            // Its client sees the end when this is dropped, so after that was noted.
            let mut connection = pin!(connection);
            // It is no error that a client is gone.
            if connection.as_mut().await.is_err() {
                liveness.session_ended();
            }
        }
    }

    /// How often to look for idle and old connections.
    pub(crate) fn pause(&self) -> Duration {
        let limit = self.options.idle_timeout.min(self.options.max_lifetime);
        (limit / 6).clamp(Duration::from_millis(100), Duration::from_secs(30))
    }

    /// Whether a connection that was used at `last_use`, and opened at `created` if that matters, may be handed out without a closer look.
    #[cfg(feature = "deadpool")]
    pub(crate) fn is_surely_alive(
        &self,
        now: Instant,
        last_use: Instant,
        created: Option<Instant>,
    ) -> bool {
        // A coarse clock lags, so that the end of no time at all may be ahead.
        let is_before = |moment: Instant, after: Duration| {
            !after.is_zero() && moment.checked_add(after).is_none_or(|end| now < end)
        };
        !self.liveness.has_lost_any()
            && is_before(last_use, self.options.ping_after_idle)
            && created.is_none_or(|created| is_before(created, self.surely_young))
    }

    /// Whether a connection of this `age` is to be replaced.
    pub(crate) fn is_old(&self, age: Duration) -> bool {
        !is_young(age, self.options.max_lifetime)
    }

    /// Whether a connection that was idle for `idle` has to answer before it is handed out.
    pub(crate) fn is_in_doubt(&self, idle: Duration) -> bool {
        self.liveness.limit(idle).is_some()
    }

    /// Whether `client`, which was idle for `idle`, answers if it has to.
    pub(crate) async fn answers(&self, client: &Client, idle: Duration) -> bool {
        // An error is the end of one that ended while it was idle, as on a server that was suspended.
        self.liveness.check(idle, client.check_connection()).await.unwrap_or(false)
    }

    /// Call this when a connection is handed out: it is there in place of those that did not answer.
    pub(crate) fn tell_replaced(&self) {
        let Some(count) = self.liveness.replaced() else { return };
        let _ = count;
        #[cfg(feature = "tracing")]
        match count {
            1 => tracing::info!(count, "1 idle connection did not answer and was replaced"),
            _ => tracing::info!(count, "{count} idle connections did not answer and were replaced"),
        }
    }
}
