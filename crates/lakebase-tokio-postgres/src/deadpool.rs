//! Pools of deadpool whose connections log in with fresh tokens.

use std::future::{pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub use deadpool_postgres;
use deadpool_postgres::{
    Connect, Hook, HookError, Manager, ManagerConfig, Metrics, Pool, PoolBuilder, RecyclingMethod,
    Runtime as PoolRuntime, WeakPool,
};
use futures_util::future::{BoxFuture, abortable};
use lakebase_core::connect::Connector;
use lakebase_core::{Clock, Error, ErrorKind, Result};
use lakebase_session::task::{AbortOnDrop, SingleTask};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};

use crate::error::into_tokio_postgres;
use crate::logins::Logins;
use crate::recycling::Recycling;
use crate::{RecyclingOptions, TokioPostgresFactory};

/// Makes a pool of deadpool whose logins do not fail because of a token.
///
/// `configure` is handed deadpool's builder and may do with it what it likes: size, time-outs, hooks of its own. Sends no request before the
/// first checkout. From then on tasks close idle and old connections and renew the token; they end with the last clone of the pool.
///
/// # Errors
///
/// [`ErrorKind::Config`] if deadpool does not take what `configure` says.
pub fn pool(
    connector: Connector,
    factory: TokioPostgresFactory,
    options: RecyclingOptions,
    configure: impl FnOnce(PoolBuilder) -> PoolBuilder,
) -> Result<Pool> {
    let runtime = connector.runtime();
    let recycling = Arc::new(Recycling::new(runtime, options));
    let now = Now::new(Arc::clone(&runtime.clock));
    let sweeper = Arc::new(Sweeper {
        pool: OnceLock::new(),
        recycling: Arc::clone(&recycling),
        now: now.clone(),
        task: SingleTask::default(),
    });
    let logins =
        PoolLogins { logins: Logins::new(connector, factory), sweeper: Arc::clone(&sweeper) };
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_connect(crate::factory::config(), logins, config);
    let builder = Pool::builder(manager).runtime(pool_runtime()).pre_recycle(check(recycling, now));
    let pool = configure(builder).build().map_err(|error| {
        Error::new(ErrorKind::Config, "deadpool takes no such pool").with_source(error)
    })?;
    let _ = sweeper.pool.set(pool.weak());
    Ok(pool)
}

/// The runtime whose timers deadpool uses.
fn pool_runtime() -> PoolRuntime {
    #[cfg(any(feature = "smol", feature = "async-std"))]
    if Handle::try_current().is_err() {
        return PoolRuntime::Smol2;
    }
    PoolRuntime::Tokio1
}

/// The present as deadpool tells time, read from the connector's coarse clock: every checkout asks for it.
#[derive(Clone, Debug)]
struct Now {
    clock: Arc<dyn Clock>,
    start: Instant,
    start_of_clock: Duration,
}

impl Now {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let start_of_clock = clock.coarse_monotonic();
        #[expect(
            clippy::disallowed_methods,
            reason = "deadpool's metrics are moments of this clock"
        )]
        let start = Instant::now();
        Self { clock, start, start_of_clock }
    }

    fn read(&self) -> Instant {
        let passed = self.clock.coarse_monotonic().saturating_sub(self.start_of_clock);
        self.start + passed
    }
}

/// When a connection was handed out last. deadpool does not know when it came back.
fn last_use(metrics: &Metrics) -> Instant {
    metrics.recycled.unwrap_or(metrics.created)
}

/// How long a connection was idle at most.
fn idle(now: Instant, metrics: &Metrics) -> Duration {
    now.saturating_duration_since(last_use(metrics))
}

fn age(now: Instant, metrics: &Metrics) -> Duration {
    now.saturating_duration_since(metrics.created)
}

/// The check before a connection is handed out.
fn check(recycling: Arc<Recycling>, now: Now) -> Hook {
    Hook::async_fn(move |client, metrics| {
        let now = now.read();
        // Most checkouts end here, by an addition: a difference of moments costs several times as much. Ages are counted in minutes, so
        // it is enough that every sixteenth checkout of a connection looks at its age.
        let created = (metrics.recycle_count % 16 == 0).then_some(metrics.created);
        if recycling.is_surely_alive(now, last_use(metrics), created) {
            return Box::pin(ReadyOk);
        }
        look_closer(&recycling, client, idle(now, metrics), age(now, metrics))
    })
}

/// The check of a connection that is not surely alive. Not inlined, so that the check before it stays small.
#[cold]
#[inline(never)]
fn look_closer<'a>(
    recycling: &Arc<Recycling>,
    client: &'a Client,
    idle: Duration,
    age: Duration,
) -> BoxFuture<'a, Result<(), HookError>> {
    if recycling.is_old(age) {
        return Box::pin(ready(Err(HookError::message("the connection is old"))));
    }
    if !recycling.is_in_doubt(idle) {
        return Box::pin(ReadyOk);
    }
    let recycling = Arc::clone(recycling);
    Box::pin(async move {
        match recycling.answers(client, idle).await {
            true => {
                recycling.tell_replaced();
                Ok(())
            }
            false => Err(HookError::message("the connection did not answer")),
        }
    })
}

/// A future that is ready at once. It has no size, so that its box takes no memory: every checkout makes one.
struct ReadyOk;

impl Future for ReadyOk {
    type Output = Result<(), HookError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(()))
    }
}

/// The logins of a pool. Lives as long as the pool.
struct PoolLogins {
    logins: Logins,
    sweeper: Arc<Sweeper>,
}

impl Connect for PoolLogins {
    fn connect(
        &self,
        _: &Config,
    ) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        Box::pin(async {
            let connector = &self.logins.connector;
            match self.logins.open().await {
                Ok((client, connection)) => {
                    let recycling = &self.sweeper.recycling;
                    self.sweeper.start(connector);
                    recycling.tell_replaced();
                    match drive(connector, recycling.driving(connection)) {
                        Ok(task) => Ok((client, task)),
                        Err(error) => Err(into_tokio_postgres(error).await),
                    }
                }
                Err(error) => Err(into_tokio_postgres(error).await),
            }
        })
    }
}

/// Runs what drives a connection as a task, which ends when it is aborted.
fn drive(
    connector: &Connector,
    connection: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>> {
    if let Ok(handle) = Handle::try_current() {
        return Ok(handle.spawn(connection));
    }
    // deadpool insists on a task of tokio's: one that does nothing but end the task of the other runtime.
    let spawn = connector.runtime().spawn.as_ref().ok_or_else(|| {
        let message = "connections of a pool are driven by tasks, and this runtime has no `spawn`";
        Error::new(ErrorKind::Unsupported, message)
    })?;
    let guards = GUARDS.as_ref().map_err(|error| {
        Error::new(ErrorKind::Unavailable, "starting a thread for deadpool")
            .with_source(io::Error::from(error.kind()))
    })?;
    let (connection, end) = abortable(connection);
    spawn.spawn(Box::pin(async move {
        let _ = connection.await;
    }));
    let guard = AbortOnDrop(end);
    Ok(guards.spawn(async move {
        let _guard = guard;
        pending().await
    }))
}

/// A runtime without timers and sockets, on a thread that does nothing while nothing ends.
static GUARDS: LazyLock<io::Result<Handle>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name("lakebase-deadpool".to_owned());
    thread.spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(handle)
});

/// Closes idle and old connections, by a task: deadpool looks at a connection only at a checkout.
struct Sweeper {
    pool: OnceLock<WeakPool>,
    recycling: Arc<Recycling>,
    now: Now,
    task: SingleTask,
}

impl Sweeper {
    /// Starts the task unless there is one; it ends with this, or with its runtime.
    fn start(&self, connector: &Connector) {
        let pool = self.pool.get().and_then(WeakPool::upgrade);
        let (Some(spawn), Some(pool)) = (&connector.runtime().spawn, pool) else { return };
        let timer = Arc::clone(&connector.runtime().timer);
        let (recycling, now, weak) = (Arc::clone(&self.recycling), self.now.clone(), pool.weak());
        let pause = recycling.pause();
        self.task.start(&**spawn, || async move {
            loop {
                timer.sleep(pause).await;
                let Some(pool) = weak.upgrade() else { return };
                // Removed connections end here, outside the pool's lock.
                let now = now.read();
                drop(pool.retain(|_, metrics| {
                    idle(now, &metrics) < recycling.options.idle_timeout
                        && !recycling.is_old(age(now, &metrics))
                }));
            }
        });
    }
}
