//! Futures that are dropped at any point leave nothing: no session, no task, no folder of a relay.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use lakebase::core::{BoxFuture, Runtime, Spawn};
use lakebase::sqlx;
use lakebase::{Lakebase, PoolOptions};

use crate::dns::runtime_with_relays_in;
use crate::support::{Setup, endpoint, shared, until};

on_each_runtime! { connect pool acquire query }

/// Is polled a number of times, then lets go of what it drives.
struct Polls<F> {
    left: usize,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Polls<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

fn polls<F: Future>(left: usize, future: F) -> Polls<F> {
    Polls { left, future: Box::pin(future) }
}

/// Counts the tasks that have not ended.
#[derive(Debug)]
struct Counting {
    spawn: Arc<dyn Spawn>,
    alive: Arc<AtomicUsize>,
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
        let alive = Alive(Arc::clone(&self.alive));
        self.spawn.spawn(Box::pin(async move {
            let _alive = alive;
            task.await;
        }));
    }
}

/// What is watched while futures are dropped.
struct Watched {
    endpoint: String,
    folder: tempfile::TempDir,
    alive: Arc<AtomicUsize>,
}

impl Watched {
    fn new() -> Self {
        let (endpoint, _) = endpoint(shared());
        Self { endpoint, folder: tempfile::tempdir().unwrap(), alive: Arc::default() }
    }

    /// A handle that holds nothing yet.
    fn cold(&self) -> Lakebase {
        let runtime = runtime_with_relays_in(self.folder.path());
        let spawn = runtime.spawn.clone().unwrap();
        let counting = Counting { spawn, alive: Arc::clone(&self.alive) };
        let runtime = Runtime { spawn: Some(Arc::new(counting)), ..runtime };
        let setup = Setup::m2m(shared()).endpoint(&self.endpoint);
        setup.builder().build_with(runtime).unwrap()
    }

    /// Everything that was started ends.
    async fn settles(&self, what: &str) {
        let timer = Setup::m2m(shared()).build();
        let entries = |path: &Path| std::fs::read_dir(path).unwrap().count();
        let open = || shared().counters(&self.endpoint).unwrap().open;
        until(&timer, &format!("{what}: sessions end"), || open() == 0).await;
        until(&timer, &format!("{what}: relays end"), || entries(self.folder.path()) == 0).await;
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
const ENOUGH: usize = 2_000;

async fn connect() {
    let watched = Watched::new();
    let mut points = 0;
    for count in 0..ENOUGH {
        let lakebase = watched.cold();
        if polls(count, lakebase.connect()).await.is_some() {
            points = count;
            break;
        }
    }
    assert!(points > 3, "it was dropped at several points: {points}");
    watched.settles("connect").await;
}

async fn pool() {
    let watched = Watched::new();
    let mut points = 0;
    for count in 0..ENOUGH {
        let lakebase = watched.cold();
        if let Some(pool) = polls(count, lakebase.pool(PoolOptions::new())).await {
            // Without `close`, too.
            drop(pool);
            points = count;
            break;
        }
    }
    assert!(points > 3, "{points}");
    watched.settles("pool").await;
}

async fn acquire() {
    let watched = Watched::new();
    let lakebase = watched.cold();
    let pool = lakebase.pool(PoolOptions::new().max_connections(2)).await.unwrap();
    let held = pool.acquire().await.unwrap();
    let mut dropped = 0;
    for count in 0..ENOUGH {
        match polls(count, pool.acquire()).await {
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
        if let Some(found) = polls(count, query.fetch_one(&pool)).await {
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
