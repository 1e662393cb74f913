//! What a cold start costs: requests to the workspace, and how many of them in a row.

use std::sync::Arc;
use std::time::Duration;

use lakebase::PoolOptions;
use lakebase::core::Environment;
use lakebase::sqlx::Connection as _;
use lakebase::workspace::auth::Callback;
use lakebase::workspace::{AccessToken, WorkspaceClient, WorkspaceConfig};
use lakebase_emulator::{Effect, Emulator, Fault, Operation, sequential_hops};

use crate::support::Setup;

on_each_runtime! { cold_start unknown_user_of_a_callback discovery }

/// An emulator whose answers take so long that requests at the same time overlap, also while many tests run.
fn slow() -> Emulator {
    let emulator = Emulator::builder().page_size(100).start().unwrap();
    let duration = Duration::from_millis(200);
    emulator.inject(Fault::new(Operation::Any, Effect::Latency { duration }));
    emulator
}

/// Connects twice: the first time with these requests in `hops` rounds, then with none.
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

async fn cold_start() {
    let emulator = &slow();
    // With a service principal, whose name is known: token, then the rest at once.
    check(emulator, Setup::m2m(emulator), vec!["token", "credentials", "primary"], 2).await;
    // A personal access token is the workspace's token itself, but the user's name must be asked for.
    check(emulator, Setup::pat(emulator), vec!["Me", "credentials", "primary"], 1).await;
    // With a branch, the endpoint comes before its credential.
    let setup = Setup::m2m(emulator).branch("demo", "production");
    check(emulator, setup, vec!["token", "endpoints", "credentials"], 3).await;
    let setup = Setup::pat(emulator).branch("demo", "production");
    check(emulator, setup, vec!["Me", "endpoints", "credentials"], 2).await;

    // A whole pool costs what one connection does.
    let lakebase = Setup::m2m(emulator).build();
    let pool = lakebase.pool(PoolOptions::new().max_connections(8)).await.unwrap();
    pool.warm_up(8).await.unwrap();
    let requests = emulator.requests();
    assert_eq!((requests.len(), sequential_hops(&requests)), (3, 2), "{requests:?}");
    assert_eq!(emulator.counters(&emulator.description().endpoint).unwrap().open, 8);
    assert!(pool.close().await);
}

/// A source of tokens that needs a request of its own and does not know its user.
async fn unknown_user_of_a_callback() {
    let emulator = slow();
    let it = emulator.description().clone();
    let identity = WorkspaceConfig::builder().host(&it.host);
    let oauth = identity.clone().client_id(&it.client_id).client_secret(it.client_secret.as_str());
    let runtime = Setup::m2m(&emulator).build().connector().runtime().clone();
    let client = WorkspaceClient::new(oauth.build(&Environment::empty()).unwrap(), &runtime);
    let source = Callback::new(move |_| {
        let client = client.clone();
        async move { client.access_token().await.map(|held| AccessToken::clone(&held)) }
    });
    let workspace = identity.token_source(Arc::new(source));
    let setup = Setup::place(&emulator).endpoint(&it.endpoint);
    let lakebase = setup.builder().workspace(workspace).build().unwrap();
    lakebase.connect().await.unwrap().close().await.unwrap();
    let requests = emulator.requests();
    assert_eq!((requests.len(), sequential_hops(&requests)), (4, 2), "{requests:?}");
}

async fn discovery() {
    // Only where the documented path is not there.
    let emulator = Emulator::builder().token_path("/oidc/elsewhere/token").start().unwrap();
    let lakebase = Setup::m2m(&emulator).build();
    lakebase.connect().await.unwrap().close().await.unwrap();
    let paths: Vec<String> = emulator.requests().into_iter().map(|r| r.path).collect();
    let expected = [
        "/oidc/v1/token",
        "/.well-known/databricks-config",
        "/oidc/.well-known/oauth-authorization-server",
        "/oidc/elsewhere/token",
    ];
    assert_eq!(paths[..4], expected);
    assert_eq!(paths.len(), 6, "{paths:?}");
}
