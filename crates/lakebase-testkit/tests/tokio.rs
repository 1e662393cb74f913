//! The cache on a real runtime with several threads, in fake time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use lakebase_core::refresh::Cache;
use lakebase_core::{BoxFuture, Spawn};
use lakebase_testkit::scenario::{Platform, play, refresh_cases};
use lakebase_testkit::{FakeTime, Reply, ScriptedOrigin, fake_runtime};
use tokio::runtime::{Builder, Handle, Runtime};

/// Spawns on the runtime that is current, and drops the task if none is.
#[derive(Debug)]
struct Current;

impl Spawn for Current {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(task));
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(4).build().unwrap()
}

#[test]
fn every_scenario_holds_on_four_threads() {
    let runtime = runtime();
    for case in refresh_cases(Platform::Native).unwrap() {
        if let Err(error) = runtime.block_on(play(&case, Arc::new(Current))) {
            panic!("{error}");
        }
    }
}

#[test]
fn a_cache_survives_its_runtime() {
    let time = FakeTime::new();
    let origin = ScriptedOrigin::new(&time, vec![Reply::silence()]);
    let cache = Cache::new(Arc::new(origin.clone()), &fake_runtime(&time, Some(Arc::new(Current))));
    let first = runtime();
    let waiting = cache.clone();
    let caller = first.spawn(async move { waiting.get().await.is_ok() });
    first.block_on(async {
        while origin.calls() == 0 {
            tokio::task::yield_now().await;
        }
    });
    assert!(!caller.is_finished());
    drop(first);
    origin.follow(vec![Reply::token(Duration::from_secs(3600))]);
    let held = runtime().block_on(cache.get()).unwrap();
    assert_eq!(held.token.expose(), "token 1");
    assert_eq!(origin.most_at_once(), 1);
    assert_eq!(futures::executor::block_on(cache.get()).unwrap().generation(), held.generation());
}

#[test]
fn ten_thousand_callers_on_four_threads_share_one_mint() {
    let time = FakeTime::new();
    let origin = ScriptedOrigin::new(&time, vec![Reply::token(Duration::from_secs(3600))]);
    let cache = Cache::new(Arc::new(origin.clone()), &fake_runtime(&time, Some(Arc::new(Current))));
    let runtime = runtime();
    let callers: Vec<_> = (0..10_000)
        .map(|_| {
            let cache = cache.clone();
            runtime.spawn(async move { cache.get().await.map(|held| held.generation()) })
        })
        .collect();
    let generations: Vec<_> =
        callers.into_iter().map(|caller| runtime.block_on(caller).unwrap().unwrap()).collect();
    assert!(generations.iter().all(|generation| *generation == generations[0]));
    assert_eq!(origin.calls(), 1);
}
