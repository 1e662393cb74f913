//! The memory that misbehaving servers cost a process: its resident set, as the kernel counts it.
//!
//! One test in a process of its own, because others would take memory, too. The servers are in it, and so their buffers count.

#![cfg(target_os = "linux")]
#![cfg(any(feature = "tokio", feature = "async-std", feature = "smol"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so do its helpers")]

use std::time::Duration;

use lakebase::core::Environment;
use lakebase::core::connect::ConnectPolicy;
use lakebase::{Lakebase, PoolOptions};
use lakebase_testkit::bad_server::{BadServer, MODES};
use lakebase_testkit::memory::Resident;

const PATIENCE: Duration = Duration::from_millis(800);
/// What a login that fails may add, at its highest.
const LIMIT_KIB: u64 = 10 * 1024;

fn handle(server: &BadServer) -> Lakebase {
    let url = format!("postgresql://u:p@127.0.0.1:{}/d", server.port());
    let environment = Environment::from_pairs([("LAKEBASE_PG_URL", url.as_str())]);
    let policy = ConnectPolicy { budget: PATIENCE, ..ConnectPolicy::default() };
    Lakebase::builder().environment(environment).connect_policy(policy).build().unwrap()
}

async fn log_in(server: &BadServer) {
    handle(server).connect().await.map(drop).unwrap_err();
    let options = PoolOptions::new().acquire_timeout(PATIENCE);
    handle(server).pool(options).await.map(drop).unwrap_err();
}

async fn every_mode(runtime: &str) {
    // What a process has only once: certificates, threads, stacks.
    log_in(&BadServer::start("close")).await;
    let itself = Resident::of(std::process::id());
    for (mode, _) in MODES {
        let server = BadServer::start(mode);
        let before = itself.now_kib();
        itself.forget_peak();
        log_in(&server).await;
        let grown = itself.peak_kib().saturating_sub(before);
        assert!(grown <= LIMIT_KIB, "{mode} on {runtime}: {grown} KiB more");
    }
}

#[test]
fn no_misbehaving_server_takes_memory() {
    #[cfg(feature = "tokio")]
    {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap().block_on(every_mode("tokio"));
    }
    #[cfg(feature = "smol")]
    smol::block_on(every_mode("smol"));
    #[cfg(feature = "async-std")]
    async_std::task::block_on(every_mode("async-std"));
}
