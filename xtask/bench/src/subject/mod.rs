//! Subjects that are this program again: ours and plain sqlx.

mod connect;
mod network;
mod orders;
mod pool;
mod pools;
pub(crate) mod settings;

use std::future::Future;

use anyhow::{Result, bail};

use crate::clock::now;

/// Runs one subject; what it prints is its answer.
pub(crate) fn run(name: &str) -> Result<()> {
    match name {
        "connect-ours" => on_tokio(connect::ours()),
        "connect-sqlx" => on_tokio(connect::sqlx()),
        "pool-ours" => on_tokio(pool::ours()),
        "pool-sqlx" => on_tokio(pool::sqlx(true)),
        "pool-sqlx-no-ping" => on_tokio(pool::sqlx(false)),
        "pool-sqlx-timer" => on_tokio(pool::sqlx_timer()),
        "network-ours" => on_tokio(pools::ours()),
        "network-sqlx" => on_tokio(pools::sqlx()),
        other => bail!("there is no subject `{other}`"),
    }
}

fn on_tokio(work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build()?.block_on(work)
}
