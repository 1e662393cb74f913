//! What a cold start costs: requests to the workspace, and how many of them in a row.

use std::time::Duration;

use lakebase::PoolOptions;
use lakebase::sqlx::Connection as _;
use lakebase_emulator::{Effect, Emulator, Fault, Operation, sequential_hops};

use crate::support::Setup;

on_each_runtime! { named_endpoint asked_user_name project_and_branch discovery pool_start }

/// An emulator whose answers take a moment, so that requests at the same time overlap for certain.
fn slow() -> Emulator {
    let emulator = Emulator::builder().page_size(100).start().unwrap();
    let duration = Duration::from_millis(60);
    emulator.inject(Fault::new(Operation::Any, Effect::Latency { duration }));
    emulator
}

/// Connects twice: the first time with these requests in as many rounds, then with none.
async fn check(emulator: &Emulator, setup: Setup, mut paths: Vec<&str>, hops: usize) {
    let lakebase = setup.build();
    assert!(emulator.requests().is_empty(), "building asks nothing");
    lakebase.connect().await.unwrap().close().await.unwrap();
    let requests = emulator.requests();
    let mut found: Vec<&str> =
        requests.iter().map(|r| r.path.rsplit('/').next().unwrap_or_default()).collect();
    found.sort_unstable();
    paths.sort_unstable();
    assert_eq!(found, paths, "{requests:?}");
    assert_eq!(sequential_hops(&requests), hops, "{requests:?}");
    emulator.clear_requests();
    lakebase.connect().await.unwrap().close().await.unwrap();
    assert!(emulator.requests().is_empty(), "{:?}", emulator.requests());
}

async fn named_endpoint() {
    let emulator = slow();
    check(&emulator, Setup::m2m(&emulator), vec!["token", "credentials", "primary"], 2).await;
}

async fn asked_user_name() {
    let emulator = slow();
    // A personal access token is the workspace's token itself, which saves the first round.
    let paths = vec!["Me", "credentials", "primary"];
    check(&emulator, Setup::pat(&emulator), paths, 1).await;
}

async fn project_and_branch() {
    let emulator = slow();
    let setup = Setup::m2m(&emulator).branch("demo", "production");
    check(&emulator, setup, vec!["token", "endpoints", "credentials"], 3).await;
    drop(emulator);
    let emulator = slow();
    let setup = Setup::pat(&emulator).branch("demo", "production");
    check(&emulator, setup, vec!["Me", "endpoints", "credentials"], 2).await;
}

async fn discovery() {
    // Only where the documented path is not there.
    let emulator = Emulator::builder().token_path("/oidc/elsewhere/token").start().unwrap();
    let lakebase = Setup::m2m(&emulator).build();
    lakebase.connect().await.unwrap().close().await.unwrap();
    let paths: Vec<String> = emulator.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(
        paths[..4],
        [
            "/oidc/v1/token",
            "/.well-known/databricks-config",
            "/oidc/.well-known/oauth-authorization-server",
            "/oidc/elsewhere/token",
        ]
    );
    assert_eq!(paths.len(), 6, "{paths:?}");
}

async fn pool_start() {
    let emulator = slow();
    let lakebase = Setup::m2m(&emulator).build();
    let pool = lakebase.pool(PoolOptions::new().max_connections(8)).await.unwrap();
    pool.warm_up(8).await.unwrap();
    let requests = emulator.requests();
    assert_eq!((requests.len(), sequential_hops(&requests)), (3, 2), "{requests:?}");
    assert_eq!(emulator.counters(&emulator.description().endpoint).unwrap().open, 8);
    assert!(pool.close().await);
}
