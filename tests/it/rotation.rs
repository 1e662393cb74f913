//! Tokens that end while there is work: rotation under load, outages of the service, changes of runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::try_join_all;
use lakebase::core::Runtime;
use lakebase::sqlx::{self, Connection as _};
use lakebase::{ErrorKind, Lakebase, PoolOptions};
use lakebase_emulator::{Effect, Emulator, Fault, Operation};
use lakebase_testkit::FakeTime;
use lakebase_testkit::assert_error;

use crate::support::{Setup, own_endpoint, select_one, shared, until};

on_each_runtime! { rotation_under_load outage_while_the_token_lives outage_from_minute_to_minute }

/// Eight tasks, connections that are replaced all the time, tokens that live for four seconds.
async fn rotation_under_load() {
    let (name, lakebase) = short_tokens(4);
    let options = PoolOptions::new().max_connections(6).max_lifetime(Duration::from_millis(100));
    let pool = lakebase.pool(options).await.unwrap();
    let asked = pool.clone();
    let ask = move || {
        let pool = asked.clone();
        async move {
            let one = sqlx::query_scalar::<_, i32>("select 1").fetch_one(&pool).await;
            one.err().map(|error| format!("{error:?}"))
        }
    };
    load_through_rotations("sqlx", &name, &lakebase, ask).await;
    assert!(pool.close().await);
}

/// An endpoint of its own whose tokens live for so many seconds.
pub(crate) fn short_tokens(seconds: u64) -> (String, Lakebase) {
    let (name, lakebase) = own_endpoint();
    let lifetime = Effect::Lifetime { duration: Duration::from_secs(seconds) };
    shared().inject(Fault::new(Operation::Credentials, lifetime).only(&name));
    (name, lakebase)
}

/// Eight tasks `ask` a pool of six connections until the token was renewed four times. None may fail, connections are replaced, and no
/// dead token is tried. `ask` returns its error.
pub(crate) async fn load_through_rotations<F>(
    pool: &str,
    name: &str,
    lakebase: &Lakebase,
    ask: impl Fn() -> F + Clone + Send + 'static,
) where
    F: Future<Output = Option<String>> + Send,
{
    let stop = Arc::new(AtomicBool::new(false));
    let queries = Arc::new(AtomicUsize::new(0));
    let spawn = lakebase.connector().runtime().spawn.clone().unwrap();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (ask, stop, queries) = (ask.clone(), Arc::clone(&stop), Arc::clone(&queries));
        let (report, result) = oneshot::channel::<Option<String>>();
        tasks.push(result);
        spawn.spawn(Box::pin(async move {
            let mut failed = None;
            while failed.is_none() && !stop.load(Ordering::Relaxed) {
                failed = ask().await;
                queries.fetch_add(1, Ordering::Relaxed);
            }
            drop(ask);
            let _ = report.send(failed);
        }));
    }
    drop(ask);
    let cache = lakebase.connector().credentials().await.unwrap().unwrap();
    let mut seen = None;
    for _ in 0..4 {
        seen = Some(cache.changed(seen).await.generation());
    }
    stop.store(true, Ordering::Relaxed);
    let failures = try_join_all(tasks).await.unwrap();
    assert_eq!(failures, vec![None; 8], "{pool}");
    // How many more depends on the machine.
    assert!(queries.load(Ordering::Relaxed) >= 8);
    let counters = shared().counters(name).unwrap();
    assert!(counters.accepted > 6, "{pool}: connections are replaced: {counters:?}");
    assert_eq!(counters.refused, 0, "{pool}: no dead token was tried: {counters:?}");
}

async fn outage_while_the_token_lives() {
    // Its whole workspace fails.
    let emulator = Emulator::builder().start().unwrap();
    let lakebase = Setup::m2m(&emulator).build();
    let options = PoolOptions::new().max_connections(4).max_lifetime(Duration::ZERO);
    let pool = lakebase.pool(options).await.unwrap();
    emulator.inject(Fault::new(Operation::Any, Effect::reply(503)));
    emulator.clear_requests();
    for _ in 0..20 {
        assert_eq!(select_one(&pool).await, 1);
        lakebase.connect().await.unwrap().close().await.unwrap();
    }
    let accepted = emulator.counters(&emulator.description().endpoint).unwrap().accepted;
    assert!(accepted >= 30, "these were new logins: {accepted}");
    assert!(emulator.requests().is_empty());
    assert!(pool.close().await);
}

/// An hour of the client's and the service's clock, moved by hand; timers are real.
async fn outage_from_minute_to_minute() {
    let emulator = Emulator::builder().acceleration(0.0).start().unwrap();
    let time = FakeTime::new();
    let runtime = Setup::m2m(&emulator).build().connector().runtime().clone();
    let runtime = Runtime { clock: Arc::new(time.clone()), ..runtime };
    let lakebase = Setup::m2m(&emulator).builder().build_with(runtime).unwrap();
    let minutes = |count: u64| {
        let by = Duration::from_secs(60 * count);
        time.advance(by);
        emulator.advance(by);
    };
    lakebase.connect().await.unwrap().close().await.unwrap();
    let first = lakebase.credential().await.unwrap();
    emulator.clear_requests();
    emulator.inject(Fault::new(Operation::Any, Effect::reply(503)));
    minutes(52);
    // The renewal is due and fails; callers do not notice.
    for _ in 0..3 {
        let held = lakebase.credential().await.unwrap();
        assert_eq!(held.generation(), first.generation());
        lakebase.connect().await.unwrap().close().await.unwrap();
        minutes(2);
    }
    until(&lakebase, "a renewal was tried", || !emulator.requests().is_empty()).await;
    // Dead: never the old token, but the cause.
    minutes(3);
    let error = lakebase.credential().await.map(drop).unwrap_err();
    assert_error(&error, ErrorKind::Unavailable, &["answered 503"]);
    // Whatever the length of the outage, the next one after it works.
    minutes(600);
    emulator.clear();
    let second = lakebase.credential().await.unwrap();
    assert!(second.generation() > first.generation());
    lakebase.connect().await.unwrap().close().await.unwrap();
}

/// A pool that outlives its runtime logs in on the next one, also where logins go through a relay, which is a task.
#[cfg(feature = "tokio")]
#[test]
fn a_pool_outlives_its_runtime() {
    use crate::support::on_tokio;

    let (_, lakebase) = own_endpoint();
    // What is idle belongs to the runtime that opened it.
    let options = PoolOptions::new().max_connections(2).keep_idle(0);
    let pool = on_tokio(async {
        assert!(!lakebase.connector().login().await.unwrap().params.addresses.is_empty());
        let pool = lakebase.pool(options).await.unwrap();
        assert_eq!(select_one(&pool).await, 1);
        until(&lakebase, "nothing is idle", || pool.size() == 0).await;
        pool
    });
    for _ in 0..2 {
        on_tokio(async {
            assert_eq!((select_one(&pool).await, select_one(&pool).await), (1, 1));
            until(&lakebase, "nothing is idle", || pool.size() == 0).await;
        });
    }
}

/// A handle is not bound to the runtime that it was first used on.
#[cfg(feature = "tokio")]
#[test]
fn runtimes_come_and_go() {
    use crate::support::on_tokio;

    let (_, lakebase) = short_tokens(2);
    let mut generations = Vec::new();
    for _ in 0..3 {
        let pool = on_tokio(async {
            let pool = lakebase.pool(PoolOptions::new().max_connections(2)).await.unwrap();
            assert_eq!(select_one(&pool).await, 1);
            pool
        });
        // Its runtime is gone, and with it the tasks and connections.
        drop(pool);
        let credential = on_tokio(async {
            lakebase.connect().await.unwrap().close().await.unwrap();
            let cache = lakebase.connector().credentials().await.unwrap().unwrap();
            let _task = cache.keep_fresh();
            let held = cache.get().await.unwrap();
            cache.changed(Some(held.generation())).await
        });
        generations.push(credential.generation());
    }
    assert!(generations.is_sorted() && generations.first() < generations.last());
}
