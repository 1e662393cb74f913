//! A `PgPool` whose logins never fail because of a token.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{self, Either};
use lakebase_core::connect::{Cause, Connector, Failure, Login};
use lakebase_core::effect::RelaySocket;
use lakebase_core::refresh::Generation;
use lakebase_core::{ConnectFailure, ConnectParams, ConnectionFactory, Error, ErrorKind, Jitter};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres, Transaction};

use crate::error::into_sqlx;
use crate::keep_idle::KeepIdle;
use crate::{PoolOptions, SqlxFactory, classify, factory, rotation};

/// A pool of connections that log in with fresh tokens. Cheap to clone.
///
/// Dereferences to [`PgPool`] and is an [`Executor`](sqlx::Executor), so it is used like one. Its own
/// [`acquire`](Self::acquire) and [`begin`](Self::begin), and statements run on `&LakebasePool`, also
/// retry logins: after a refused token, while the compute wakes, through network failures, within
/// [`PoolOptions::acquire_timeout`]. Clones of the inner `PgPool` get fresh tokens for as long as a
/// `LakebasePool` handle lives, and sqlx's own, smaller set of retries.
///
/// Statements are never retried. Idle connections are used whatever state the token is in, since Postgres
/// looks at it during login only.
///
/// If the runtime on which it was opened ends, the pool logs in on the next one that uses it, and renews the token on
/// use. Connections that were open belong to the old one: the first use of each fails, as with sqlx alone.
#[derive(Clone)]
pub struct LakebasePool {
    shared: Arc<Shared>,
    /// Tells the rotation to end when the last handle is gone.
    _alive: Arc<oneshot::Sender<()>>,
}

pub(crate) struct Shared {
    pub(crate) connector: Connector,
    pub(crate) pool: PgPool,
    factory: SqlxFactory,
    options: PoolOptions,
    /// What the pool's connect options hold now.
    applied: Mutex<Option<Login>>,
    relay: Mutex<Option<Arc<dyn RelaySocket>>>,
    /// Held while somebody finds out why no connection comes about; what was found out last.
    diagnosis: futures_util::lock::Mutex<Option<(ConnectFailure, Error)>>,
}

impl LakebasePool {
    /// Opens a pool and its first connection, so that a wrong configuration shows here.
    ///
    /// Starts a task, where the runtime has a spawner, that renews the token ahead of its expiry and
    /// hands it to the pool. The task ends with the last handle, or with [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// Those of [`Connector::connect`].
    pub async fn open(
        connector: Connector,
        factory: SqlxFactory,
        options: PoolOptions,
    ) -> Result<Self, Error> {
        let login = first_login(&connector, options.acquire_timeout).await?;
        let relay = factory.relay(&login.params).await;
        let relay = relay.map_err(|error| error.context("cannot relay connections"))?;
        let relay: Option<Arc<dyn RelaySocket>> = relay.map(Arc::from);
        let connect = factory::options(&login.params, relay.as_deref().map(RelaySocket::directory));
        let shared = Arc::new_cyclic(|shared| Shared {
            connector,
            pool: sqlx_options(&options, shared.clone()).connect_lazy_with(connect),
            factory,
            options,
            applied: Mutex::new(Some(login)),
            relay: Mutex::new(relay),
            diagnosis: futures_util::lock::Mutex::new(None),
        });
        let (alive, stop) = oneshot::channel();
        if let Some(cache) = shared.connector.credentials().await? {
            rotation::start(&shared, &cache, stop);
        }
        let pool = Self { shared, _alive: Arc::new(alive) };
        drop(pool.shared.acquire().await?);
        Ok(pool)
    }

    /// Checks a connection out, opening one if none is idle.
    ///
    /// **Cancellation:** dropping the future gives its place in the queue back.
    ///
    /// # Errors
    ///
    /// [`sqlx::Error::PoolClosed`], or an I/O error that wraps ours: see
    /// [`lakebase_error`](crate::lakebase_error). When the time-out passed its cause says whether all
    /// connections were in use or why no new one came about.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.shared.acquire().await.map_err(into_sqlx)
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
                Err(error) if spare > 0 && classify(&error) == ConnectFailure::Transient => {
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

    /// Closes the pool: no more checkouts, idle connections end at once, those in use when they are
    /// released. Waits for them up to [`PoolOptions::close_timeout`], and stops the renewal of the token.
    ///
    /// Returns whether all had ended by then.
    pub async fn close(&self) -> bool {
        let timer = &self.shared.connector.runtime().timer;
        let limit = timer.sleep(self.shared.options.close_timeout);
        matches!(
            future::select(std::pin::pin!(self.shared.pool.close()), limit).await,
            Either::Left(_)
        )
    }
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

impl Shared {
    /// Which token the pool's options hold.
    pub(crate) fn generation(&self) -> Option<Generation> {
        self.applied().and_then(|login| login.generation)
    }

    fn applied(&self) -> Option<Login> {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the pool's next connections use `login`.
    pub(crate) async fn apply(&self, login: &Login) -> Result<(), Error> {
        if let Some(applied) = self.applied()
            && !self.lost_relay()
            && applied.generation == login.generation
            && applied.params.host == login.params.host
            && applied.params.addresses == login.params.addresses
            && applied.params.user == login.params.user
        {
            return Ok(());
        }
        let relay = self.relay_for(&login.params).await?;
        let directory = relay.as_deref().map(RelaySocket::directory);
        self.pool.set_connect_options(factory::options(&login.params, directory));
        *self.applied.lock().unwrap_or_else(PoisonError::into_inner) = Some(login.clone());
        *self.relay.lock().unwrap_or_else(PoisonError::into_inner) = relay;
        Ok(())
    }

    async fn relay_for(
        &self,
        params: &ConnectParams,
    ) -> Result<Option<Arc<dyn RelaySocket>>, Error> {
        let open = self.open_relay();
        if params.addresses.is_empty() {
            return Ok(None);
        }
        if let Some(relay) = open.filter(|relay| relay.is_open()) {
            relay.retarget(factory::targets(params));
            return Ok(Some(relay));
        }
        let opened = self.factory.relay(params).await;
        let opened = opened.map_err(|error| error.context("cannot relay connections"))?;
        Ok(opened.map(Arc::from))
    }

    fn open_relay(&self) -> Option<Arc<dyn RelaySocket>> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether logins go through a relay that ended with its runtime.
    fn lost_relay(&self) -> bool {
        self.open_relay().is_some_and(|relay| !relay.is_open())
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        let limit = self.options.acquire_timeout;
        let connection = self.connector.retry(limit, |left| self.attempt(left)).await;
        self.measure();
        connection
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

    async fn attempt(&self, left: Duration) -> Result<PoolConnection<Postgres>, Failure> {
        if self.may_log_in() || self.lost_relay() {
            let login = self.connector.login_within(left).await?;
            if let Err(error) = self.apply(&login).await {
                return Err(Failure { login: Some(login), cause: Cause::Preparation(error) });
            }
        }
        let login = self.applied();
        let fail = |cause| Err(Failure { login: login.clone(), cause });
        match self.checkout(left).await {
            Some(Ok(connection)) => Ok(connection),
            Some(Err(sqlx::Error::PoolTimedOut)) | None => fail(self.why_none(left)),
            Some(Err(error)) => {
                let relay = self.open_relay();
                let error = factory::unmask(error, relay.as_deref());
                fail(Cause::Driver(classify(&error), Box::new(error)))
            }
        }
    }

    /// Whether a checkout may open a connection, and so needs a living token in the options.
    fn may_log_in(&self) -> bool {
        self.pool.num_idle() == 0 && self.pool.size() < self.options.max_connections
    }

    /// sqlx's checkout, with a look at what is wrong when most of the time has passed.
    async fn checkout(
        &self,
        left: Duration,
    ) -> Option<Result<PoolConnection<Postgres>, sqlx::Error>> {
        let mut checkout = std::pin::pin!(self.pool.acquire());
        if let Some(done) = self.connector.within(left.mul_f64(0.75), &mut checkout).await {
            return Some(done);
        }
        let late = left.mul_f64(0.25);
        let checkout = std::pin::pin!(self.connector.within(late, checkout));
        match future::select(checkout, std::pin::pin!(self.diagnose(late))).await {
            Either::Left((done, _)) => done,
            Either::Right(((), checkout)) => checkout.await,
        }
    }

    /// Tries one login outside the pool, because sqlx keeps to itself why its own do not come about.
    ///
    /// One at a time for the whole pool; whoever comes meanwhile shares the finding.
    async fn diagnose(&self, limit: Duration) {
        let (Some(mut finding), Some(login)) = (self.diagnosis.try_lock(), self.applied()) else {
            return;
        };
        let attempt = self.factory.connect(&login.params);
        *finding = match self.connector.within(limit.mul_f64(0.9), attempt).await {
            Some(Ok(connection)) => {
                // It is gone either way.
                let _ = connection.close().await;
                None
            }
            Some(Err(error)) => {
                let outer = Error::new(ErrorKind::Unavailable, "no new connection comes about");
                Some((classify(&error), outer.with_source(error)))
            }
            // With a full pool nobody may have tried to open one; the server need not be the reason.
            None if self.pool.size() >= self.options.max_connections => None,
            None => {
                let message = "no new connection comes about: the server does not answer";
                Some((ConnectFailure::Transient, Error::new(ErrorKind::Unavailable, message)))
            }
        };
    }

    /// Why a checkout ended without a connection.
    fn why_none(&self, waited: Duration) -> Cause {
        let finding = self.diagnosis.try_lock().and_then(|finding| finding.clone());
        let size = self.pool.size();
        match finding {
            Some((class, error)) => Cause::Driver(class, Box::new(error)),
            None if size >= self.options.max_connections => Cause::Preparation(Error::new(
                ErrorKind::TimedOut,
                format!("all {size} connections of the pool are in use or being opened"),
            )),
            None => Cause::Silence(waited),
        }
    }
}

/// Finds out where to connect to, and as whom.
async fn first_login(connector: &Connector, limit: Duration) -> Result<Login, Error> {
    connector.retry(limit, |left| connector.login_within(left)).await
}

fn sqlx_options(options: &PoolOptions, shared: Weak<Shared>) -> PgPoolOptions {
    let PoolOptions { ping_after_idle, keep_idle, max_lifetime, .. } = *options;
    let keep = keep_idle.map(|limit| Arc::new(KeepIdle::new(limit)));
    let kept = keep.clone();
    PgPoolOptions::new()
        .max_connections(options.max_connections)
        .min_connections(options.min_connections)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(options.idle_timeout)
        .max_lifetime(max_lifetime)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            if let Some(kept) = &kept {
                kept.taken();
            }
            Box::pin(async move {
                if meta.idle_for > ping_after_idle {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_release(move |_, meta| {
            let mut stays = is_young(meta.age, max_lifetime, || Jitter::new().fraction());
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

/// Whether a connection of this age is released and not replaced: in the last tenth of its life that is drawn anew each time, so that connections
/// opened together do not end together.
fn is_young(age: Duration, max_lifetime: Duration, fraction: impl FnOnce() -> f64) -> bool {
    age < max_lifetime.mul_f64(0.9) || age < max_lifetime.mul_f64(1.0 - 0.1 * fraction())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_tenth_of_a_life_is_left_to_chance() {
        let hour = Duration::from_secs(3_600);
        let at = |minutes: u64, fraction: fn() -> f64| {
            is_young(Duration::from_secs(minutes * 60), hour, fraction)
        };
        assert!(at(0, || panic!("drawn for nothing")) && at(53, || panic!("drawn for nothing")));
        assert!(at(55, || 0.0) && !at(55, || 0.9));
        assert!(!at(60, || 0.0) && !at(600, || 0.0));
        assert!(!is_young(Duration::ZERO, Duration::ZERO, || 0.0), "replaced at each release");
    }
}
