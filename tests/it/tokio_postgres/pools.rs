//! Pools of deadpool and bb8: connections that are used again, replaced and closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use lakebase::RecyclingOptions;

use super::cancels;
use super::pool::{Kind, kinds};
use crate::rotation::{load_through_rotations, short_tokens};
use crate::support::{Setup, own_endpoint, shared, until};

on_each_runtime! {
    connections_are_used_again rotation_under_load old_ones_are_replaced idle_ones_are_closed a_pool_that_is_dropped_leaves_nothing
    deadpool_as_its_users_know_it
}

async fn connections_are_used_again() {
    for kind in kinds() {
        let (name, lakebase) = own_endpoint();
        let pool = kind.open(&lakebase, 3, RecyclingOptions::new()).await.unwrap();
        let pid = "select pg_backend_pid()";
        let first: i32 = pool.get().await.unwrap().query_one(pid, &[]).await.unwrap().get(0);
        for _ in 0..10 {
            let again: i32 = pool.get().await.unwrap().query_one(pid, &[]).await.unwrap().get(0);
            assert_eq!(first, again, "{kind:?}");
        }
        drop(try_join_all((0..3).map(|_| pool.get())).await.unwrap());
        let answers = try_join_all((0..20).map(|_| pool.one())).await.unwrap();
        assert_eq!(answers, [1; 20]);
        assert_eq!(shared().counters(&name).unwrap().accepted, 3, "{kind:?}");
        // A transaction that was given up does not show.
        let mut client = pool.get().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        transaction.batch_execute("create table never (n int)").await.unwrap();
        drop(transaction);
        drop(client);
        let there = "select 1 from pg_class where relname = 'never'";
        assert!(pool.get().await.unwrap().query(there, &[]).await.unwrap().is_empty());
        let (busy, other) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        cancels(&lakebase, &busy, &other).await;
    }
}

/// Eight tasks, connections that are replaced all the time, tokens that live for four seconds.
async fn rotation_under_load() {
    for kind in kinds() {
        let (name, lakebase) = short_tokens(4);
        let options = RecyclingOptions::new().max_lifetime(Duration::from_millis(100));
        let pool = kind.open(&lakebase, 6, options).await.unwrap();
        assert_eq!(pool.one().await.unwrap(), 1);
        let ask = move || {
            let pool = pool.clone();
            async move { pool.one().await.err().map(|error| format!("{error:?}")) }
        };
        load_through_rotations(&format!("{kind:?}"), &name, &lakebase, ask).await;
    }
}

async fn old_ones_are_replaced() {
    for kind in kinds() {
        let (name, lakebase) = own_endpoint();
        let options = RecyclingOptions::new().max_lifetime(Duration::ZERO);
        let pool = kind.open(&lakebase, 1, options).await.unwrap();
        let before = shared().counters(&name).unwrap().accepted;
        for _ in 0..5 {
            assert_eq!(pool.one().await.unwrap(), 1);
        }
        assert!(shared().counters(&name).unwrap().accepted >= before + 4, "{kind:?}");
        let open = || shared().counters(&name).unwrap().open;
        until(&lakebase, "none piles up", || open() <= 1).await;
    }
}

/// Nobody has to ask for one.
async fn idle_ones_are_closed() {
    let (name, lakebase) = own_endpoint();
    let options = RecyclingOptions::new().idle_timeout(Duration::from_millis(200));
    let pool = Kind::Deadpool.open(&lakebase, 3, options).await.unwrap();
    pool.warm_up(3).await;
    let open = || shared().counters(&name).unwrap().open;
    until(&lakebase, "the server sees them end", || open() == 0).await;
    assert_eq!(pool.size(), 0);
    assert_eq!(pool.one().await.unwrap(), 1);
    until(&lakebase, "it ends, too", || open() == 0).await;
}

async fn a_pool_that_is_dropped_leaves_nothing() {
    for kind in kinds() {
        let (name, lakebase) = own_endpoint();
        let pool = kind.open(&lakebase, 4, RecyclingOptions::new()).await.unwrap();
        pool.warm_up(4).await;
        let held = pool.get().await.unwrap();
        let slow = held.batch_execute("select pg_sleep(60)");
        assert!(futures::FutureExt::now_or_never(slow).is_none());
        drop((held, pool));
        if kind == Kind::Deadpool {
            let open = || shared().counters(&name).unwrap().open;
            until(&lakebase, "sessions end", || open() == 0).await;
        }
    }
}

async fn deadpool_as_its_users_know_it() {
    use lakebase::deadpool_postgres::{
        GenericClient, Hook, PoolConfig, PoolError, TimeoutType, Timeouts,
    };
    let lakebase = Setup::m2m(shared()).build();
    let pool = lakebase.deadpool(PoolConfig::new(2)).unwrap();
    async fn generic(client: &impl GenericClient) -> i32 {
        let statement = client.prepare_cached("select $1::int4 * 2").await.unwrap();
        client.query_one(&statement, &[&21]).await.unwrap().get(0)
    }
    let mut client = pool.get().await.unwrap();
    assert_eq!(generic(&client).await, 42);
    assert_eq!(client.statement_cache.size(), 1);
    let transaction = client.transaction().await.unwrap();
    assert_eq!(generic(&transaction).await, 42);
    transaction.commit().await.unwrap();
    drop(client);
    let all = join_all((0..8).map(|_| async { generic(&pool.get().await.unwrap()).await })).await;
    assert_eq!(all, [42; 8]);
    assert_eq!(pool.status().size, 2);
    // Hooks of its own run beside ours.
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let pool = lakebase
        .deadpool_with(RecyclingOptions::new(), |builder| {
            builder.post_create(Hook::sync_fn(move |_, _| {
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }))
        })
        .unwrap();
    drop(pool.get().await.unwrap());
    drop(pool.get().await.unwrap());
    assert_eq!(count.load(Ordering::Relaxed), 1);
    // Time-outs are those of the runtime.
    let config = PoolConfig { timeouts: Timeouts::wait_millis(50), ..PoolConfig::new(1) };
    let pool = lakebase.deadpool(config).unwrap();
    let held = pool.get().await.unwrap();
    let error = pool.get().await.map(drop).unwrap_err();
    assert!(matches!(error, PoolError::Timeout(TimeoutType::Wait)), "{error}");
    drop(held);
    pool.close();
    assert!(matches!(pool.get().await.map(drop), Err(PoolError::Closed)));
}
