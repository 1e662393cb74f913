//! Futures that are dropped at any point leave nothing: no session, no task, no folder of a socket.

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::future::{Either, select};
use futures::task::AtomicWaker;
use lakebase::core::{BoxFuture, Runtime, Spawn};
use lakebase::sqlx;
use lakebase::{Lakebase, PoolOptions};

use crate::dns::runtime_with_relays_in;
use crate::support::{Setup, endpoint, shared, until};

on_each_runtime! { connect tokio_postgres pool acquire query }

/// How many polls are left, of a future and of the tasks that it started.
#[derive(Debug, Default)]
struct Budget {
    left: AtomicUsize,
    spent: AtomicWaker,
}

impl Budget {
    /// Takes one poll; whether there was one.
    fn take(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
            Ok(2..) => true,
            last => {
                self.spent.wake();
                last.is_ok()
            }
        }
    }
}

/// Lets go of what it drives once the polls are spent.
pub(crate) struct Polls<F> {
    budget: Arc<Budget>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Polls<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.budget.spent.register(context.waker());
        if !self.budget.take() {
            return Poll::Ready(None);
        }
        self.future.as_mut().poll(context).map(Some)
    }
}

/// Counts the tasks that have not ended.
#[derive(Debug)]
struct Counting {
    spawn: Arc<dyn Spawn>,
    alive: Arc<AtomicUsize>,
    budget: Arc<Budget>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Spawn for Counting {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.alive.fetch_add(1, Ordering::SeqCst);
        let (alive, budget) = (Alive(Arc::clone(&self.alive)), Arc::clone(&self.budget));
        self.spawn.spawn(Box::pin(async move {
            let (_alive, mut task) = (alive, task);
            poll_fn(|context| {
                budget.take();
                task.as_mut().poll(context)
            })
            .await;
        }));
    }
}

/// What is watched while futures are dropped.
pub(crate) struct Watched {
    pub(crate) endpoint: String,
    folder: tempfile::TempDir,
    alive: Arc<AtomicUsize>,
    budget: Arc<Budget>,
}

impl Watched {
    pub(crate) fn new() -> Self {
        let (endpoint, _) = endpoint(shared());
        let folder = tempfile::tempdir().unwrap();
        Self { endpoint, folder, alive: Arc::default(), budget: Arc::default() }
    }

    /// Drives `future` until it and the tasks that it started were polled so often.
    pub(crate) fn polls<F: Future>(&self, count: usize, future: F) -> Polls<F> {
        self.budget.left.store(count, Ordering::SeqCst);
        Polls { budget: Arc::clone(&self.budget), future: Box::pin(future) }
    }

    /// A handle that holds nothing yet.
    pub(crate) fn cold(&self) -> Lakebase {
        let runtime = runtime_with_relays_in(self.folder.path());
        let spawn = runtime.spawn.clone().unwrap();
        let (alive, budget) = (Arc::clone(&self.alive), Arc::clone(&self.budget));
        let counting = Counting { spawn, alive, budget };
        let runtime = Runtime { spawn: Some(Arc::new(counting)), ..runtime };
        let setup = Setup::m2m(shared()).endpoint(&self.endpoint);
        setup.builder().build_with(runtime).unwrap()
    }

    /// Everything that was started ends.
    pub(crate) async fn settles(&self, what: &str) {
        let timer = Setup::m2m(shared()).build();
        let entries = |path: &Path| std::fs::read_dir(path).unwrap().count();
        let open = || shared().counters(&self.endpoint).unwrap().open;
        until(&timer, &format!("{what}: sessions end"), || open() == 0).await;
        until(&timer, &format!("{what}: sockets end"), || entries(self.folder.path()) == 0).await;
        let alive = || self.alive.load(Ordering::SeqCst);
        until(&timer, &format!("{what}: tasks end"), || alive() == 0).await;
        drop(timer);
        #[cfg(feature = "tokio")]
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            let timer = Setup::m2m(shared()).build();
            let alive = || handle.metrics().num_alive_tasks() == 0;
            until(&timer, &format!("{what}: tasks of tokio end"), alive).await;
        }
    }
}

/// More polls than any of these needs.
pub(crate) const ENOUGH: usize = 2_000;

/// Drops `work` with a cold handle after no poll, after one, and so on, until it is done.
async fn dropped_at_every_point<T>(what: &str, work: impl AsyncFn(&Lakebase) -> T) {
    let watched = Watched::new();
    let mut points = 0;
    for count in 0..ENOUGH {
        let lakebase = watched.cold();
        if watched.polls(count, work(&lakebase)).await.is_some() {
            points = count;
            break;
        }
    }
    assert!(points > 3, "{what}: it was dropped at several points: {points}");
    watched.settles(what).await;
}

async fn connect() {
    dropped_at_every_point("connect", async |it| drop(it.connect().await)).await;
}

async fn tokio_postgres() {
    let work = async |lakebase: &Lakebase| {
        let (client, connection) = lakebase.tokio_postgres().await.unwrap();
        // Driven beside the statement, and dropped with it.
        let statement = client.query_one("select count(*) from generate_series(1, 9)", &[]);
        match select(Box::pin(statement), connection).await {
            Either::Left((row, _)) => assert_eq!(row.unwrap().get::<_, i64>(0), 9),
            Either::Right((ended, _)) => panic!("the connection ended: {ended:?}"),
        }
    };
    dropped_at_every_point("tokio_postgres", work).await;
}

/// Without `close`, too.
async fn pool() {
    dropped_at_every_point("pool", async |it| drop(it.pool(PoolOptions::new()).await)).await;
}

async fn acquire() {
    let watched = Watched::new();
    let lakebase = watched.cold();
    let pool = lakebase.pool(PoolOptions::new().max_connections(2)).await.unwrap();
    let held = pool.acquire().await.unwrap();
    let mut dropped = 0;
    for count in 0..ENOUGH {
        match watched.polls(count, pool.acquire()).await {
            None => dropped += 1,
            Some(conn) => {
                drop(conn.unwrap());
                break;
            }
        }
    }
    assert!(dropped > 0);
    // No place in the pool is lost.
    drop((pool.acquire().await.unwrap(), held));
    let both = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    drop(both);
    assert!(pool.close().await);
    drop((pool, lakebase));
    watched.settles("acquire").await;
}

async fn query() {
    let watched = Watched::new();
    let lakebase = watched.cold();
    let pool = lakebase.pool(PoolOptions::new().max_connections(1)).await.unwrap();
    for count in 0..ENOUGH {
        let query = sqlx::query_scalar::<_, i32>("select count(*)::int from generate_series(1, 9)");
        if let Some(found) = watched.polls(count, query.fetch_one(&pool)).await {
            assert_eq!(found.unwrap(), 9);
            break;
        }
        // The only connection is usable again, whatever was left on its line.
        let two: i32 = sqlx::query_scalar("select 2").fetch_one(&pool).await.unwrap();
        assert_eq!(two, 2, "after {count} polls");
    }
    assert!(pool.close().await);
    drop((pool, lakebase));
    watched.settles("query").await;
}
