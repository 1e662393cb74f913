//! A `PgPool` whose logins never fail because of a token.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::{self, Either};
use lakebase_core::connect::Connector;
use lakebase_core::refresh::KeepFresh;
use lakebase_core::{BoxFuture, Error, ErrorKind};
use lakebase_session::SessionSocket;
use lakebase_session::liveness::{Liveness, is_young};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres, Transaction};

use crate::error::{explain, into_sqlx, is_gone};
use crate::keep_idle::KeepIdle;
use crate::{PoolOptions, SqlxFactory, factory, lakebase_error};

/// How much longer than a login sqlx waits, so that the error of the login comes first.
const GRACE: Duration = Duration::from_millis(500);

/// A pool of connections that log in with fresh tokens. Cheap to clone.
///
/// Dereferences to [`PgPool`] and is an [`Executor`](sqlx::Executor), so it is used like one. Every login, also one that a clone of the
/// inner `PgPool` asks for, has a fresh token and is retried: after a refused token, while the compute wakes, through network failures,
/// within [`PoolOptions::acquire_timeout`].
///
/// Statements are never retried. Idle connections are used whatever state the token is in, since Postgres
/// looks at it during login only.
///
/// If the runtime on which it was opened ends, the pool logs in on the next one that uses it, and renews the token on
/// use. Connections that were open belong to the old one: the first use of each fails, as with sqlx alone.
#[derive(Clone)]
pub struct LakebasePool {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    connector: Connector,
    pool: PgPool,
    /// Where the pool's connections come from. sqlx holds it, too, for as long as there is a clone of the pool.
    sessions: Arc<Sessions>,
    options: PoolOptions,
}

/// State that a `PgPool` needs for as long as it lives.
struct Sessions {
    socket: SessionSocket,
    /// Keeps the token fresh.
    renewal: Mutex<Option<KeepFresh>>,
}

impl LakebasePool {
    /// Opens a pool and its first connection, so that a wrong configuration shows here.
    ///
    /// Starts tasks that serve logins and renew the token ahead of its expiry. They end with the pool and all clones of its `PgPool`; the
    /// renewal also when the pool is [closed](Self::close).
    ///
    /// # Errors
    ///
    /// Those of [`Connector::connect`].
    pub async fn open(
        connector: Connector,
        factory: SqlxFactory,
        options: PoolOptions,
    ) -> Result<Self, Error> {
        let address = factory.address()?;
        let name = connector.config().application_name.clone();
        let connect = factory::options(&address, name.as_deref());
        let liveness = Arc::new(Liveness::new(connector.runtime(), options.ping_after_idle));
        let budget = options.acquire_timeout;
        let told = Arc::clone(&liveness);
        let socket = SessionSocket::new(connector.clone(), address, budget, explain, told)?;
        let sessions = Arc::new(Sessions { socket, renewal: Mutex::default() });
        let shared = Arc::new_cyclic(|shared| Shared {
            connector,
            pool: sqlx_options(&options, liveness, shared.clone(), Arc::clone(&sessions))
                .connect_lazy_with(connect),
            sessions,
            options,
        });
        let pool = Self { shared };
        drop(pool.acquire().await.map_err(into_ours)?);
        if let Some(cache) = pool.shared.connector.credentials().await? {
            pool.shared.sessions.renew(cache.keep_fresh());
        }
        Ok(pool)
    }

    /// Checks a connection out, opening one if none is idle.
    ///
    /// **Cancellation:** dropping the future gives its place in the queue back.
    ///
    /// # Errors
    ///
    /// [`sqlx::Error::PoolClosed`], or an I/O error that wraps ours: see
    /// [`lakebase_error`]. When the time-out passed its cause says whether all
    /// connections were in use or why no new one came about.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let connection = self.served().acquire().await.map_err(|error| self.explain(error));
        self.shared.measure();
        connection
    }

    /// Checks a connection out and begins a transaction on it.
    ///
    /// If the server has ended the connection meanwhile, as it does when it suspends, another one is taken:
    /// nothing has run yet that could run twice.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), and the error of `BEGIN`.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut spare = self.shared.options.max_connections;
        loop {
            let connection = self.acquire().await?;
            match Transaction::begin(connection, None).await {
                Err(error) if spare > 0 && is_gone(&error) => {
                    spare -= 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Opens connections until `count` are there, up to the pool's maximum, and leaves them idle.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn warm_up(&self, count: u32) -> Result<(), sqlx::Error> {
        let count = count.min(self.shared.options.max_connections);
        let connections = (0..count).map(|_| self.acquire());
        future::try_join_all(connections).await.map(drop)
    }

    /// Closes the pool: no more checkouts, logins under way and idle connections end at once, connections in use when they
    /// are released. Waits for them up to [`PoolOptions::close_timeout`], and stops the renewal of the token.
    ///
    /// Returns whether all had ended by then.
    pub async fn close(&self) -> bool {
        let timer = &self.shared.connector.runtime().timer;
        let limit = timer.sleep(self.shared.options.close_timeout);
        self.shared.sessions.end_renewal();
        matches!(
            future::select(std::pin::pin!(self.shared.pool.close()), limit).await,
            Either::Left(_)
        )
    }
}

impl LakebasePool {
    pub(crate) fn served(&self) -> &PgPool {
        self.shared.served()
    }

    pub(crate) fn explain(&self, error: sqlx::Error) -> sqlx::Error {
        self.shared.explain(error)
    }
}

/// An error of a checkout as one of ours.
fn into_ours(error: sqlx::Error) -> Error {
    lakebase_error(&error).unwrap_or_else(|| {
        Error::new(ErrorKind::Unavailable, "no connection comes about").with_source(error)
    })
}

impl Deref for LakebasePool {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.shared.pool
    }
}

impl fmt::Debug for LakebasePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakebasePool")
            .field("size", &self.shared.pool.size())
            .field("idle", &self.shared.pool.num_idle())
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    fn renew(&self, renewal: KeepFresh) {
        *self.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewal);
    }

    fn end_renewal(&self) {
        drop(self.renewal.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Shared {
    /// sqlx's pool, once a task serves its logins.
    fn served(&self) -> &PgPool {
        let close_event = || -> BoxFuture<'static, ()> { Box::pin(self.pool.close_event()) };
        self.sessions.socket.serve(close_event);
        &self.pool
    }

    /// The connector's own error behind one of sqlx's; those of statements are left alone.
    fn explain(&self, error: sqlx::Error) -> sqlx::Error {
        match &error {
            sqlx::Error::PoolTimedOut => into_sqlx(self.timed_out()),
            sqlx::Error::Database(_) => lakebase_error(&error).map_or(error, into_sqlx),
            _ => error,
        }
    }

    /// Why a checkout ended without a connection when its time was over.
    fn timed_out(&self) -> Error {
        let limit = self.options.acquire_timeout;
        let error = Error::new(ErrorKind::TimedOut, format!("no connection within {limit:?}"));
        let size = self.pool.size();
        let full = (size >= self.options.max_connections)
            .then(|| format!("all {size} connections of the pool are in use or being opened"));
        // One that is older says nothing about this checkout.
        match (full, self.sessions.socket.last_error(limit + GRACE)) {
            (None, Some(last)) => error.with_source(last),
            (Some(full), Some(last)) => {
                let full = format!("{full}, and the last login failed");
                error.with_source(Error::new(last.kind(), full).with_source(last))
            }
            (Some(full), None) => error.with_source(full),
            (None, None) => error,
        }
    }

    /// Sets the gauges of the pool.
    fn measure(&self) {
        #[cfg(feature = "metrics")]
        {
            let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
            let used = self.pool.size().saturating_sub(idle);
            metrics::gauge!("lakebase_pool_connections", "state" => "idle").set(idle);
            metrics::gauge!("lakebase_pool_connections", "state" => "used").set(used);
        }
    }
}

/// sqlx looks for old and idle connections this often at most. Its task does so again at once, for ever, if a limit is zero.
const SHORTEST: Duration = Duration::from_millis(100);

fn sqlx_options(
    options: &PoolOptions,
    liveness: Arc<Liveness>,
    shared: Weak<Shared>,
    sessions: Arc<Sessions>,
) -> PgPoolOptions {
    let PoolOptions { keep_idle, max_lifetime, .. } = *options;
    let keep = keep_idle.map(|limit| Arc::new(KeepIdle::new(limit)));
    let kept = keep.clone();
    let fresh = Arc::clone(&liveness);
    PgPoolOptions::new()
        .max_connections(options.max_connections)
        .min_connections(options.min_connections)
        .acquire_timeout(options.acquire_timeout + GRACE)
        .idle_timeout(options.idle_timeout.max(SHORTEST))
        .max_lifetime(max_lifetime.max(SHORTEST))
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            if let Some(kept) = &kept {
                kept.taken();
            }
            let liveness = Arc::clone(&liveness);
            Box::pin(async move {
                match liveness.check(meta.idle_for, connection.ping()).await? {
                    true => {
                        tell_replaced(&liveness);
                        Ok(true)
                    }
                    // An error makes sqlx drop the connection without sending Terminate to a peer that is gone.
                    false => Err(sqlx::Error::Io(silent())),
                }
            })
        })
        .after_connect(move |_, _| {
            tell_replaced(&fresh);
            Box::pin(async { Ok(()) })
        })
        .after_release(move |_, meta| {
            // The holder of the pool holds its sessions.
            let _ = &sessions;
            let mut stays = is_young(meta.age, max_lifetime);
            if let Some(shared) = shared.upgrade() {
                if stays && let Some(keep) = &keep {
                    let idle = u32::try_from(shared.pool.num_idle()).unwrap_or(u32::MAX);
                    stays = keep.stays(shared.connector.runtime().clock.monotonic(), idle);
                }
                shared.measure();
            }
            Box::pin(async move { Ok(stays) })
        })
}

/// Another connection is there in place of those that did not answer.
fn tell_replaced(liveness: &Liveness) {
    let Some(count) = liveness.replaced() else { return };
    let _ = count;
    #[cfg(feature = "tracing")]
    match count {
        1 => tracing::info!(count, "1 idle connection did not answer and was replaced"),
        _ => tracing::info!(count, "{count} idle connections did not answer and were replaced"),
    }
}

/// An idle connection did not answer, and another one is to be taken.
fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "an idle connection did not answer")
}
