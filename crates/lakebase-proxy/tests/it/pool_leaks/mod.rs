//! Nothing of one client reaches the next: random clients against a model of what each may see.
//!
//! Each client must see at its start what a new session shows, whatever the one before it did and however it ended, at any byte of
//! any message. At its end it must see what itself did, by a model of settings, roles, temporary tables, locks, channels, prepared statements,
//! cursors and transactions.

mod client;
mod model;
mod step;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use lakebase_proxy::PoolOptions;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::client::{Client, Identity};
use self::model::Model;
use self::step::{End, Step, end, step};
use crate::support::{Running, listener, until};

/// Clients in all, each with a sequence of steps and an end of its own, and how many come at the same time.
const CLIENTS: u32 = 10_000;
const WORKERS: u32 = 4;
/// Clients of one case, which is made smaller if it fails.
const LIVES: u32 = 4;

/// One client: who it says it is, what it does, how it ends.
type Life = (Identity, Vec<Step>, End);

/// Lives through all of it, one client after the other. Everything that was seen before and after is right.
fn live(proxy: SocketAddr, worker: u32, lives: &[Life]) -> Result<(), TestCaseError> {
    for (identity, steps, end) in lives {
        let mut client = Client::open(proxy, *identity);
        let mut model = Model::new(*identity);
        prop_assert_eq!(client.sees(), model.sees(), "at the start of {:?}", identity);
        for step in steps {
            client.performs(step, worker, &mut model);
            prop_assert_eq!(client.status, model.status, "after {:?}", step);
        }
        if model.status != b'E' {
            prop_assert_eq!(client.sees(), model.sees(), "after {:?}", steps);
        }
        prop_assert!(model.may_hear || !client.heard, "a notification for somebody else");
        client.ends(end, worker);
    }
    Ok(())
}

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let life = (Identity::any(), prop::collection::vec(step(), 0..6), end());
    prop::collection::vec(life, LIVES as usize)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_one_client_reaches_the_next() {
    let size = WORKERS as usize;
    let proxy = Running::of(listener().pool(PoolOptions { size, ..PoolOptions::default() })).await;
    let address = proxy.tcp();
    let done = AtomicU64::new(0);
    let workers = (0..WORKERS).map(|worker| {
        let done = &done;
        move || {
            let config = ProptestConfig {
                cases: CLIENTS / LIVES / WORKERS,
                failure_persistence: None,
                max_shrink_time: 60_000,
                ..ProptestConfig::default()
            };
            let outcome = TestRunner::new(config).run(&lives(), |lives| {
                done.fetch_add(lives.len() as u64, Ordering::Relaxed);
                live(address, worker, &lives)
            });
            outcome.map_err(|error| error.to_string())
        }
    });
    let outcomes: Vec<_> = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let running: Vec<_> = workers.map(|worker| scope.spawn(worker)).collect();
            running.into_iter().map(|worker| worker.join().unwrap()).collect()
        })
    });
    for outcome in outcomes {
        assert_eq!(outcome, Ok(()));
    }
    until("nobody has a session", || proxy.pool().active == 0).await;
    let stats = proxy.pool();
    let clients = done.load(Ordering::Relaxed);
    assert_eq!(clients, u64::from(CLIENTS));
    assert_eq!(stats.opened + stats.reused, clients, "{stats:?}");
    assert!(stats.reused > clients / 2, "most clients had another one before them: {stats:?}");
    assert!(stats.unsettled > clients / 20, "some left something open: {stats:?}");
    assert_eq!(stats.resets_failed, 0, "what is open is known before a reset: {stats:?}");
}
